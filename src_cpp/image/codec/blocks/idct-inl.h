// What the inverse DCTs share: vectors of neighbouring blocks (a block's row fills 128 bits), their products
// and sums, and the transposition between the passes. Included once for each target.
#if defined(FASTINET_IMAGE_JPEG_IDCT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FASTINET_IMAGE_JPEG_IDCT_INL_H_
#undef FASTINET_IMAGE_JPEG_IDCT_INL_H_
#else
#define FASTINET_IMAGE_JPEG_IDCT_INL_H_
#endif

#include <cstdint>
#include <cstring>

#include "hwy/highway.h"
#include "image/codec/jpeg/entropy_decoder.h"
#include "simd/pairwise-inl.h"

#if HWY_TARGET != HWY_SCALAR
HWY_BEFORE_NAMESPACE();
namespace fastinet::jpeg::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using fastinet::HWY_NAMESPACE::mul_add_pairs;
using fastinet::HWY_NAMESPACE::pair_constant;

// As many blocks side by side as a vector holds, at most a group.
using D16 = hn::CappedTag<int16_t, 8 * kBlocksPerGroup>;
using D32 = hn::RepartitionToWide<D16>;
using V16 = hn::VFromD<D16>;
using V32 = hn::VFromD<D32>;

// Both halves of a vector of 16-bit lanes once they are widened to 32.
struct Wide {
  V32 low, high;
};

HWY_INLINE Wide operator+(Wide a, Wide b) { return {hn::Add(a.low, b.low), hn::Add(a.high, b.high)}; }
HWY_INLINE Wide operator-(Wide a, Wide b) { return {hn::Sub(a.low, b.low), hn::Sub(a.high, b.high)}; }

// a * ka + b * kb
HWY_INLINE Wide rotate(V16 a, V16 b, int ka, int kb) {
  const V16 k = pair_constant(D16(), ka, kb);
  return {mul_add_pairs(hn::InterleaveLower(D16(), a, b), k),
          mul_add_pairs(hn::InterleaveUpper(D16(), a, b), k)};
}

// a << kBits (13 or more), and the constant that makes the last shift round.
template <int kShift, int kBits = 13>
HWY_INLINE Wide scale_and_bias(V16 a) {
  const V32 bias = hn::Set(D32(), 1 << (kShift - 1));
  const V16 zero = hn::Zero(D16());
  const auto widen = [&](V16 v) HWY_ATTR {
    return hn::Add(hn::ShiftRight<16 - kBits>(hn::BitCast(D32(), v)), bias);
  };
  return {widen(hn::InterleaveLower(D16(), zero, a)), widen(hn::InterleaveUpper(D16(), zero, a))};
}

template <int kShift>
HWY_INLINE V16 descale(Wide a) {
  return hn::ReorderDemote2To(D16(), hn::ShiftRight<kShift>(a.low), hn::ShiftRight<kShift>(a.high));
}

template <class T>
HWY_INLINE V16 interleave_lower(V16 a, V16 b) {
  const hn::Repartition<T, D16> d;
  return hn::BitCast(D16(), hn::InterleaveLower(d, hn::BitCast(d, a), hn::BitCast(d, b)));
}
template <class T>
HWY_INLINE V16 interleave_upper(V16 a, V16 b) {
  const hn::Repartition<T, D16> d;
  return hn::BitCast(D16(), hn::InterleaveUpper(d, hn::BitCast(d, a), hn::BitCast(d, b)));
}

// Each 8x8 block on its own; a block's row fills 128 bits.
HWY_INLINE void transpose(V16 (&r)[8]) {
  V16 a[8], b[8];
  for (int i = 0; i < 4; ++i) {
    a[2 * i] = interleave_lower<int16_t>(r[2 * i], r[2 * i + 1]);
    a[2 * i + 1] = interleave_upper<int16_t>(r[2 * i], r[2 * i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {
    b[i] = interleave_lower<int32_t>(a[i], a[i + 2]);
    b[i + 1] = interleave_upper<int32_t>(a[i], a[i + 2]);
    b[i + 2] = interleave_lower<int32_t>(a[i + 1], a[i + 3]);
    b[i + 3] = interleave_upper<int32_t>(a[i + 1], a[i + 3]);
  }
  for (int i = 0; i < 4; ++i) {
    r[2 * i] = interleave_lower<int64_t>(b[i], b[i + 4]);
    r[2 * i + 1] = interleave_upper<int64_t>(b[i], b[i + 4]);
  }
}

// The quantisation table for load(): each row of it once a block.
struct QuantRows {
  HWY_ALIGN int16_t row[8][8 * kBlocksPerGroup];

  explicit QuantRows(const uint16_t* quant) {
    for (int v = 0; v < 8; ++v) {
      for (int b = 0; b < kBlocksPerGroup; ++b) std::memcpy(row[v] + 8 * b, quant + 8 * v, 16);
    }
  }
};

// The eight rows of the blocks from number `block` on, dequantised.
HWY_INLINE void load(const int16_t* groups, int block, const QuantRows& quant, V16 (&r)[8]) {
  const int16_t* in = groups + block / kBlocksPerGroup * kGroupStride + block % kBlocksPerGroup * 8;
  for (int v = 0; v < 8; ++v) {
    r[v] = hn::Mul(hn::Load(D16(), in + v * 8 * kBlocksPerGroup), hn::Load(D16(), quant.row[v]));
  }
}

}  // namespace fastinet::jpeg::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR

#endif  // FASTINET_IMAGE_JPEG_IDCT_INL_H_
