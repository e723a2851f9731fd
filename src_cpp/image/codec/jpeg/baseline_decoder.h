// The fast path through a JPEG file: entropy decoding, inverse DCT, upsampling and colour conversion of the
// part of the image that a crop needs and no more, an MCU row at a time, so that samples pass from
// stage to stage in the caches. The pixels are libjpeg-turbo's, also where the image is wanted at 1/2 or 1/4
// of its size (libjpeg's scale_denom).
#pragma once

#include <cstdint>
#include <memory>

#include "image/codec/jpeg/entry_points.h"
#include "image/codec/jpeg/header.h"
#include "image/geometry.h"
#include "image/planes.h"

namespace fastinet::jpeg {

enum class Outcome : uint8_t {
  kDecoded,
  // All others: decode the image with libjpeg-turbo instead.
  kUnsuited,    // Huffman tables that it refuses, subsampled and under 5 pixels wide, or a region too large
  kCorrupt,     // entropy-coded data that it would warn about
  kMismatch,    // the entry points belong to other data
  kOutOfRange,  // coefficients that no encoder makes, whose samples depend on libjpeg-turbo's shortcuts
};

// Scratch for one thread, reused from image to image. Not safe for concurrent use.
class BaselineDecoder {
 public:
  BaselineDecoder();
  ~BaselineDecoder();
  BaselineDecoder(BaselineDecoder&&) noexcept;
  BaselineDecoder& operator=(BaselineDecoder&&) noexcept;

  // Decodes `region` (not empty, within the image) of the file `data`, from which `header` was parsed.
  // Without entry points the data before the region is decoded and dropped; data after the region is not
  // looked at. kDecoded: `planes` covers just the region and is valid until the next call. Any other
  // outcome: `planes` is unspecified. `scale` is 1, 2 or 4; `region` is of the image at 1/scale.
  Outcome decode(const Header& header, Bytes data, const EntryPointView& entries, const Rect& region,
                 Planes& planes, int scale = 1);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fastinet::jpeg
