// From interleaved pixels to planes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fastinet {

// `count` pixels of RGB.
void split_rgb(const uint8_t* rgb, size_t count, uint8_t* r, uint8_t* g, uint8_t* b);

// `count` pixels of CMYK as JPEG files hold it, with 255 for no ink, to RGB: Pillow's CMYK;I unpacking and
// its CMYK to RGB conversion in one.
void split_inverted_cmyk(const uint8_t* cmyk, size_t count, uint8_t* r, uint8_t* g, uint8_t* b);

}  // namespace fastinet
