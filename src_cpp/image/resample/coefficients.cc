#include "image/resample/coefficients.h"

#include <algorithm>
#include <cmath>

namespace fastinet {
namespace {

// Pillow's bilinear_filter and bicubic_filter (a = -0.5), operation by operation.
struct Bilinear {
  static constexpr double kSupport = 1.0;
  static double weight(double x) {
    x = std::fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
  }
};

struct Bicubic {
  static constexpr double kSupport = 2.0;
  static constexpr double kA = -0.5;
  static double weight(double x) {
    x = std::fabs(x);
    if (x < 1.0) return ((kA + 2.0) * x - (kA + 3.0)) * x * x + 1;
    if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * kA;
    return 0.0;
  }
};

// The position of each output's filter in the source.
struct Placement {
  double begin;
  double scale;
  double filter_scale;
  double support;
  int in;

  Placement(const Axis& axis, double filter_support) : begin(axis.begin), in(axis.in) {
    filter_scale = scale = axis.extent() / axis.out;
    if (filter_scale < 1.0) filter_scale = 1.0;
    support = filter_support * filter_scale;
  }
  double center(int output) const { return begin + (output + 0.5) * scale; }
  Interval interval(double center) const {
    return {std::max(0, static_cast<int>(center - support + 0.5)),
            std::min(in, static_cast<int>(center + support + 0.5))};
  }
};

// Rounds half away from zero.
int32_t fixed_point(double weight) {
  const double scaled = weight * (1 << kWeightBits);
  return static_cast<int32_t>(weight < 0 ? -0.5 + scaled : 0.5 + scaled);
}

template <class Filter>
void compute(const Axis& axis, Coefficients* result) {
  const Placement placement(axis, Filter::kSupport);
  const int n = axis.outputs();
  result->begin.resize(n);
  result->count.resize(n);
  int stride = 0;
  for (int i = 0; i < n; ++i) {
    const Interval interval =
        placement.interval(placement.center(axis.reversed ? axis.last - 1 - i : axis.first + i));
    result->begin[i] = interval.begin;
    result->count[i] = interval.end - interval.begin;
    stride = std::max(stride, result->count[i]);
  }
  result->stride = stride;
  result->weights.assign(static_cast<size_t>(n) * stride, 0);

  const double inverse = 1.0 / placement.filter_scale;
  std::vector<double> raw(stride);
  for (int i = 0; i < n; ++i) {
    const double center = placement.center(axis.reversed ? axis.last - 1 - i : axis.first + i);
    const int begin = result->begin[i];
    const int count = result->count[i];
    double sum = 0.0;
    for (int k = 0; k < count; ++k) {
      raw[k] = Filter::weight((k + begin - center + 0.5) * inverse);
      sum += raw[k];
    }
    int32_t* weights = &result->weights[static_cast<size_t>(i) * stride];
    for (int k = 0; k < count; ++k) weights[k] = fixed_point(sum != 0.0 ? raw[k] / sum : raw[k]);
  }
}

void compute_identity(const Axis& axis, Coefficients* result) {
  const int n = axis.outputs();
  result->stride = 1;
  result->begin.resize(n);
  for (int i = 0; i < n; ++i) result->begin[i] = axis.reversed ? axis.last - 1 - i : axis.first + i;
  result->count.assign(n, 1);
  result->weights.assign(n, 1 << kWeightBits);
}

}  // namespace

Interval source_interval(const Axis& axis) {
  if (!axis.resampled()) return {axis.first, axis.last};
  const bool bicubic = axis.interpolation == Interpolation::kBicubic;
  const Placement placement(axis, bicubic ? Bicubic::kSupport : Bilinear::kSupport);
  return {placement.interval(placement.center(axis.first)).begin,
          placement.interval(placement.center(axis.last - 1)).end};
}

void compute_coefficients(const Axis& axis, Coefficients* result) {
  if (!axis.resampled()) {
    compute_identity(axis, result);
  } else if (axis.interpolation == Interpolation::kBicubic) {
    compute<Bicubic>(axis, result);
  } else {
    compute<Bilinear>(axis, result);
  }
}

}  // namespace fastinet
