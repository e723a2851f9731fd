// Region-of-interest decoding by libjpeg-turbo: entropy decoding stops after the region's last row, and only
// the region's rows and columns are transformed, upsampled and converted.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "image/codec/jpeg/survey.h"
#include "image/planes.h"

namespace fastinet {

// Scratch for one thread.
class TurboDecoder {
 public:
  // Decodes `region` (not empty, within the image) to the pixels that Pillow's convert("RGB") has there.
  // `scale` is 1, 2 or 4 (libjpeg's scale_denom); `region` is of the image at 1/scale. Returns nullptr, or
  // why libjpeg-turbo's result cannot be vouched for: an error, a warning, data that end too early, or a kind
  // of file that its versions decode differently. `planes` is then unspecified. Throws std::bad_alloc where
  // memory is short.
  const char* decode(std::span<const uint8_t> data, const JpegSurvey& survey, const Rect& region,
                     Planes* planes, int scale = 1);

 private:
  std::vector<uint8_t> row_;
  std::vector<uint8_t> planes_;
};

}  // namespace fastinet
