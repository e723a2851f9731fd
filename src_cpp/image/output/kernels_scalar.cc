#include <bit>

#include "image/output/kernels.h"

namespace fastinet {
namespace {

void interleave(const uint8_t* r, const uint8_t* g, const uint8_t* b, size_t n, uint8_t* out) {
  for (size_t i = 0; i < n; ++i) {
    out[3 * i] = r[i];
    out[3 * i + 1] = g[i];
    out[3 * i + 2] = b[i];
  }
}

void deinterleave(const uint8_t* rgb, size_t n, uint8_t* r, uint8_t* g, uint8_t* b) {
  for (size_t i = 0; i < n; ++i) {
    r[i] = rgb[3 * i];
    g[i] = rgb[3 * i + 1];
    b[i] = rgb[3 * i + 2];
  }
}

void to_float(const uint8_t* in, size_t n, const Conversion& conversion, float* out) {
  for (size_t i = 0; i < n; ++i) out[i] = conversion.table[i % Conversion::kPeriod][in[i]];
}

void to_half(const uint8_t* in, size_t n, const Conversion& conversion, uint16_t* out) {
  for (size_t i = 0; i < n; ++i) out[i] = half_from_float(conversion.table[i % Conversion::kPeriod][in[i]]);
}

}  // namespace

const OutputKernels& scalar_output_kernels() {
  static constexpr OutputKernels kernels = {interleave, deinterleave, to_float, to_half};
  return kernels;
}

uint16_t half_from_float(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = bits >> 16 & 0x8000;
  const uint32_t magnitude = bits & 0x7fffffff;
  uint32_t half;
  if (magnitude >= 0x7f800000) {
    half = magnitude > 0x7f800000 ? 0x7e00 : 0x7c00;
  } else if (magnitude >= 0x47800000) {  // 65536 and beyond
    half = 0x7c00;
  } else if (magnitude >= 0x38800000) {  // normal: 2^-14 and beyond; a carry may reach infinity, as it should
    half = (magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1)) >> 13;
  } else {  // subnormal: adding 0.5 leaves the value in units of 2^-24 in the low bits, rounded to even
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    half = std::bit_cast<uint32_t>(shifted) - 0x3f000000;
  }
  return static_cast<uint16_t>(sign | half);
}

}  // namespace fastinet
