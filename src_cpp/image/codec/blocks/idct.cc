#include "image/codec/blocks/idct.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "image/codec/blocks/idct.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "image/codec/blocks/idct-inl.h"
#include "image/codec/jpeg/entropy_decoder.h"
#include "simd/dispatch.h"

HWY_BEFORE_NAMESPACE();
namespace fastinet::jpeg::HWY_NAMESPACE {
namespace {

#if HWY_TARGET == HWY_SCALAR

bool inverse_dct(const int16_t* groups, int blocks, const uint16_t* quant, uint8_t* samples,
                 ptrdiff_t stride) {
  return idct_row_scalar(groups, blocks, quant, samples, stride);
}

#else

// One pass over the eight inputs r[0..7]. The constants are jidctint.c's, in 13-bit fixed point, gathered so
// that each product pair has its own: what that file adds up in z1..z5 is folded into them.
template <int kShift>
HWY_INLINE void pass(V16 (&r)[8]) {
  const Wide even2 = rotate(r[2], r[6], 4433, 4433 - 15137);
  const Wide even3 = rotate(r[2], r[6], 4433 + 6270, 4433);
  const Wide even0 = scale_and_bias<kShift>(hn::Add(r[0], r[4]));
  const Wide even1 = scale_and_bias<kShift>(hn::Sub(r[0], r[4]));
  const Wide e0 = even0 + even3, e3 = even0 - even3;
  const Wide e1 = even1 + even2, e2 = even1 - even2;

  const V16 z3 = hn::Add(r[7], r[3]), z4 = hn::Add(r[5], r[1]);
  const Wide w3 = rotate(z3, z4, 9633 - 16069, 9633);
  const Wide w4 = rotate(z3, z4, 9633, 9633 - 3196);
  const Wide o0 = rotate(r[7], r[1], 2446 - 7373, -7373) + w3;
  const Wide o1 = rotate(r[5], r[3], 16819 - 20995, -20995) + w4;
  const Wide o2 = rotate(r[5], r[3], -20995, 25172 - 20995) + w3;
  const Wide o3 = rotate(r[7], r[1], -7373, 12299 - 7373) + w4;

  r[0] = descale<kShift>(e0 + o3);
  r[7] = descale<kShift>(e0 - o3);
  r[1] = descale<kShift>(e1 + o2);
  r[6] = descale<kShift>(e1 - o2);
  r[2] = descale<kShift>(e2 + o1);
  r[5] = descale<kShift>(e2 - o1);
  r[3] = descale<kShift>(e3 + o0);
  r[4] = descale<kShift>(e3 - o0);
}

HWY_ATTR bool inverse_dct(const int16_t* groups, int blocks, const uint16_t* quant, uint8_t* samples,
                          ptrdiff_t stride) {
  const D16 d;
  const hn::Rebind<uint8_t, D16> d8;
  const int step = static_cast<int>(hn::Lanes(d)) / 8;
  const QuantRows table(quant);
  V16 low = hn::Zero(d), high = hn::Zero(d);
  for (int block = 0; block < blocks; block += step) {
    V16 r[8];
    load(groups, block, table, r);
    low = hn::Min(low, r[0]);
    high = hn::Max(high, r[0]);
    pass<11>(r);
    transpose(r);
    pass<18>(r);
    transpose(r);
    uint8_t* out = samples + block * 8;
    for (int v = 0; v < 8; ++v)
      hn::StoreU(hn::DemoteTo(d8, hn::Add(r[v], hn::Set(d, 128))), d8, out + v * stride);
  }
  const auto outside = hn::Or(hn::Lt(low, hn::Set(d, -8192)), hn::Gt(high, hn::Set(d, 8191)));
  return hn::AllFalse(d, outside);
}

#endif  // HWY_TARGET == HWY_SCALAR

}  // namespace
}  // namespace fastinet::jpeg::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fastinet::jpeg {
namespace {

HWY_EXPORT(inverse_dct);

int16_t wrap16(int a) { return static_cast<int16_t>(static_cast<uint16_t>(a)); }

// Products and sums modulo 2^32, as vector lanes compute them.
uint32_t product(int a, int k) { return static_cast<uint32_t>(a) * static_cast<uint32_t>(k); }

int16_t descale(uint32_t a, int shift) {
  return static_cast<int16_t>(std::clamp(static_cast<int32_t>(a) >> shift, -32768, 32767));
}

// jidctint.c, one row or column: in[0], in[step], ... to out.
void pass(const int16_t* in, int step, int shift, int16_t* out) {
  const auto at = [&](int i) -> int { return in[i * step]; };
  const uint32_t bias = 1u << (shift - 1);
  const uint32_t z1 = product(at(2) + at(6), 4433);
  const uint32_t even2 = z1 + product(at(6), -15137), even3 = z1 + product(at(2), 6270);
  const uint32_t even0 = product(wrap16(at(0) + at(4)), 1 << 13) + bias;
  const uint32_t even1 = product(wrap16(at(0) - at(4)), 1 << 13) + bias;

  const int z3 = wrap16(at(7) + at(3)), z4 = wrap16(at(5) + at(1));
  const uint32_t z5 = product(z3, 9633) + product(z4, 9633);
  const uint32_t w3 = z5 + product(z3, -16069), w4 = z5 + product(z4, -3196);
  const uint32_t z71 = product(at(7) + at(1), -7373), z53 = product(at(5) + at(3), -20995);
  const uint32_t o0 = product(at(7), 2446) + z71 + w3, o1 = product(at(5), 16819) + z53 + w4;
  const uint32_t o2 = product(at(3), 25172) + z53 + w3, o3 = product(at(1), 12299) + z71 + w4;

  const uint32_t e[4] = {even0 + even3, even1 + even2, even1 - even2, even0 - even3};
  const uint32_t o[4] = {o3, o2, o1, o0};
  for (int i = 0; i < 4; ++i) {
    out[i] = descale(e[i] + o[i], shift);
    out[7 - i] = descale(e[i] - o[i], shift);
  }
}

}  // namespace

bool idct_row_scalar(const int16_t* groups, int blocks, const uint16_t* quant, uint8_t* samples,
                     ptrdiff_t stride) {
  bool in_range = true;
  for (int block = 0; block < blocks; ++block) {
    const int16_t* in = groups + block / kBlocksPerGroup * kGroupStride + block % kBlocksPerGroup * 8;
    int16_t dequantised[64], rows[64], line[8];
    for (int v = 0; v < 8; ++v) {
      const int16_t* row_in = in + v * 8 * kBlocksPerGroup;
      for (int u = 0; u < 8; ++u) dequantised[v * 8 + u] = wrap16(row_in[u] * quant[v * 8 + u]);
    }
    for (int u = 0; u < 8; ++u) {
      in_range = in_range && dequantised[u] >= -8192 && dequantised[u] <= 8191;
      pass(dequantised + u, 8, 11, line);
      for (int y = 0; y < 8; ++y) rows[y * 8 + u] = line[y];
    }
    for (int y = 0; y < 8; ++y) {
      pass(rows + y * 8, 1, 18, line);
      for (int x = 0; x < 8; ++x) {
        samples[y * stride + block * 8 + x] = static_cast<uint8_t>(std::clamp(line[x] + 128, 0, 255));
      }
    }
  }
  return in_range;
}

bool idct_row(const int16_t* groups, int blocks, const uint16_t* quant, uint8_t* samples, ptrdiff_t stride) {
  return FASTINET_DISPATCH(inverse_dct, idct_row_scalar)(groups, blocks, quant, samples, stride);
}

}  // namespace fastinet::jpeg
#endif
