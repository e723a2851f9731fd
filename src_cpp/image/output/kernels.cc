// The kernels of the last write in Highway's portable vectors.
#include "image/output/kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "image/output/kernels.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
// After foreach_target.h.
#include "hwy/highway.h"
#include "simd/dispatch.h"

HWY_BEFORE_NAMESPACE();
namespace fastinet::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR

const OutputKernels& output_target_kernels() { return scalar_output_kernels(); }

#else
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using DU8 = hn::ScalableTag<uint8_t>;
using DF32 = hn::ScalableTag<float>;
using VF32 = hn::Vec<DF32>;

constexpr size_t kLanes = hn::MaxLanes(DF32());
constexpr size_t kStep = kLanes * Conversion::kPeriod;

HWY_ATTR void interleave(const uint8_t* r, const uint8_t* g, const uint8_t* b, size_t n, uint8_t* out) {
  const DU8 d;
  constexpr size_t kPixels = hn::MaxLanes(DU8());
  if (n < kPixels) return scalar_output_kernels().interleave(r, g, b, n, out);
  const auto step = [&](size_t i) HWY_ATTR {
    hn::StoreInterleaved3(hn::LoadU(d, r + i), hn::LoadU(d, g + i), hn::LoadU(d, b + i), d, out + 3 * i);
  };
  size_t i = 0;
  for (; i + kPixels <= n; i += kPixels) step(i);
  if (i < n) step(n - kPixels);  // overlaps the step before
}

HWY_ATTR void deinterleave(const uint8_t* rgb, size_t n, uint8_t* r, uint8_t* g, uint8_t* b) {
  const DU8 d;
  constexpr size_t kPixels = hn::MaxLanes(DU8());
  if (n < kPixels) return scalar_output_kernels().deinterleave(rgb, n, r, g, b);
  const auto step = [&](size_t i) HWY_ATTR {
    hn::Vec<DU8> red, green, blue;
    hn::LoadInterleaved3(d, rgb + 3 * i, red, green, blue);
    hn::StoreU(red, d, r + i);
    hn::StoreU(green, d, g + i);
    hn::StoreU(blue, d, b + i);
  };
  size_t i = 0;
  for (; i + kPixels <= n; i += kPixels) step(i);
  if (i < n) step(n - kPixels);  // overlaps the step before
}

// 1 / 255 in two parts, for x / 255 = x * high + x * low.
constexpr float kUnitHigh = static_cast<float>(1.0 / 255.0);
constexpr float kUnitLow = static_cast<float>(1.0 / 255.0 - double{kUnitHigh});

struct Phase {
  VF32 mean, inverse_high, inverse_low;
};

HWY_INLINE Phase load_phase(const Conversion& c, size_t phase) {
  const DF32 d;
  const size_t at = phase * kLanes;
  return {hn::LoadU(d, c.mean + at), hn::LoadU(d, c.inverse_high + at), hn::LoadU(d, c.inverse_low + at)};
}

HWY_INLINE VF32 convert(const uint8_t* in, const Phase& p) {
  const DF32 d;
  const hn::Rebind<uint8_t, DF32> d8;
  const hn::Rebind<int32_t, DF32> d32;
  const VF32 x = hn::ConvertTo(d, hn::PromoteTo(d32, hn::LoadU(d8, in)));
  const VF32 unit = hn::MulAdd(x, hn::Set(d, kUnitHigh), hn::Mul(x, hn::Set(d, kUnitLow)));
  const VF32 centered = hn::Sub(unit, p.mean);
  return hn::MulAdd(centered, p.inverse_high, hn::Mul(centered, p.inverse_low));
}

// Calls step(i, phase) for vectors that cover [0, n). The last three may overlap the ones before.
template <class Step>
HWY_INLINE void for_each_vector(size_t n, const Conversion& conversion, const Step& step) {
  const Phase first = load_phase(conversion, 0), second = load_phase(conversion, 1),
              third = load_phase(conversion, 2);
  const auto three = [&](size_t i) HWY_ATTR {
    step(i, first);
    step(i + kLanes, second);
    step(i + 2 * kLanes, third);
  };
  size_t i = 0;
  for (; i + kStep <= n; i += kStep) three(i);
  if (i < n) three(n - kStep);
}

HWY_ATTR void to_float(const uint8_t* in, size_t n, const Conversion& conversion, float* out) {
  if (n < kStep) return scalar_output_kernels().to_float(in, n, conversion, out);
  // A batch is much larger than the caches, and another thread reads it. Storing past the caches saves
  // reading each line before it is overwritten, which would cost a fifth of a sample's time.
  const bool aligned = reinterpret_cast<uintptr_t>(out) % (kLanes * sizeof(float)) == 0;
  for_each_vector(n, conversion, [&](size_t i, const Phase& phase) HWY_ATTR {
    if (aligned && i % kLanes == 0) {
      hn::Stream(convert(in + i, phase), DF32(), out + i);
    } else {
      hn::StoreU(convert(in + i, phase), DF32(), out + i);
    }
  });
}

HWY_ATTR void to_half(const uint8_t* in, size_t n, const Conversion& conversion, uint16_t* out) {
  if (n < kStep) return scalar_output_kernels().to_half(in, n, conversion, out);
  const hn::Rebind<hwy::float16_t, DF32> d16;
  const hn::Rebind<uint16_t, DF32> d_bits;
  for_each_vector(n, conversion, [&](size_t i, const Phase& phase) HWY_ATTR {
    hn::StoreU(hn::BitCast(d_bits, hn::DemoteTo(d16, convert(in + i, phase))), d_bits, out + i);
  });
}

}  // namespace

const OutputKernels& output_target_kernels() {
  static constexpr OutputKernels set = {interleave, deinterleave, to_float, to_half};
  return set;
}

#endif  // HWY_TARGET == HWY_SCALAR

}  // namespace fastinet::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fastinet {
namespace {

HWY_EXPORT(output_target_kernels);

}  // namespace

const OutputKernels& output_kernels() {
  return FASTINET_DISPATCH(output_target_kernels, scalar_output_kernels)();
}

}  // namespace fastinet
#endif  // HWY_ONCE
