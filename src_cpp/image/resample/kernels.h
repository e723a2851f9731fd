// The inner loops of the two passes, one set a SIMD level. All sets give the same bytes: each output is
// clamp((sum of source * weight + half) >> kWeightBits) in exact integer arithmetic.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/aligned_buffer.h"
#include "image/resample/coefficients.h"

namespace fastinet {

// Vector kernels work in blocks: they may write this many bytes beyond the last output of a row, and read as
// many beyond its last source sample.
constexpr int kRowPadding = 64;

// A pass's coefficients as the kernels of one set want them; only its own functions know what is in here.
struct PackedCoefficients {
  int outputs = 0;
  int taps = 0;           // whole, in pairs or in fours, as the kernels take them
  bool windowed = false;  // horizontal: what neighbouring outputs read lies close enough for one load
  AlignedBuffer<int32_t> begin;
  AlignedBuffer<int32_t> count;
  AlignedBuffer<uint8_t> shuffles;
  AlignedBuffer<int32_t> weights;
};

struct ResampleKernels {
  void (*pack_horizontal)(const Coefficients&, PackedCoefficients*);
  // Rows of `in` start at the source sample 0 of the coefficients.
  void (*horizontal)(const PackedCoefficients&, const uint8_t* in, ptrdiff_t in_stride, int rows,
                     uint8_t* out, ptrdiff_t out_stride);

  void (*pack_vertical)(const Coefficients&, PackedCoefficients*);
  // Output row number `output` from the rows that it reads: rows[k] is source row begin[output] + k, for k up
  // to the largest count + kRowsBeyond (any readable rows where k >= count[output]).
  void (*vertical)(const PackedCoefficients&, int output, const uint8_t* const* rows, int width,
                   uint8_t* out);
};

constexpr int kRowsBeyond = 3;

// The reference, in plain C++.
const ResampleKernels& scalar_resample_kernels();

// Processors of the level kAvx512Icl. Only on x86.
const ResampleKernels& avx512icl_resample_kernels();

// The set of the current simd_level().
const ResampleKernels& resample_kernels();

}  // namespace fastinet
