#include "image/codec/blocks/upsample.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "image/codec/blocks/upsample.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/dispatch.h"

HWY_BEFORE_NAMESPACE();
namespace fastinet::jpeg::HWY_NAMESPACE {
namespace {

#if HWY_TARGET == HWY_SCALAR

void h2v1(const uint8_t* in, size_t count, uint8_t* out) { upsample_h2v1_scalar(in, count, out); }

void h1v2(const uint8_t* near, const uint8_t* far, bool below, size_t count, uint8_t* out) {
  upsample_h1v2_scalar(near, far, below, count, out);
}

void h2v2(const uint8_t* near, const uint8_t* far, size_t count, uint8_t* out) {
  upsample_h2v2_scalar(near, far, count, out);
}

#else

namespace hn = hwy::HWY_NAMESPACE;

// At most kRowPadding / 2 lanes, so that a step reads or writes no more than kRowPadding bytes.
using D16 = hn::CappedTag<uint16_t, kRowPadding / 2>;
using D8 = hn::Rebind<uint8_t, D16>;
using V16 = hn::VFromD<D16>;

HWY_INLINE V16 widened(const uint8_t* in) { return hn::PromoteTo(D16(), hn::LoadU(D8(), in)); }

HWY_INLINE V16 times3(V16 a) { return hn::Add(a, hn::Add(a, a)); }

// Bytes even[0], odd[0], even[1], odd[1], ... of lanes that hold bytes.
HWY_INLINE void store_interleaved(V16 even, V16 odd, uint8_t* out) {
  const hn::Repartition<uint8_t, D16> d8;
  hn::StoreU(hn::BitCast(d8, hn::Or(even, hn::ShiftLeft<8>(odd))), d8, out);
}

HWY_ATTR void h2v1(const uint8_t* in, size_t count, uint8_t* out) {
  const D16 d;
  for (size_t i = 0; i < count; i += hn::Lanes(d)) {
    const V16 near = times3(widened(in + i));
    const V16 even = hn::Add(near, hn::Add(widened(in + i - 1), hn::Set(d, 1)));
    const V16 odd = hn::Add(near, hn::Add(widened(in + i + 1), hn::Set(d, 2)));
    store_interleaved(hn::ShiftRight<2>(even), hn::ShiftRight<2>(odd), out + 2 * i);
  }
}

HWY_ATTR void h1v2(const uint8_t* near, const uint8_t* far, bool below, size_t count, uint8_t* out) {
  const D16 d;
  const V16 bias = hn::Set(d, below ? 2 : 1);
  for (size_t i = 0; i < count; i += hn::Lanes(d)) {
    const V16 sum = hn::Add(times3(widened(near + i)), hn::Add(widened(far + i), bias));
    hn::StoreU(hn::DemoteTo(D8(), hn::BitCast(hn::RebindToSigned<D16>(), hn::ShiftRight<2>(sum))), D8(),
               out + i);
  }
}

HWY_ATTR void h2v2(const uint8_t* near, const uint8_t* far, size_t count, uint8_t* out) {
  const D16 d;
  const auto column = [&](size_t i, int offset) HWY_ATTR {
    return hn::Add(times3(widened(near + i + offset)), widened(far + i + offset));
  };
  for (size_t i = 0; i < count; i += hn::Lanes(d)) {
    const V16 middle = times3(column(i, 0));
    const V16 even = hn::Add(middle, hn::Add(column(i, -1), hn::Set(d, 8)));
    const V16 odd = hn::Add(middle, hn::Add(column(i, 1), hn::Set(d, 7)));
    store_interleaved(hn::ShiftRight<4>(even), hn::ShiftRight<4>(odd), out + 2 * i);
  }
}

#endif  // HWY_TARGET == HWY_SCALAR

}  // namespace
}  // namespace fastinet::jpeg::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fastinet::jpeg {
namespace {

HWY_EXPORT(h2v1);
HWY_EXPORT(h1v2);
HWY_EXPORT(h2v2);

}  // namespace

void upsample_h2v1(const uint8_t* in, size_t count, uint8_t* out) {
  FASTINET_DISPATCH(h2v1, upsample_h2v1_scalar)(in, count, out);
}

void upsample_h1v2(const uint8_t* near, const uint8_t* far, bool below, size_t count, uint8_t* out) {
  FASTINET_DISPATCH(h1v2, upsample_h1v2_scalar)(near, far, below, count, out);
}

void upsample_h2v2(const uint8_t* near, const uint8_t* far, size_t count, uint8_t* out) {
  FASTINET_DISPATCH(h2v2, upsample_h2v2_scalar)(near, far, count, out);
}

void upsample_h2v1_scalar(const uint8_t* in, size_t count, uint8_t* out) {
  for (size_t i = 0; i < count; ++i) {
    out[2 * i] = static_cast<uint8_t>((3 * in[i] + in[static_cast<ptrdiff_t>(i) - 1] + 1) >> 2);
    out[2 * i + 1] = static_cast<uint8_t>((3 * in[i] + in[i + 1] + 2) >> 2);
  }
}

void upsample_h1v2_scalar(const uint8_t* near, const uint8_t* far, bool below, size_t count, uint8_t* out) {
  const int bias = below ? 2 : 1;
  for (size_t i = 0; i < count; ++i) out[i] = static_cast<uint8_t>((3 * near[i] + far[i] + bias) >> 2);
}

void upsample_h2v2_scalar(const uint8_t* near, const uint8_t* far, size_t count, uint8_t* out) {
  const auto column = [&](ptrdiff_t i) { return 3 * near[i] + far[i]; };
  for (size_t i = 0; i < count; ++i) {
    const ptrdiff_t x = static_cast<ptrdiff_t>(i);
    out[2 * i] = static_cast<uint8_t>((3 * column(x) + column(x - 1) + 8) >> 4);
    out[2 * i + 1] = static_cast<uint8_t>((3 * column(x) + column(x + 1) + 7) >> 4);
  }
}

}  // namespace fastinet::jpeg
#endif
