// Decoded pixels on their way from a decoder to the resampler.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "image/geometry.h"

namespace fastinet {

// One row of pixels, one array a channel. The three pointers of a gray row are equal.
using RgbRow = std::array<const uint8_t*, 3>;

// RGB samples of a rectangle of an image, one plane for each channel. The three planes of a gray image are
// the same one, with channels == 1, so that work need not be done three times. The sample of image row y,
// column x is at plane[c][(y - region.top) * stride + (x - region.left)]. At least kReadPadding bytes are
// readable beyond the last sample of every row. Does not own the samples: they are the decoder's scratch, and
// valid until its next call.
struct Planes {
  static constexpr size_t kReadPadding = 64;
  const uint8_t* plane[3] = {nullptr, nullptr, nullptr};
  ptrdiff_t stride = 0;
  Rect region;    // of the image at 1/scale
  int scale = 1;  // dct_scale(): 1, 2 or 4
  int channels = 3;
};

}  // namespace fastinet
