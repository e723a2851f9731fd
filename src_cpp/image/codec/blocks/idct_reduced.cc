#include "image/codec/blocks/idct_reduced.h"

#include <algorithm>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "image/codec/blocks/idct_reduced.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "image/codec/blocks/idct-inl.h"
#include "image/codec/jpeg/entropy_decoder.h"
#include "simd/dispatch.h"

HWY_BEFORE_NAMESPACE();
namespace fastinet::jpeg::HWY_NAMESPACE {
namespace {

#if HWY_TARGET == HWY_SCALAR

void row(int side, const int16_t* groups, int blocks, const uint16_t* quant, uint8_t* samples,
         ptrdiff_t stride) {
  idct_row_reduced_scalar(side, groups, blocks, quant, samples, stride);
}

#else

// One pass from eight inputs to `kSide` outputs, r[0] and following; the others become zero.
template <int kSide, int kShift>
HWY_INLINE void reduce(V16 (&r)[8]) {
  if constexpr (kSide == 4) {
    const Wide even = scale_and_bias<kShift, 14>(r[0]), even2 = rotate(r[2], r[6], 15137, -6270);
    const Wide odd0 = rotate(r[7], r[5], -4176, -4926) + rotate(r[3], r[1], 7373, 20995);
    const Wide odd1 = rotate(r[7], r[5], -1730, 11893) + rotate(r[3], r[1], -17799, 8697);
    const Wide outer = even + even2, inner = even - even2;
    r[0] = descale<kShift>(outer + odd0);
    r[1] = descale<kShift>(inner + odd1);
    r[2] = descale<kShift>(inner - odd1);
    r[3] = descale<kShift>(outer - odd0);
  } else {
    const Wide even = scale_and_bias<kShift, 15>(r[0]);
    const Wide odd = rotate(r[7], r[5], -5906, 6967) + rotate(r[3], r[1], -10426, 29692);
    r[0] = descale<kShift>(even + odd);
    r[1] = descale<kShift>(even - odd);
  }
  for (int i = kSide; i < 8; ++i) r[i] = hn::Zero(D16());
}

template <int kSide>
HWY_ATTR void row_of(const int16_t* groups, int blocks, const uint16_t* quant, uint8_t* samples,
                     ptrdiff_t stride) {
  constexpr int kExtraShift = kSide == 4 ? 1 : 2;
  const D16 d;
  const hn::Rebind<uint8_t, D16> d8;
  const int step = static_cast<int>(hn::Lanes(d)) / 8;
  const QuantRows table(quant);
  HWY_ALIGN uint8_t line[8 * kBlocksPerGroup];
  for (int block = 0; block < blocks; block += step) {
    V16 r[8];
    load(groups, block, table, r);
    reduce<kSide, 11 + kExtraShift>(r);
    transpose(r);
    reduce<kSide, 18 + kExtraShift>(r);
    transpose(r);
    for (int y = 0; y < kSide; ++y) {
      hn::Store(hn::DemoteTo(d8, hn::Add(r[y], hn::Set(d, 128))), d8, line);
      uint8_t* out = samples + y * stride + block * kSide;
      for (int b = 0; b < step; ++b) std::memcpy(out + b * kSide, line + 8 * b, kSide);
    }
  }
}

void row(int side, const int16_t* groups, int blocks, const uint16_t* quant, uint8_t* samples,
         ptrdiff_t stride) {
  (side == 4 ? row_of<4> : row_of<2>)(groups, blocks, quant, samples, stride);
}

#endif  // HWY_TARGET == HWY_SCALAR

}  // namespace
}  // namespace fastinet::jpeg::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fastinet::jpeg {
namespace {

HWY_EXPORT(row);

// Products and sums modulo 2^32, as vector lanes compute them.
uint32_t product(int a, int k) { return static_cast<uint32_t>(a) * static_cast<uint32_t>(k); }

int16_t descale(uint32_t a, int shift) {
  const int32_t rounded = static_cast<int32_t>(a + (1u << (shift - 1)));
  return static_cast<int16_t>(std::clamp(rounded >> shift, -32768, 32767));
}

// jidctred.c, one row or column of `side` outputs from in[0], in[step], ...
void reduce(int side, const int16_t* in, int step, int shift, int16_t* out) {
  const auto at = [&](int i) -> int { return in[i * step]; };
  if (side == 4) {
    const uint32_t even = product(at(0), 1 << 14), even2 = product(at(2), 15137) + product(at(6), -6270);
    const uint32_t odd0 =
        product(at(7), -4176) + product(at(5), -4926) + product(at(3), 7373) + product(at(1), 20995);
    const uint32_t odd1 =
        product(at(7), -1730) + product(at(5), 11893) + product(at(3), -17799) + product(at(1), 8697);
    out[0] = descale(even + even2 + odd0, shift);
    out[1] = descale(even - even2 + odd1, shift);
    out[2] = descale(even - even2 - odd1, shift);
    out[3] = descale(even + even2 - odd0, shift);
  } else {
    const uint32_t even = product(at(0), 1 << 15);
    const uint32_t odd =
        product(at(7), -5906) + product(at(5), 6967) + product(at(3), -10426) + product(at(1), 29692);
    out[0] = descale(even + odd, shift);
    out[1] = descale(even - odd, shift);
  }
}

}  // namespace

void idct_row_reduced_scalar(int side, const int16_t* groups, int blocks, const uint16_t* quant,
                             uint8_t* samples, ptrdiff_t stride) {
  const int extra_shift = side == 4 ? 1 : 2;
  for (int block = 0; block < blocks; ++block) {
    const int16_t* in = groups + block / kBlocksPerGroup * kGroupStride + block % kBlocksPerGroup * 8;
    int16_t dequantised[64], rows[4][8], line[4];
    for (int i = 0; i < 64; ++i) {
      dequantised[i] =
          static_cast<int16_t>(static_cast<uint16_t>(in[i / 8 * 8 * kBlocksPerGroup + i % 8] * quant[i]));
    }
    for (int u = 0; u < 8; ++u) {
      reduce(side, dequantised + u, 8, 11 + extra_shift, line);
      for (int y = 0; y < side; ++y) rows[y][u] = line[y];
    }
    for (int y = 0; y < side; ++y) {
      reduce(side, rows[y], 1, 18 + extra_shift, line);
      for (int x = 0; x < side; ++x) {
        samples[y * stride + block * side + x] = static_cast<uint8_t>(std::clamp(line[x] + 128, 0, 255));
      }
    }
  }
}

void idct_row_reduced(int side, const int16_t* groups, int blocks, const uint16_t* quant, uint8_t* samples,
                      ptrdiff_t stride) {
  FASTINET_DISPATCH(row, idct_row_reduced_scalar)(side, groups, blocks, quant, samples, stride);
}

}  // namespace fastinet::jpeg
#endif
