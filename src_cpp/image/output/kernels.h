// The inner loops of the last write, one set for each SIMD level. No kernel writes outside of its `n`
// elements. Stores may be non-temporal: call hwy::FlushStream() before another thread may read the result.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fastinet {

// How pixels become floats: ((x / 255) - mean) / std, with each operation rounded to float32. Kernels divide
// by d as x * high + x * low, fused, where high + low is 1 / d to 48 bits. OutputWriter verifies for all 256
// pixels that this gives the rounded quotient, and uses the scalar kernels, which look up `table`, if it does
// not.
//
// The arrays repeat the period of three channels (or one channel three times) far enough that a vector can be
// loaded at each phase of the period.
struct Conversion {
  static constexpr int kPeriod = 3;
  static constexpr int kEntries = 64;
  const float* table[kPeriod];  // the 256 exact results for each phase
  alignas(64) float mean[kEntries];
  alignas(64) float inverse_high[kEntries];
  alignas(64) float inverse_low[kEntries];
};

struct OutputKernels {
  // out = r0 g0 b0 r1 g1 b1 ...; 3 n bytes.
  void (*interleave)(const uint8_t* r, const uint8_t* g, const uint8_t* b, size_t n, uint8_t* out);
  // The inverse: 3 n bytes to planes of n.
  void (*deinterleave)(const uint8_t* rgb, size_t n, uint8_t* r, uint8_t* g, uint8_t* b);
  // out[i] is the conversion of in[i] at phase i % 3; a float16 is written as its bits. REQUIRES: n is a
  // multiple of 3, or the three phases are equal.
  void (*to_float)(const uint8_t* in, size_t n, const Conversion&, float* out);
  void (*to_half)(const uint8_t* in, size_t n, const Conversion&, uint16_t* out);
};

// The reference in plain C++, which looks up the tables.
const OutputKernels& scalar_output_kernels();

// The set of the current simd_level().
const OutputKernels& output_kernels();

// Returns the bits of the float16 that is nearest to `value`, ties to even.
uint16_t half_from_float(float value);

}  // namespace fastinet
