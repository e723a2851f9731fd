#include <algorithm>

#include "image/resample/kernels.h"

namespace fastinet {
namespace {

uint8_t finish(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> kWeightBits, 0, 255)); }

void pack(const Coefficients& c, PackedCoefficients* packed) {
  packed->outputs = c.outputs();
  packed->taps = c.stride;
  std::copy(c.begin.begin(), c.begin.end(), packed->begin.reserve(c.begin.size()));
  std::copy(c.count.begin(), c.count.end(), packed->count.reserve(c.count.size()));
  std::copy(c.weights.begin(), c.weights.end(), packed->weights.reserve(c.weights.size()));
}

void horizontal(const PackedCoefficients& packed, const uint8_t* in, ptrdiff_t in_stride, int rows,
                uint8_t* out, ptrdiff_t out_stride) {
  for (int row = 0; row < rows; ++row, in += in_stride, out += out_stride) {
    for (int i = 0; i < packed.outputs; ++i) {
      const uint8_t* source = in + packed.begin.data()[i];
      const int32_t* weights = packed.weights.data() + static_cast<ptrdiff_t>(i) * packed.taps;
      int32_t sum = 1 << (kWeightBits - 1);
      for (int k = 0; k < packed.count.data()[i]; ++k) sum += source[k] * weights[k];
      out[i] = finish(sum);
    }
  }
}

void vertical(const PackedCoefficients& packed, int output, const uint8_t* const* rows, int width,
              uint8_t* out) {
  const int count = packed.count.data()[output];
  const int32_t* weights = packed.weights.data() + static_cast<ptrdiff_t>(output) * packed.taps;
  for (int x = 0; x < width; ++x) {
    int32_t sum = 1 << (kWeightBits - 1);
    for (int k = 0; k < count; ++k) sum += rows[k][x] * weights[k];
    out[x] = finish(sum);
  }
}

}  // namespace

const ResampleKernels& scalar_resample_kernels() {
  static constexpr ResampleKernels kernels = {pack, horizontal, pack, vertical};
  return kernels;
}

}  // namespace fastinet
