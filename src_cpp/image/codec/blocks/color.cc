#include "image/codec/blocks/color.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "image/codec/blocks/color.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "image/codec/blocks/upsample.h"
#include "simd/dispatch.h"
#include "simd/pairwise-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fastinet::jpeg::HWY_NAMESPACE {
namespace {

#if HWY_TARGET == HWY_SCALAR

void ycc_row(const uint8_t* y, const uint8_t* cb, const uint8_t* cr, size_t count, uint8_t* r, uint8_t* g,
             uint8_t* b) {
  ycc_to_rgb_scalar(y, cb, cr, count, r, g, b);
}

#else

namespace hn = hwy::HWY_NAMESPACE;
using fastinet::HWY_NAMESPACE::mul_add_pairs;
using fastinet::HWY_NAMESPACE::pair_constant;

using DU8 = hn::CappedTag<uint8_t, kRowPadding>;
using DU16 = hn::RepartitionToWide<DU8>;
using DI16 = hn::RebindToSigned<DU16>;
using V = hn::VFromD<DI16>;

struct Rgb {
  V r, g, b;
};

// The bytes of a row as 16-bit lanes, those at even positions and those at odd ones: to take them apart and
// to put them together costs a mask and a shift.
struct Samples {
  V even, odd;
};

HWY_INLINE Samples load(const uint8_t* in) {
  const DU16 d;
  const auto both = hn::BitCast(d, hn::LoadU(DU8(), in));
  return {hn::BitCast(DI16(), hn::And(both, hn::Set(d, 0xFF))), hn::BitCast(DI16(), hn::ShiftRight<8>(both))};
}

HWY_INLINE void store(V even, V odd, uint8_t* out) {
  const DI16 d;
  const auto clamped = [&](V v) HWY_ATTR { return hn::Min(hn::Max(v, hn::Zero(d)), hn::Set(d, 255)); };
  const V both = hn::Or(clamped(even), hn::ShiftLeft<8>(clamped(odd)));
  hn::StoreU(hn::BitCast(DU8(), both), DU8(), out);
}

// (2 * a * k / 65536 + 1) / 2, each quotient rounded down: a * k / 65536 rounded to nearest.
HWY_INLINE V scaled(V a, int k) {
  const V product = hn::MulHigh(hn::Add(a, a), hn::Set(DI16(), static_cast<int16_t>(k)));
  return hn::ShiftRight<1>(hn::Add(product, hn::Set(DI16(), 1)));
}

// The factors of jdcolor.c in units of 2^-16; integers are split off so that the rest fits in 16 bits:
// 1.402 = 1 + 26345, 1.772 = 2 - 14942, 0.71414 = 1 - 18734, and 22554 for 0.34414.
HWY_INLINE Rgb convert(V y, V cb, V cr) {
  const DI16 d;
  const hn::RepartitionToWide<DI16> d32;
  cb = hn::Sub(cb, hn::Set(d, 128));
  cr = hn::Sub(cr, hn::Set(d, 128));
  const V factors = pair_constant(d, -22554, 18734);
  const auto half = hn::Set(d32, 1 << 15);
  const auto low = hn::Add(mul_add_pairs(hn::InterleaveLower(d, cb, cr), factors), half);
  const auto high = hn::Add(mul_add_pairs(hn::InterleaveUpper(d, cb, cr), factors), half);
  const V green = hn::ReorderDemote2To(d, hn::ShiftRight<16>(low), hn::ShiftRight<16>(high));
  return {hn::Add(y, hn::Add(cr, scaled(cr, 26345))), hn::Add(y, hn::Sub(green, cr)),
          hn::Add(y, hn::Add(hn::Add(cb, cb), scaled(cb, -14942)))};
}

HWY_ATTR void ycc_row(const uint8_t* y, const uint8_t* cb, const uint8_t* cr, size_t count, uint8_t* r,
                      uint8_t* g, uint8_t* b) {
  for (size_t x = 0; x < count; x += hn::Lanes(DU8())) {
    const Samples ys = load(y + x), cbs = load(cb + x), crs = load(cr + x);
    const Rgb even = convert(ys.even, cbs.even, crs.even), odd = convert(ys.odd, cbs.odd, crs.odd);
    store(even.r, odd.r, r + x);
    store(even.g, odd.g, g + x);
    store(even.b, odd.b, b + x);
  }
}

#endif  // HWY_TARGET == HWY_SCALAR

}  // namespace
}  // namespace fastinet::jpeg::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fastinet::jpeg {
namespace {

HWY_EXPORT(ycc_row);

uint8_t clamped(int v) { return static_cast<uint8_t>(std::clamp(v, 0, 255)); }

}  // namespace

void ycc_to_rgb(const uint8_t* y, const uint8_t* cb, const uint8_t* cr, size_t count, uint8_t* r, uint8_t* g,
                uint8_t* b) {
  FASTINET_DISPATCH(ycc_row, ycc_to_rgb_scalar)(y, cb, cr, count, r, g, b);
}

void ycc_to_rgb_scalar(const uint8_t* y, const uint8_t* cb, const uint8_t* cr, size_t count, uint8_t* r,
                       uint8_t* g, uint8_t* b) {
  constexpr int kHalf = 1 << 15;
  for (size_t x = 0; x < count; ++x) {
    const int luma = y[x], blue = cb[x] - 128, red = cr[x] - 128;
    r[x] = clamped(luma + ((91881 * red + kHalf) >> 16));
    g[x] = clamped(luma + ((-22554 * blue - 46802 * red + kHalf) >> 16));
    b[x] = clamped(luma + ((116130 * blue + kHalf) >> 16));
  }
}

}  // namespace fastinet::jpeg
#endif
