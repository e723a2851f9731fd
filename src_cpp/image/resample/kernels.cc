// The two passes in Highway's portable vectors. Weights of 22 bits do not fit a 16-bit multiply-add, so each
// is split into weight = high * 65536 + low, where both halves have 16 signed bits. The sums of each half are
// exact modulo 2^32, and so is their total.
#include "image/resample/kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "image/resample/kernels.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
// After foreach_target.h.
#include <algorithm>
#include <cstring>

#include "hwy/highway.h"
#include "simd/dispatch.h"
#include "simd/pairwise-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fastinet::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR

const ResampleKernels& resample_target_kernels() { return scalar_resample_kernels(); }

#elif HWY_TARGET == HWY_AVX3_DL

const ResampleKernels& resample_target_kernels() { return avx512icl_resample_kernels(); }

#else
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using DU8 = hn::ScalableTag<uint8_t>;
using DI16 = hn::ScalableTag<int16_t>;
using DI32 = hn::ScalableTag<int32_t>;
using VU8 = hn::Vec<DU8>;
using VI16 = hn::Vec<DI16>;
using VI32 = hn::Vec<DI32>;

constexpr int kBytes = static_cast<int>(hn::MaxLanes(DU8()));
constexpr int kLanes = static_cast<int>(hn::MaxLanes(DI32()));  // outputs a vector
constexpr int kBlock = 4;                                       // outputs a 16-byte block
constexpr int kBlockBytes = 16;
constexpr int kPair = 2;

int round_up(int value, int multiple) { return (value + multiple - 1) / multiple * multiple; }

struct Halves {
  uint16_t low;
  uint16_t high;
};

Halves split(int32_t weight) {
  const int16_t low = static_cast<int16_t>(weight);
  return {static_cast<uint16_t>(low), static_cast<uint16_t>((weight - low) >> 16)};
}

int32_t join(uint16_t even, uint16_t odd) {
  return static_cast<int32_t>(even | static_cast<uint32_t>(odd) << 16);
}

int32_t weight_or_zero(const Coefficients& c, int output, int tap) {
  return output < c.outputs() && tap < c.stride ? c.weight(output)[tap] : 0;
}

// Writes the low halves of two neighbouring weights to *low and the high ones to *high.
void pack_pair(const Coefficients& c, int output, int tap, int32_t* low, int32_t* high) {
  const Halves even = split(weight_or_zero(c, output, tap));
  const Halves odd = split(weight_or_zero(c, output, tap + 1));
  *low = join(even.low, odd.low);
  *high = join(even.high, odd.high);
}

// Returns the total of the two halves' sums, rounded and shifted down, but not yet clamped.
HWY_INLINE VI32 finish(VI32 low, VI32 high) {
  const VI32 half = hn::Set(DI32(), 1 << (kWeightBits - 1));
  return hn::ShiftRight<kWeightBits>(hn::Add(hn::Add(low, half), hn::ShiftLeft<16>(high)));
}

// Clamps to bytes: in each block the lanes of a, then those of b. Raw intrinsics, since Highway 1.0.3, the
// oldest that we support, narrows two vectors to 16-bit lanes only; its DemoteTo takes a permutation more.
HWY_INLINE VU8 pack_bytes(VI16 a, VI16 b) {
#if HWY_TARGET == HWY_AVX3
  return VU8{_mm512_packus_epi16(a.raw, b.raw)};
#elif HWY_TARGET == HWY_AVX2
  return VU8{_mm256_packus_epi16(a.raw, b.raw)};
#else
  static_assert(kBytes == kBlockBytes);
  const hn::Half<DU8> half;
  return hn::Combine(DU8(), hn::DemoteTo(half, b), hn::DemoteTo(half, a));
#endif
}

// Loads the 16 bytes of each block from offsets[0], offsets[1], ...
template <class D>
HWY_INLINE hn::Vec<D> load_blocks(D d, const uint8_t* in, const int32_t* offsets) {
  if constexpr (hn::MaxLanes(D()) == kBlockBytes) {
    return hn::LoadU(d, in + offsets[0]);
  } else {
    const hn::Half<D> half;
    constexpr size_t kBlocks = hn::MaxLanes(D()) / kBlockBytes / 2;
    return hn::Combine(d, load_blocks(half, in, offsets + kBlocks), load_blocks(half, in, offsets));
  }
}

// ---- horizontal ------------------------------------------------------------------------------------------
// Windowed: the four outputs of a block are so close together that 16 bytes hold a pair of taps of each. For
// each vector of outputs and each pair of taps, `begin` has the offsets of the blocks' loads, and `weights`
// the low halves, then the high ones. `shuffles` moves the bytes of each pair, zero-extended, to the output's
// lane.
//
// Otherwise, if the source is more than about four times as large, the outputs are computed one at a time,
// with vectors along the taps.

bool fits_windows(const Coefficients& c) {
  for (int i = 0; i < c.outputs(); i += kBlock) {
    const auto first = c.begin.begin() + i;
    const auto [low, high] = std::minmax_element(first, std::min(first + kBlock, c.begin.end()));
    if (*high - *low + kPair > kBlockBytes) return false;
  }
  return true;
}

void pack_windows(const Coefficients& c, PackedCoefficients* packed) {
  const int n = c.outputs();
  const int padded = round_up(n, kLanes);
  const int pairs = round_up(c.stride, kPair) / kPair;
  packed->taps = pairs;
  int32_t* offsets = packed->begin.reserve(static_cast<size_t>(padded / kBlock) * pairs);
  uint8_t* shuffles = packed->shuffles.reserve(static_cast<size_t>(padded) * 4);
  int32_t* weights = packed->weights.reserve(static_cast<size_t>(padded) * pairs * 2);
  for (int vector = 0; vector < padded; vector += kLanes) {
    for (int block = 0; block < kLanes / kBlock; ++block) {
      const int first = vector + block * kBlock;
      const int last = std::min(first + kBlock, n);
      // A block beyond the last output reads what that one does: source sample 0 may be before the row.
      int base = c.begin[std::min(first, n - 1)];
      int end = base;
      for (int i = first; i < last; ++i) {
        base = std::min(base, c.begin[i]);
        end = std::max(end, c.begin[i] + c.count[i]);
      }
      for (int i = first; i < first + kBlock; ++i, shuffles += 4) {
        const int at = i < n ? c.begin[i] - base : 0;
        shuffles[0] = static_cast<uint8_t>(at);
        shuffles[2] = static_cast<uint8_t>(at + 1);
        shuffles[1] = shuffles[3] = 0x80;
      }
      // A pair that the block does not need has zero weights, but must not read beyond the row.
      for (int p = 0; p < pairs; ++p) {
        offsets[p * (kLanes / kBlock) + block] = base + kPair * p < end ? base + kPair * p : base;
      }
    }
    offsets += pairs * (kLanes / kBlock);
    for (int p = 0; p < pairs; ++p, weights += 2 * kLanes) {
      for (int lane = 0; lane < kLanes; ++lane) {
        pack_pair(c, vector + lane, kPair * p, &weights[lane], &weights[kLanes + lane]);
      }
    }
  }
}

constexpr int kRun = static_cast<int>(hn::MaxLanes(DI16()));  // taps in a vector, if not windowed

void pack_runs(const Coefficients& c, PackedCoefficients* packed) {
  const int n = c.outputs();
  packed->taps = round_up(c.stride, kRun);
  std::copy(c.begin.begin(), c.begin.end(), packed->begin.reserve(n));
  std::copy(c.count.begin(), c.count.end(), packed->count.reserve(n));
  int32_t* weights = packed->weights.reserve(static_cast<size_t>(n) * packed->taps);
  for (int i = 0; i < n; ++i) {
    for (int run = 0; run < packed->taps; run += kRun, weights += 2 * kLanes) {
      for (int lane = 0; lane < kLanes; ++lane) {
        pack_pair(c, i, run + kPair * lane, &weights[lane], &weights[kLanes + lane]);
      }
    }
  }
}

void pack_horizontal(const Coefficients& c, PackedCoefficients* packed) {
  packed->outputs = c.outputs();
  packed->windowed = fits_windows(c);
  packed->windowed ? pack_windows(c, packed) : pack_runs(c, packed);
}

// For kPairs pairs of taps, or for any number if that is 0.
template <int kPairs>
HWY_ATTR void windows(const PackedCoefficients& packed, const uint8_t* in, ptrdiff_t in_stride, int rows,
                      uint8_t* out, ptrdiff_t out_stride) {
  const DU8 d8;
  const DI16 d16;
  const DI32 d32;
  const hn::Rebind<uint8_t, DI32> d_out;
  const int pairs = kPairs == 0 ? packed.taps : kPairs;
  constexpr int kBlocks = kLanes / kBlock;
  const int32_t* offsets = packed.begin.data();
  const uint8_t* shuffles = packed.shuffles.data();
  const int32_t* weights = packed.weights.data();
  for (int i = 0; i < packed.outputs; i += kLanes) {
    const VU8 shuffle = hn::Load(d8, shuffles);
    const uint8_t* source = in;
    uint8_t* to = out + i;
    const auto sum = [&](int p, VI32& low, VI32& high) HWY_ATTR {
      const VI16 taps =
          hn::BitCast(d16, hn::TableLookupBytesOr0(load_blocks(d8, source, offsets + p * kBlocks), shuffle));
      low = hn::Add(low, mul_add_pairs(taps, hn::BitCast(d16, hn::Load(d32, weights + 2 * p * kLanes))));
      high =
          hn::Add(high, mul_add_pairs(taps, hn::BitCast(d16, hn::Load(d32, weights + (2 * p + 1) * kLanes))));
    };
    for (int row = 0; row < rows; ++row, source += in_stride, to += out_stride) {
      VI32 low = hn::Zero(d32);
      VI32 high = hn::Zero(d32);
      if constexpr (kPairs > 0) sum(0, low, high);
      if constexpr (kPairs > 1) sum(1, low, high);
      if constexpr (kPairs > 2) sum(2, low, high);
      if constexpr (kPairs == 0) {
        for (int p = 0; p < pairs; ++p) sum(p, low, high);
      }
      hn::StoreU(hn::DemoteTo(d_out, finish(low, high)), d_out, to);
    }
    offsets += pairs * kBlocks;
    shuffles += kBytes;
    weights += 2 * pairs * kLanes;
  }
}

HWY_ATTR void runs(const PackedCoefficients& packed, const uint8_t* in, ptrdiff_t in_stride, int rows,
                   uint8_t* out, ptrdiff_t out_stride) {
  const DI16 d16;
  const DI32 d32;
  const hn::Rebind<uint8_t, DI16> d_in;
  for (int i = 0; i < packed.outputs; ++i) {
    const uint8_t* source = in + packed.begin.data()[i];
    uint8_t* to = out + i;
    const int count = packed.count.data()[i];
    for (int row = 0; row < rows; ++row, source += in_stride, to += out_stride) {
      const int32_t* weights = packed.weights.data() + static_cast<ptrdiff_t>(i) * packed.taps;
      VI32 low = hn::Zero(d32);
      VI32 high = hn::Zero(d32);
      for (int k = 0; k < count; k += kRun, weights += 2 * kLanes) {
        const VI16 taps = hn::PromoteTo(d16, hn::LoadU(d_in, source + k));
        low = hn::Add(low, mul_add_pairs(taps, hn::BitCast(d16, hn::Load(d32, weights))));
        high = hn::Add(high, mul_add_pairs(taps, hn::BitCast(d16, hn::Load(d32, weights + kLanes))));
      }
      const int32_t total = hn::GetLane(hn::SumOfLanes(d32, hn::Add(low, hn::ShiftLeft<16>(high))));
      *to = static_cast<uint8_t>(std::clamp((total + (1 << (kWeightBits - 1))) >> kWeightBits, 0, 255));
    }
  }
}

void horizontal(const PackedCoefficients& packed, const uint8_t* in, ptrdiff_t in_stride, int rows,
                uint8_t* out, ptrdiff_t out_stride) {
  const auto pass = !packed.windowed   ? runs
                    : packed.taps == 1 ? windows<1>
                    : packed.taps == 2 ? windows<2>
                    : packed.taps == 3 ? windows<3>
                                       : windows<0>;
  pass(packed, in, in_stride, rows, out, out_stride);
}

// ---- vertical --------------------------------------------------------------------------------------------
// `weights` has, for each output and each pair of taps, the low halves of the pair and then the high ones.

void pack_vertical(const Coefficients& c, PackedCoefficients* packed) {
  const int pairs = round_up(c.stride, kPair) / kPair;
  packed->outputs = c.outputs();
  packed->taps = pairs;
  std::copy(c.count.begin(), c.count.end(), packed->count.reserve(c.count.size()));
  int32_t* weights = packed->weights.reserve(static_cast<size_t>(c.outputs()) * pairs * 2);
  for (int i = 0; i < c.outputs(); ++i) {
    for (int p = 0; p < pairs; ++p, weights += 2) pack_pair(c, i, kPair * p, &weights[0], &weights[1]);
  }
}

struct Columns {
  VI32 sum[4];
};

HWY_INLINE void add_products(Columns& columns, VU8 lower, VU8 upper, VI16 weights) {
  const DU8 d8;
  const DI16 d16;
  const VU8 zero = hn::Zero(d8);
  const auto add = [&](int i, VU8 pairs) HWY_ATTR {
    columns.sum[i] = hn::Add(columns.sum[i], mul_add_pairs(hn::BitCast(d16, pairs), weights));
  };
  add(0, hn::InterleaveLower(d8, lower, zero));
  add(1, hn::InterleaveUpper(d8, lower, zero));
  add(2, hn::InterleaveLower(d8, upper, zero));
  add(3, hn::InterleaveUpper(d8, upper, zero));
}

HWY_ATTR void vertical(const PackedCoefficients& packed, int output, const uint8_t* const* rows, int width,
                       uint8_t* out) {
  const DU8 d8;
  const DI16 d16;
  const DI32 d32;
  const int32_t* const weights = packed.weights.data() + static_cast<ptrdiff_t>(output) * packed.taps * 2;
  const int pairs = (packed.count.data()[output] + 1) / kPair;
  for (int x = 0; x < width; x += kBytes) {
    const VI32 zero = hn::Zero(d32);
    Columns low{{zero, zero, zero, zero}};
    Columns high = low;
    for (int p = 0; p < pairs; ++p) {
      const VU8 even = hn::LoadU(d8, rows[2 * p] + x);
      const VU8 odd = hn::LoadU(d8, rows[2 * p + 1] + x);
      const VU8 lower = hn::InterleaveLower(d8, even, odd);
      const VU8 upper = hn::InterleaveUpper(d8, even, odd);
      add_products(low, lower, upper, hn::BitCast(d16, hn::Set(d32, weights[2 * p])));
      add_products(high, lower, upper, hn::BitCast(d16, hn::Set(d32, weights[2 * p + 1])));
    }
    const VI16 first =
        hn::ReorderDemote2To(d16, finish(low.sum[0], high.sum[0]), finish(low.sum[1], high.sum[1]));
    const VI16 second =
        hn::ReorderDemote2To(d16, finish(low.sum[2], high.sum[2]), finish(low.sum[3], high.sum[3]));
    hn::StoreU(pack_bytes(first, second), d8, out + x);
  }
}

}  // namespace

const ResampleKernels& resample_target_kernels() {
  static constexpr ResampleKernels set = {pack_horizontal, horizontal, pack_vertical, vertical};
  return set;
}

#endif  // HWY_TARGET == HWY_SCALAR

}  // namespace fastinet::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fastinet {
namespace {

HWY_EXPORT(resample_target_kernels);

}  // namespace

const ResampleKernels& resample_kernels() {
  return FASTINET_DISPATCH(resample_target_kernels, scalar_resample_kernels)();
}

}  // namespace fastinet
#endif  // HWY_ONCE
