// The two passes for AVX-512 with VBMI and VNNI: one vpermb gathers four taps for each of 16 outputs, and one
// vpdpbusd multiplies and adds them all. Each weight is split into three signed bytes,
// weight = high * 65536 + middle * 256 + low, whose sums are exact modulo 2^32.
//
// Raw intrinsics, since Highway 1.0.3, the oldest that we support, has neither instruction: its byte lookups
// stay within blocks of 16 bytes, its SumOfMulQuadAccumulate came later, and its target AVX3_DL does not let
// the compiler use AVX-512 VNNI at all, so that no function of that target can.
#include "image/resample/kernels.h"

#if defined(__x86_64__) || defined(__i386__)

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // false alarm in GCC 12's intrinsics (its bug 105593)
#endif
#include <immintrin.h>

#include <algorithm>

#define FASTINET_ICL __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vnni")))

namespace fastinet {
namespace {

constexpr int kLanes = 16;  // outputs a vector
constexpr int kBytes = 64;
constexpr int kTaps = 4;  // of one output in a step
constexpr int kDigits = 3;
constexpr int kRun = 64;  // taps in a vector, if not windowed
constexpr int kHigh = 0, kMiddle = 1, kLow = 2;
constexpr int kHalfHigh = 1 << (kWeightBits - 1 - 16);  // the rounding term, in units of the high digit

int round_up(int value, int multiple) { return (value + multiple - 1) / multiple * multiple; }

// Three digits of four weights; one word holds a digit of all four.
struct Four {
  uint32_t digit[kDigits] = {0, 0, 0};
};

Four pack_four(const Coefficients& c, int output, int tap) {
  Four four;
  if (output >= c.outputs()) return four;
  const int taps = std::min(kTaps, c.stride - tap);
  for (int k = 0; k < taps; ++k) {
    int32_t rest = c.weight(output)[tap + k];
    for (int digit : {kLow, kMiddle, kHigh}) {
      const int8_t byte = static_cast<int8_t>(rest);
      four.digit[digit] |= static_cast<uint32_t>(static_cast<uint8_t>(byte)) << (8 * k);
      rest = (rest - byte) >> 8;
    }
  }
  return four;
}

// ---- horizontal ------------------------------------------------------------------------------------------
// Windowed: for each 16 outputs and each step of four taps, `begin` has the offset of the load and `weights`
// three vectors of digits. For each 16 outputs, `shuffles` has the indices of vpermb.
//
// Otherwise, if the outputs are too far apart for one load, they are computed one at a time, with vectors
// along the taps.

bool fits_windows(const Coefficients& c) {
  for (int i = 0; i < c.outputs(); i += kLanes) {
    const auto first = c.begin.begin() + i;
    const auto [low, high] = std::minmax_element(first, first + std::min(kLanes, c.outputs() - i));
    if (*high - *low + kTaps > kBytes) return false;
  }
  return true;
}

void pack_windows(const Coefficients& c, PackedCoefficients* packed) {
  const int n = c.outputs();
  const int vectors = round_up(n, kLanes) / kLanes;
  const int steps = round_up(c.stride, kTaps) / kTaps;
  packed->taps = steps;
  int32_t* offsets = packed->begin.reserve(static_cast<size_t>(vectors) * steps);
  uint8_t* shuffles = packed->shuffles.reserve(static_cast<size_t>(vectors) * kBytes);
  int32_t* weights = packed->weights.reserve(static_cast<size_t>(vectors) * steps * kDigits * kLanes);
  for (int first = 0; first < n; first += kLanes) {
    const int last = std::min(first + kLanes, n);
    int base = c.begin[first];
    int end = base;
    for (int i = first; i < last; ++i) {
      base = std::min(base, c.begin[i]);
      end = std::max(end, c.begin[i] + c.count[i]);
    }
    for (int i = first; i < first + kLanes; ++i) {
      const int at = i < n ? c.begin[i] - base : 0;
      for (int k = 0; k < kTaps; ++k) *shuffles++ = static_cast<uint8_t>(at + k);
    }
    for (int step = 0; step < steps; ++step, weights += kDigits * kLanes) {
      // A step that these outputs do not need has zero weights, but must not read beyond the row.
      *offsets++ = base + kTaps * step < end ? base + kTaps * step : base;
      for (int lane = 0; lane < kLanes; ++lane) {
        const Four four = pack_four(c, first + lane, kTaps * step);
        for (int d = 0; d < kDigits; ++d) weights[d * kLanes + lane] = static_cast<int32_t>(four.digit[d]);
      }
    }
  }
}

void pack_runs(const Coefficients& c, PackedCoefficients* packed) {
  const int n = c.outputs();
  packed->taps = round_up(c.stride, kRun);
  std::copy(c.begin.begin(), c.begin.end(), packed->begin.reserve(n));
  std::copy(c.count.begin(), c.count.end(), packed->count.reserve(n));
  int32_t* weights = packed->weights.reserve(static_cast<size_t>(n) * packed->taps / kTaps * kDigits);
  for (int i = 0; i < n; ++i) {
    for (int run = 0; run < packed->taps; run += kRun, weights += kDigits * kLanes) {
      for (int lane = 0; lane < kLanes; ++lane) {
        const int tap = run + kTaps * lane;
        const Four four = tap < c.stride ? pack_four(c, i, tap) : Four{};
        for (int d = 0; d < kDigits; ++d) weights[d * kLanes + lane] = static_cast<int32_t>(four.digit[d]);
      }
    }
  }
}

void pack_horizontal(const Coefficients& c, PackedCoefficients* packed) {
  packed->outputs = c.outputs();
  packed->windowed = fits_windows(c);
  packed->windowed ? pack_windows(c, packed) : pack_runs(c, packed);
}

// The sums of the three digits.
struct Sums {
  __m512i high, middle, low;
};

FASTINET_ICL inline Sums zero_sums() {
  return {_mm512_set1_epi32(kHalfHigh), _mm512_setzero_si512(), _mm512_setzero_si512()};
}

FASTINET_ICL inline void add(Sums& sums, __m512i taps, __m512i high, __m512i middle, __m512i low) {
  sums.high = _mm512_dpbusd_epi32(sums.high, taps, high);
  sums.middle = _mm512_dpbusd_epi32(sums.middle, taps, middle);
  sums.low = _mm512_dpbusd_epi32(sums.low, taps, low);
}

FASTINET_ICL inline __m512i total(const Sums& s) {
  const __m512i upper = _mm512_add_epi32(_mm512_slli_epi32(s.high, 8), s.middle);
  return _mm512_add_epi32(_mm512_slli_epi32(upper, 8), s.low);
}

FASTINET_ICL inline __m512i finish(const Sums& s) { return _mm512_srai_epi32(total(s), kWeightBits); }

// For kSteps steps of four taps, or for any number if that is 0.
template <int kSteps>
FASTINET_ICL void windows(const PackedCoefficients& packed, const uint8_t* in, ptrdiff_t in_stride, int rows,
                          uint8_t* out, ptrdiff_t out_stride) {
  const int steps = kSteps == 0 ? packed.taps : kSteps;
  const int32_t* offsets = packed.begin.data();
  const uint8_t* shuffles = packed.shuffles.data();
  const __m512i* weights = reinterpret_cast<const __m512i*>(packed.weights.data());
  for (int i = 0; i < packed.outputs; i += kLanes) {
    const __m512i shuffle = _mm512_load_si512(shuffles);
    const uint8_t* source = in;
    uint8_t* to = out + i;
    for (int row = 0; row < rows; ++row, source += in_stride, to += out_stride) {
      Sums sums = zero_sums();
      for (int step = 0; step < steps; ++step) {
        const __m512i taps = _mm512_permutexvar_epi8(shuffle, _mm512_loadu_si512(source + offsets[step]));
        const __m512i* w = weights + kDigits * step;
        add(sums, taps, w[kHigh], w[kMiddle], w[kLow]);
      }
      const __m512i pixels = _mm512_max_epi32(finish(sums), _mm512_setzero_si512());
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtusepi32_epi8(pixels));
    }
    offsets += steps;
    shuffles += kBytes;
    weights += kDigits * steps;
  }
}

FASTINET_ICL void runs(const PackedCoefficients& packed, const uint8_t* in, ptrdiff_t in_stride, int rows,
                       uint8_t* out, ptrdiff_t out_stride) {
  const int vectors = packed.taps / kRun * kDigits;
  for (int i = 0; i < packed.outputs; ++i) {
    const uint8_t* source = in + packed.begin.data()[i];
    uint8_t* to = out + i;
    const int count = packed.count.data()[i];
    for (int row = 0; row < rows; ++row, source += in_stride, to += out_stride) {
      const __m512i* w =
          reinterpret_cast<const __m512i*>(packed.weights.data()) + static_cast<ptrdiff_t>(i) * vectors;
      Sums sums{_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
      for (int k = 0; k < count; k += kRun, w += kDigits) {
        add(sums, _mm512_loadu_si512(source + k), w[kHigh], w[kMiddle], w[kLow]);
      }
      const int32_t sum = _mm512_reduce_add_epi32(total(sums));
      *to = static_cast<uint8_t>(std::clamp((sum + (1 << (kWeightBits - 1))) >> kWeightBits, 0, 255));
    }
  }
}

void horizontal(const PackedCoefficients& packed, const uint8_t* in, ptrdiff_t in_stride, int rows,
                uint8_t* out, ptrdiff_t out_stride) {
  const auto pass = !packed.windowed   ? runs
                    : packed.taps == 1 ? windows<1>
                    : packed.taps == 2 ? windows<2>
                                       : windows<0>;
  pass(packed, in, in_stride, rows, out, out_stride);
}

// ---- vertical --------------------------------------------------------------------------------------------
// `weights` has, for each output and each step of four taps, the three digits of the four weights.

void pack_vertical(const Coefficients& c, PackedCoefficients* packed) {
  const int steps = round_up(c.stride, kTaps) / kTaps;
  packed->outputs = c.outputs();
  packed->taps = steps;
  std::copy(c.count.begin(), c.count.end(), packed->count.reserve(c.count.size()));
  int32_t* weights = packed->weights.reserve(static_cast<size_t>(c.outputs()) * steps * kDigits);
  for (int i = 0; i < c.outputs(); ++i) {
    for (int step = 0; step < steps; ++step) {
      const Four four = pack_four(c, i, kTaps * step);
      for (int d = 0; d < kDigits; ++d) *weights++ = static_cast<int32_t>(four.digit[d]);
    }
  }
}

FASTINET_ICL void vertical(const PackedCoefficients& packed, int output, const uint8_t* const* rows,
                           int width, uint8_t* out) {
  const int32_t* const weights =
      packed.weights.data() + static_cast<ptrdiff_t>(output) * packed.taps * kDigits;
  const int steps = (packed.count.data()[output] + kTaps - 1) / kTaps;
  for (int x = 0; x < width; x += kBytes) {
    Sums sums[4] = {zero_sums(), zero_sums(), zero_sums(), zero_sums()};
    for (int step = 0; step < steps; ++step) {
      const uint8_t* const* row = rows + kTaps * step;
      const __m512i a = _mm512_loadu_si512(row[0] + x);
      const __m512i b = _mm512_loadu_si512(row[1] + x);
      const __m512i c = _mm512_loadu_si512(row[2] + x);
      const __m512i d = _mm512_loadu_si512(row[3] + x);
      const __m512i ab_lower = _mm512_unpacklo_epi8(a, b), ab_upper = _mm512_unpackhi_epi8(a, b);
      const __m512i cd_lower = _mm512_unpacklo_epi8(c, d), cd_upper = _mm512_unpackhi_epi8(c, d);
      const __m512i high = _mm512_set1_epi32(weights[kDigits * step + kHigh]);
      const __m512i middle = _mm512_set1_epi32(weights[kDigits * step + kMiddle]);
      const __m512i low = _mm512_set1_epi32(weights[kDigits * step + kLow]);
      add(sums[0], _mm512_unpacklo_epi16(ab_lower, cd_lower), high, middle, low);
      add(sums[1], _mm512_unpackhi_epi16(ab_lower, cd_lower), high, middle, low);
      add(sums[2], _mm512_unpacklo_epi16(ab_upper, cd_upper), high, middle, low);
      add(sums[3], _mm512_unpackhi_epi16(ab_upper, cd_upper), high, middle, low);
    }
    const __m512i first = _mm512_packs_epi32(finish(sums[0]), finish(sums[1]));
    const __m512i second = _mm512_packs_epi32(finish(sums[2]), finish(sums[3]));
    _mm512_storeu_si512(out + x, _mm512_packus_epi16(first, second));
  }
}

}  // namespace

const ResampleKernels& avx512icl_resample_kernels() {
  static constexpr ResampleKernels kernels = {pack_horizontal, horizontal, pack_vertical, vertical};
  return kernels;
}

}  // namespace fastinet

#endif  // x86
