// The inverse DCT that libjpeg-turbo calls "islow": Loeffler, Ligtenberg and Moschytz, "Practical fast 1-D
// DCT algorithms with 11 multiplications" (ICASSP 1989), in 13-bit fixed point, rows after columns.
//
// The result is that of libjpeg-turbo's x86 vector code for every input, valid or hostile: coefficients are
// dequantised modulo 2^16, sums of two inputs wrap at 16 bits, sums of products at 32, and both passes
// saturate. (Its portable C code agrees for coefficients that an encoder can produce and no others.) One
// case is left out: see the return value.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fastinet::jpeg {

// Transforms `blocks` neighbours, quantised and laid out as entropy_decoder.h says. `quant` is the
// quantisation table in natural order. Writes 8 rows of samples, `stride` bytes apart. Whole groups are
// transformed: `groups` and each row of `samples` must have room for `blocks` rounded up to a multiple of
// kBlocksPerGroup.
//
// False: a dequantised coefficient of a block's first row left the range [-8192, 8191], where
// libjpeg-turbo's result depends on which of its shortcuts it took. The samples are then meaningless.
bool idct_row(const int16_t* groups, int blocks, const uint16_t* quant, uint8_t* samples, ptrdiff_t stride);

// The same in plain C++: the reference.
bool idct_row_scalar(const int16_t* groups, int blocks, const uint16_t* quant, uint8_t* samples,
                     ptrdiff_t stride);

}  // namespace fastinet::jpeg
