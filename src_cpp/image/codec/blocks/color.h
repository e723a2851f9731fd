// YCbCr to RGB as JFIF defines it, in libjpeg-turbo's 16-bit fixed point (jdcolor.c): bit-exact.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fastinet::jpeg {

// Converts `count` pixels. Outputs may be the inputs: y = r, cb = g, cr = b. May read and write up to
// kRowPadding (upsample.h) bytes beyond the end of each row.
void ycc_to_rgb(const uint8_t* y, const uint8_t* cb, const uint8_t* cr, size_t count, uint8_t* r, uint8_t* g,
                uint8_t* b);

// The same in plain C++: the reference.
void ycc_to_rgb_scalar(const uint8_t* y, const uint8_t* cb, const uint8_t* cr, size_t count, uint8_t* r,
                       uint8_t* g, uint8_t* b);

}  // namespace fastinet::jpeg
