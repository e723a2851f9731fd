// JPEG files made for tests by libjpeg-turbo's compressor, and its full decode as the oracle.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "image/geometry.h"

namespace fastinet::testing {

struct JpegOptions {
  Size size{64, 64};
  int components = 3;  // 1: gray, 3: YCbCr, 4: YCCK
  std::vector<int> h{1, 1, 1, 1};
  std::vector<int> v{1, 1, 1, 1};
  int quality = 90;
  bool progressive = false;
  bool interleaved = true;
  int restart_rows = 0;
  uint32_t seed = 1;
};

// "37x41 2x2,1x1,1x1 progressive": for failure messages.
std::string describe(const JpegOptions& options);

// A photo-like picture: smooth gradients, edges and noise.
std::vector<uint8_t> make_jpeg(const JpegOptions& options);

// Every sample of the image, interleaved in the colour space that the decoder turns the file into (gray, RGB
// or CMYK), by one plain jpeg_read_scanlines loop. Empty where libjpeg-turbo reports an error or a warning.
struct FullDecode {
  Size size;
  int channels = 0;
  std::vector<uint8_t> samples;
};
FullDecode decode_fully(const std::vector<uint8_t>& file);

}  // namespace fastinet::testing
