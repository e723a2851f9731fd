// The weights of one axis of Pillow's resampling, computed exactly as precompute_coeffs and
// normalize_coeffs_8bpc of libImaging/Resample.c do, but only for the outputs that a view needs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "image/geometry.h"

namespace fastinet {

// Fixed-point bits of a weight: 32 - 8 - 2, Pillow's PRECISION_BITS.
constexpr int kWeightBits = 22;

// One axis of a resize from `in` source samples to `out` outputs, of which [first, last) are needed.
struct Axis {
  int in = 0;
  int out = 0;
  int first = 0;
  int last = 0;
  bool reversed = false;  // the outputs are in the order last - 1, ..., first
  Interpolation interpolation = Interpolation::kBilinear;
  // The outputs divide the interval [begin, in - beyond) of the source evenly, which is the `box` argument of
  // Pillow's resize. Both are multiples of 1/4 in [0, 1).
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

// Returns the source samples that the needed outputs read. REQUIRES: first < last.
Interval source_interval(const Axis& axis);

// Output i, in the axis's order, is the sum over k < count[i] of source[begin[i] + k] * weight(i)[k]. Weights
// from count[i] on are zero. An axis that is not resampled has a single weight, 1 << kWeightBits, per output.
struct Coefficients {
  int stride = 0;  // weights per output: the largest count
  std::vector<int32_t> begin;
  std::vector<int32_t> count;
  std::vector<int32_t> weights;

  int outputs() const { return static_cast<int>(begin.size()); }
  const int32_t* weight(int output) const { return &weights[static_cast<size_t>(output) * stride]; }
};

// Computes the coefficients of `axis` into `result`, whose memory is reused.
void compute_coefficients(const Axis& axis, Coefficients* result);

}  // namespace fastinet
