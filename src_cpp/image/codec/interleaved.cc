#include "image/codec/interleaved.h"

namespace fastinet {
namespace {

// a * b / 255, rounded, as Pillow's MULDIV255.
int mul_div_255(int a, int b) {
  const int t = a * b + 128;
  return ((t >> 8) + t) >> 8;
}

}  // namespace

void split_rgb(const uint8_t* rgb, size_t count, uint8_t* r, uint8_t* g, uint8_t* b) {
  for (size_t i = 0; i < count; ++i) {
    r[i] = rgb[3 * i];
    g[i] = rgb[3 * i + 1];
    b[i] = rgb[3 * i + 2];
  }
}

void split_inverted_cmyk(const uint8_t* cmyk, size_t count, uint8_t* r, uint8_t* g, uint8_t* b) {
  for (size_t i = 0; i < count; ++i) {
    const uint8_t* p = cmyk + 4 * i;
    const int no_black = p[3];
    r[i] = static_cast<uint8_t>(no_black - mul_div_255(255 - p[0], no_black));
    g[i] = static_cast<uint8_t>(no_black - mul_div_255(255 - p[1], no_black));
    b[i] = static_cast<uint8_t>(no_black - mul_div_255(255 - p[2], no_black));
  }
}

}  // namespace fastinet
