// The inverse DCTs to 4x4 and 2x2 samples a block (libjpeg's jidctred.c): the even part of "islow" shortened
// to the outputs that are left, so that an image comes out at 1/2 or 1/4 of its size.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fastinet::jpeg {

// As idct_row, to `side` (4 or 2) samples a block in each direction: writes `side` rows, and needs room in
// them for `blocks` rounded up to a multiple of kBlocksPerGroup. For coefficients that an encoder can produce
// the samples are libjpeg-turbo's; for others they are some samples.
void idct_row_reduced(int side, const int16_t* groups, int blocks, const uint16_t* quant, uint8_t* samples,
                      ptrdiff_t stride);

// The same in plain C++: the reference.
void idct_row_reduced_scalar(int side, const int16_t* groups, int blocks, const uint16_t* quant,
                             uint8_t* samples, ptrdiff_t stride);

}  // namespace fastinet::jpeg
