// The inner loops of the last write, one set a SIMD level. No kernel writes outside of its `n` elements.
// Stores may be non-temporal: hwy::FlushStream() comes before another thread is told of them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fastinet {

// What happens to a pixel x of a channel on its way to float: ((x / 255) - mean) / std, each operation
// rounded to float32. A division by d is x * high + x * low with high + low = 1 / d to 48 bits, fused; that
// this gives the rounded quotient is verified for all 256 pixels before a kernel is used (writer.cc),
// and the table is what holds otherwise. The arrays repeat a period of three channels (or one channel, three
// times) far enough that a vector can be loaded at any phase.
struct Conversion {
  static constexpr int kPeriod = 3;
  static constexpr int kEntries = 64;
  const float* table[kPeriod];  // the 256 results by definition, one table a phase
  alignas(64) float mean[kEntries];
  alignas(64) float inverse_high[kEntries];
  alignas(64) float inverse_low[kEntries];
};

struct OutputKernels {
  // out = r0 g0 b0 r1 g1 b1 ...; 3 n bytes.
  void (*interleave)(const uint8_t* r, const uint8_t* g, const uint8_t* b, size_t n, uint8_t* out);
  // The inverse: 3 n bytes to planes of n.
  void (*deinterleave)(const uint8_t* rgb, size_t n, uint8_t* r, uint8_t* g, uint8_t* b);
  // out[i] = conversion of in[i] at phase i % 3. REQUIRES: n is a multiple of 3, or the phases are alike. A
  // float16 is given as its bits.
  void (*to_float)(const uint8_t* in, size_t n, const Conversion&, float* out);
  void (*to_half)(const uint8_t* in, size_t n, const Conversion&, uint16_t* out);
};

// The reference, in plain C++: looks up the tables.
const OutputKernels& scalar_output_kernels();

// The set of the current simd_level().
const OutputKernels& output_kernels();

// Rounds to nearest even; the bits of the float16.
uint16_t half_from_float(float value);

}  // namespace fastinet
