// The inner loops of the two passes, one set for each SIMD level. All sets give the same bytes: each output
// is clamp((sum of source * weight + half) >> kWeightBits) in exact integer arithmetic.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/aligned_buffer.h"
#include "image/resample/coefficients.h"

namespace fastinet {

// Vector kernels process whole vectors: they may write up to this many bytes beyond the last output of a row,
// and read as many beyond its last source sample.
constexpr int kRowPadding = 64;

// The coefficients of a pass in the form that the kernels of one set need. The contents are private to that
// set.
struct PackedCoefficients {
  int outputs = 0;
  int taps = 0;           // per output: single ones, pairs or fours
  bool windowed = false;  // horizontal: one load covers the taps of neighbouring outputs
  AlignedBuffer<int32_t> begin;
  AlignedBuffer<int32_t> count;
  AlignedBuffer<uint8_t> shuffles;
  AlignedBuffer<int32_t> weights;
};

struct ResampleKernels {
  void (*pack_horizontal)(const Coefficients&, PackedCoefficients*);
  // Computes all outputs of `rows` rows. Each row of `in` starts at source sample 0 of the coefficients.
  void (*horizontal)(const PackedCoefficients&, const uint8_t* in, ptrdiff_t in_stride, int rows,
                     uint8_t* out, ptrdiff_t out_stride);

  void (*pack_vertical)(const Coefficients&, PackedCoefficients*);
  // Computes output row `output` from the rows that it reads. rows[k] is source row begin[output] + k for
  // k < count[output], and any readable row from there to the largest count + kRowsBeyond.
  void (*vertical)(const PackedCoefficients&, int output, const uint8_t* const* rows, int width,
                   uint8_t* out);
};

constexpr int kRowsBeyond = 3;

// The reference in plain C++.
const ResampleKernels& scalar_resample_kernels();

// The set of the level kAvx512Icl. Defined for x86 only.
const ResampleKernels& avx512icl_resample_kernels();

// The set of the current simd_level().
const ResampleKernels& resample_kernels();

}  // namespace fastinet
