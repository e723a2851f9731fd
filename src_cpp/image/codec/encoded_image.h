// What is to be decoded, and the limits that hold for every decoder.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/bytes.h"
#include "image/geometry.h"

namespace fastinet {

// Larger images are refused. Pillow's limit: twice Image.MAX_IMAGE_PIXELS as it is by default.
inline constexpr int64_t kMaxImagePixels = 2 * int64_t{1024 * 1024 * 1024 / 4 / 3};

struct EncodedImage {
  Bytes data;
  Bytes entry_points;              // as codec/jpeg/entry_points.h writes them; empty: none known
  bool apply_orientation = false;  // turn the image as its EXIF orientation says (ImageOps.exif_transpose)
};

// Interleaved RGB, rows without padding.
struct RgbImage {
  Size size;
  std::vector<uint8_t> pixels;
};

// Decodes what the core does not decode itself (PNG, BMP, TIFF, and JPEG files whose pixels only Pillow
// defines) as Pillow's Image.open(...).convert("RGB") does, after ImageOps.exif_transpose if
// apply_orientation is set. Throws Error{kDecode} for data that it refuses, and std::bad_alloc if memory is
// short, which says nothing about the image. May take locks (Python's); called from any thread.
using ForeignDecoder = std::function<RgbImage(const EncodedImage&)>;

}  // namespace fastinet
