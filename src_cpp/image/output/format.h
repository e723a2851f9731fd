// How a sample is written into its slot of a batch.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "image/geometry.h"

namespace fastinet {

enum class DType { kUint8, kFloat16, kFloat32 };
enum class Layout { kNCHW, kNHWC };

inline size_t itemsize(DType dtype) { return dtype == DType::kUint8 ? 1 : dtype == DType::kFloat16 ? 2 : 4; }

// uint8 is the pixel itself. Floats are torchvision's ToTensor (x / 255) and, where `normalize` is set,
// Normalize ((x / 255 - mean) / std), rounded as float32 arithmetic rounds them; float16 is that value
// rounded once more.
struct OutputFormat {
  DType dtype = DType::kUint8;
  Layout layout = Layout::kNHWC;
  bool normalize = false;
  std::array<float, 3> mean{};
  std::array<float, 3> std{};
};

}  // namespace fastinet
