// Small decisions of a fuzz target (which region, which level, ...) drawn from a hash of the input, so that
// inputs are plain files: any JPEG file is a seed and any finding opens in a viewer.
#pragma once

#include <cstddef>
#include <cstdint>

#include "image/geometry.h"
#include "simd/level.h"

namespace fastinet::fuzz {

class Choices {
 public:
  Choices(const uint8_t* data, size_t size) {
    for (size_t i = 0; i < size; ++i) state_ = (state_ ^ data[i]) * 0x100000001B3;  // FNV-1a
  }

  // In [0, limit).
  int below(int limit) {
    state_ = state_ * 6364136223846793005 + 1442695040888963407;
    return static_cast<int>((state_ >> 33) % static_cast<uint64_t>(limit));
  }

  Rect rectangle(Size image) {
    const int height = 1 + below(image.height), width = 1 + below(image.width);
    return {below(image.height - height + 1), below(image.width - width + 1), height, width};
  }

  void simd_level() {
    static const auto levels = available_simd_levels();
    set_simd_level(levels[static_cast<size_t>(below(static_cast<int>(levels.size())))]);
  }

 private:
  uint64_t state_ = 0xCBF29CE484222325;
};

}  // namespace fastinet::fuzz
