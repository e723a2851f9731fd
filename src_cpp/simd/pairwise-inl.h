// Multiplication of 16-bit lanes with the two products of each pair added to one 32-bit lane (x86's pmaddwd),
// for fixed-point arithmetic. Raw intrinsics, since Highway 1.0.3, the oldest that we support, has no
// operation for it that keeps the order of the lanes; later versions call it WidenMulPairwiseAdd. Included
// once for each target.
#if defined(FASTINET_SIMD_PAIRWISE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FASTINET_SIMD_PAIRWISE_INL_H_
#undef FASTINET_SIMD_PAIRWISE_INL_H_
#else
#define FASTINET_SIMD_PAIRWISE_INL_H_
#endif

#include "hwy/highway.h"

#if HWY_TARGET != HWY_SCALAR
HWY_BEFORE_NAMESPACE();
namespace fastinet::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Lane i of the result is a[2i] * b[2i] + a[2i + 1] * b[2i + 1], modulo 2^32.
template <class V16, class D32 = hn::RepartitionToWide<hn::DFromV<V16>>>
HWY_INLINE hn::VFromD<D32> mul_add_pairs(V16 a, V16 b) {
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
  return hn::VFromD<D32>{_mm512_madd_epi16(a.raw, b.raw)};
#elif HWY_TARGET == HWY_AVX2
  return hn::VFromD<D32>{_mm256_madd_epi16(a.raw, b.raw)};
#elif HWY_TARGET == HWY_SSE4 || HWY_TARGET == HWY_SSSE3
  return hn::VFromD<D32>{_mm_madd_epi16(a.raw, b.raw)};
#elif HWY_TARGET == HWY_NEON && HWY_ARCH_ARM_A64
  return hn::VFromD<D32>(
      vpaddq_s32(vmull_s16(vget_low_s16(a.raw), vget_low_s16(b.raw)), vmull_high_s16(a.raw, b.raw)));
#else
  const D32 d32;
  const auto even = [&](V16 v)
                        HWY_ATTR { return hn::ShiftRight<16>(hn::ShiftLeft<16>(hn::BitCast(d32, v))); };
  const auto odd = [&](V16 v) HWY_ATTR { return hn::ShiftRight<16>(hn::BitCast(d32, v)); };
  return hn::Add(hn::Mul(even(a), even(b)), hn::Mul(odd(a), odd(b)));
#endif
}

// A constant operand of mul_add_pairs: `low` in the even lanes, `high` in the odd ones.
template <class D16>
HWY_INLINE hn::VFromD<D16> pair_constant(D16 d16, int low, int high) {
  const hn::RepartitionToWide<D16> d32;
  const uint32_t both = (static_cast<uint32_t>(high) << 16) | (static_cast<uint32_t>(low) & 0xFFFF);
  return hn::BitCast(d16, hn::Set(d32, static_cast<int32_t>(both)));
}

}  // namespace fastinet::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR

#endif  // FASTINET_SIMD_PAIRWISE_INL_H_
