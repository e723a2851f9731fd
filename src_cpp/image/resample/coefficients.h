// The weights of one axis of Pillow's resampling, exactly as libImaging/Resample.c's precompute_coeffs and
// normalize_coeffs_8bpc compute them, for those outputs only that a view needs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "image/geometry.h"

namespace fastinet {

// Fixed-point bits of a weight: 32 - 8 - 2, Pillow's PRECISION_BITS.
constexpr int kWeightBits = 22;

// One axis: `in` source samples become `out` samples, of which those in [first, last) are wanted.
struct Axis {
  int in = 0;
  int out = 0;
  int first = 0;
  int last = 0;
  bool reversed = false;  // the outputs are wanted last to first
  Interpolation interpolation = Interpolation::kBilinear;
  // The outputs divide the source's interval [begin, in - beyond) evenly: the two ends of the box that
  // Pillow's resize takes. Multiples of 1/4 in [0, 1).
  double begin = 0.0;
  double beyond = 0.0;

  int outputs() const { return last - first; }
  double extent() const { return in - beyond - begin; }
  bool resampled() const { return in != out || begin != 0.0 || beyond != 0.0; }
  bool operator==(const Axis&) const = default;
};

struct Interval {
  int begin = 0;
  int end = 0;
};

// The source samples that the wanted outputs read. REQUIRES: first < last.
Interval source_interval(const Axis& axis);

// Output i (in the wanted order) is the sum over k < count[i] of source[begin[i] + k] * weight(i)[k].
// Weights beyond count[i] are zero. An axis that is not resampled has the one weight 1 << kWeightBits.
struct Coefficients {
  int stride = 0;  // weights an output: the largest count
  std::vector<int32_t> begin;
  std::vector<int32_t> count;
  std::vector<int32_t> weights;

  int outputs() const { return static_cast<int>(begin.size()); }
  const int32_t* weight(int output) const { return &weights[static_cast<size_t>(output) * stride]; }
};

// Reuses the memory of `result`.
void compute_coefficients(const Axis& axis, Coefficients* result);

}  // namespace fastinet
