// The dtype, layout and normalisation of the samples in a batch.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "image/geometry.h"

namespace fastinet {

enum class DType { kUint8, kFloat16, kFloat32 };
enum class Layout { kNCHW, kNHWC };

inline size_t itemsize(DType dtype) { return dtype == DType::kUint8 ? 1 : dtype == DType::kFloat16 ? 2 : 4; }

// uint8 is the pixel itself. float32 is torchvision's ToTensor (x / 255), followed by its Normalize
// ((x / 255 - mean) / std) if `normalize` is set, with each operation rounded to float32. float16 is that
// value rounded to float16.
struct OutputFormat {
  DType dtype = DType::kUint8;
  Layout layout = Layout::kNHWC;
  bool normalize = false;
  std::array<float, 3> mean{};
  std::array<float, 3> std{};
};

}  // namespace fastinet
