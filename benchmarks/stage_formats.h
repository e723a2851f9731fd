// Outputs that are measured, and where they go.
#pragma once

#include <cstdint>
#include <vector>

#include "image/output/format.h"
#include "stage_work.h"

namespace fastinet {

struct NamedFormat {
  const char* name;
  OutputFormat format;
};

inline const NamedFormat kFormats[] = {
    {"uint8 NCHW", {DType::kUint8, Layout::kNCHW, false, {}, {}}},
    {"uint8 NHWC", {DType::kUint8, Layout::kNHWC, false, {}, {}}},
    {"float32 NCHW, normalised",
     {DType::kFloat32, Layout::kNCHW, true, {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}}},
    {"float16 NCHW, normalised",
     {DType::kFloat16, Layout::kNCHW, true, {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}}},
};

// The slots of a whole batch in turn, as in a loader, since a single slot would stay in the cache.
class Slots {
 public:
  explicit Slots(const OutputFormat& format)
      : slot_(itemsize(format.dtype) * kSide * kSide * 3), storage_(slot_ * kCount + kAlignment) {}

  uint8_t* next() {
    uint8_t* const first =
        storage_.data() + (kAlignment - reinterpret_cast<uintptr_t>(storage_.data()) % kAlignment);
    return first + slot_ * (number_++ % kCount);
  }

 private:
  static constexpr size_t kCount = 128, kAlignment = 64;
  size_t slot_;
  size_t number_ = 0;
  std::vector<uint8_t> storage_;
};

}  // namespace fastinet
