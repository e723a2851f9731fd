#include "image/codec/jpeg/baseline_decoder.h"

#include <algorithm>

#include "base/aligned_buffer.h"
#include "image/codec/blocks/color.h"
#include "image/codec/blocks/idct.h"
#include "image/codec/blocks/idct_reduced.h"
#include "image/codec/blocks/upsample.h"
#include "image/codec/jpeg/entropy_decoder.h"

namespace fastinet::jpeg {
namespace {

constexpr int kBlock = 8;
constexpr size_t kMaxPlaneBytes = size_t{1} << 30;
static_assert(kRowPadding >= Planes::kReadPadding);

int round_up(int value, int unit) { return (value + unit - 1) / unit * unit; }

// First and last of the samples that an interval of pixels depends on.
struct Span {
  int first, last;
};

// In a component whose samples are `factor` (1 or 2) pixels apart and `count` in all: a pixel of a doubled
// direction takes the sample it lies in and that sample's neighbour on the pixel's side.
Span samples_for(int begin, int end, int factor, int count) {
  if (factor == 1) return {begin, end - 1};
  return {std::max((begin - 1) >> 1, 0), std::min(end / 2, count - 1)};
}

// Samples of one component: row y, column x of the whole image's component at origin[y * stride + x], for the
// rows and columns of the window.
class SamplePlane {
 public:
  // Covers rows [top, top + height) and columns [left, left + width) with kRowPadding on either side of a
  // row. The contents are unspecified. False: too large.
  bool reset(int top, int left, int height, int width) {
    stride_ = round_up(width + 2 * static_cast<int>(kRowPadding), static_cast<int>(kRowPadding));
    const size_t size = static_cast<size_t>(stride_) * height + kRowPadding;
    if (size > kMaxPlaneBytes) return false;
    memory_.reserve(size);
    top_ = top;
    left_ = left;
    return true;
  }

  uint8_t* at(int y, int x) { return memory_.data() + kRowPadding + (y - top_) * stride_ + (x - left_); }
  ptrdiff_t stride() const { return stride_; }

 private:
  AlignedBuffer<uint8_t> memory_;
  ptrdiff_t stride_ = 0;
  int top_ = 0, left_ = 0;
};

// One component of the image being decoded.
struct Channel {
  int h = 1, v = 1;           // blocks of one MCU, across and down
  int block = kBlock;         // samples of a block, in each direction
  int across = 1, down = 1;   // pixels a sample, in each direction
  int width = 0, height = 0;  // samples in the whole image
  Span rows{}, columns{};     // of samples that the region needs
  const uint16_t* quant = nullptr;
  SamplePlane* samples = nullptr;
  bool doubled() const { return across * down > 1; }
};

}  // namespace

struct BaselineDecoder::Impl {
  EntropyDecoder entropy;
  SamplePlane full[kMaxComponents];  // a sample a pixel: components as they are or upsampled, then RGB
  SamplePlane half[kMaxComponents];  // components that wait to be upsampled
  Channel channels[kMaxComponents];
  McuWindow window;

  int mcu_height = 0;  // in pixels of the image at 1/scale

  bool plan(const Header& header, const Rect& region, int scale);
  bool transform(const Header& header, int mcu_row);
  void finish_row(const Header& header, const Rect& region, int y);
};

// Fills channels and window and makes room. False: the image is not for us.
bool BaselineDecoder::Impl::plan(const Header& header, const Rect& region, int scale) {
  const int count = header.components;
  mcu_height = header.mcu_height / scale;
  const int mcu_width = header.mcu_width / scale;
  window = {header.mcu_rows, 0, header.mcu_columns, 0};
  for (int c = 0; c < count; ++c) {
    const Component& component = header.component[c];
    Channel& channel = channels[c];
    channel.h = component.h;
    channel.v = component.v;
    channel.block = kBlock / scale;
    channel.across = mcu_width / (channel.block * component.h);
    channel.down = mcu_height / (channel.block * component.v);
    // As libjpeg does, rather reduce a component less than upsample it.
    if (scale > 1 && channel.across == 2 && channel.down == 2) {
      channel.block *= 2;
      channel.across = channel.down = 1;
    }
    channel.width = round_up(header.size.width, scale * channel.across) / (scale * channel.across);
    channel.height = round_up(header.size.height, scale * channel.down) / (scale * channel.down);
    // libjpeg-turbo does not filter rows of one or two samples
    if (channel.across == 2 && channel.width <= 2) return false;
    channel.rows = samples_for(region.top, region.bottom(), channel.down, channel.height);
    channel.columns = samples_for(region.left, region.right(), channel.across, channel.width);
    channel.quant = component.quant.data();
    const int rows = channel.block * channel.v, columns = channel.block * channel.h;  // of one MCU
    window.top = std::min(window.top, channel.rows.first / rows);
    window.bottom = std::max(window.bottom, channel.rows.last / rows + 1);
    window.left = std::min(window.left, channel.columns.first / columns);
    window.right = std::max(window.right, channel.columns.last / columns + 1);
  }
  const int mcu_rows = window.bottom - window.top, mcu_columns = window.right - window.left;
  for (int c = 0; c < count; ++c) {
    Channel& channel = channels[c];
    // `height` and `width` of one MCU; the inverse DCT writes whole groups of blocks.
    const auto reset = [&](SamplePlane& plane, int height, int width) {
      return plane.reset(window.top * height, window.left * width, mcu_rows * height,
                         round_up(mcu_columns * width, kBlocksPerGroup * kBlock));
    };
    if (!reset(full[c], mcu_height, mcu_width)) return false;
    if (channel.doubled() && !reset(half[c], channel.block * channel.v, channel.block * channel.h)) {
      return false;
    }
    channel.samples = channel.doubled() ? &half[c] : &full[c];
  }
  return true;
}

// Coefficients of one MCU row to samples, except for block rows that the region does not need. False: out of
// range.
bool BaselineDecoder::Impl::transform(const Header& header, int mcu_row) {
  for (int c = 0; c < header.components; ++c) {
    const Channel& channel = channels[c];
    const CoefficientRows& coefficients = entropy.rows(c);
    SamplePlane& plane = *channel.samples;
    for (int j = 0; j < channel.v; ++j) {
      const int top = (mcu_row * channel.v + j) * channel.block;
      if (top > channel.rows.last || top + channel.block <= channel.rows.first) continue;
      uint8_t* out = plane.at(top, window.left * channel.block * channel.h);
      if (channel.block < kBlock) {
        idct_row_reduced(channel.block, coefficients.row[j], coefficients.blocks, channel.quant, out,
                         plane.stride());
      } else if (!idct_row(coefficients.row[j], coefficients.blocks, channel.quant, out, plane.stride())) {
        return false;
      }
      if (channel.across == 1) continue;
      // the filter's neighbours at the image's edges
      for (int y = top; y < top + channel.block; ++y) {
        if (window.left == 0) *plane.at(y, -1) = *plane.at(y, 0);
        if (window.right == header.mcu_columns) *plane.at(y, channel.width) = *plane.at(y, channel.width - 1);
      }
    }
  }
  return true;
}

// Samples to RGB for one row of pixels.
void BaselineDecoder::Impl::finish_row(const Header& header, const Rect& region, int y) {
  for (int c = 0; c < header.components; ++c) {
    const Channel& channel = channels[c];
    if (!channel.doubled()) continue;
    const int begin = region.left / channel.across;
    const size_t count = static_cast<size_t>((region.right() + channel.across - 1) / channel.across - begin);
    uint8_t* out = full[c].at(y, begin * channel.across);
    SamplePlane& plane = half[c];
    if (channel.down == 1) {
      upsample_h2v1(plane.at(y, begin), count, out);
      continue;
    }
    const bool below = y % 2 != 0;
    const uint8_t* near = plane.at(y / 2, begin);
    const uint8_t* far = plane.at(std::clamp(below ? y / 2 + 1 : y / 2 - 1, 0, channel.height - 1), begin);
    if (channel.across == 1) {
      upsample_h1v2(near, far, below, count, out);
    } else {
      upsample_h2v2(near, far, count, out);
    }
  }
  if (header.color == ColorSpace::kYCbCr) {
    uint8_t* row[3];
    for (int c = 0; c < 3; ++c) row[c] = full[c].at(y, region.left);
    ycc_to_rgb(row[0], row[1], row[2], static_cast<size_t>(region.width), row[0], row[1], row[2]);
  }
}

BaselineDecoder::BaselineDecoder() : impl_(std::make_unique<Impl>()) {}
BaselineDecoder::~BaselineDecoder() = default;
BaselineDecoder::BaselineDecoder(BaselineDecoder&&) noexcept = default;
BaselineDecoder& BaselineDecoder::operator=(BaselineDecoder&&) noexcept = default;

Outcome BaselineDecoder::decode(const Header& header, Bytes data, const EntryPointView& entries,
                                const Rect& region, Planes& planes, int scale) {
  Impl& impl = *impl_;
  if (!impl.plan(header, region, scale)) return Outcome::kUnsuited;
  if (impl.entropy.begin(header, data, entries, impl.window) != Unsuited::kNone) return Outcome::kUnsuited;

  const bool context_below = std::any_of(impl.channels, impl.channels + header.components,
                                         [](const Channel& channel) { return channel.down == 2; });
  int y = region.top;
  for (int row = impl.window.top; row < impl.window.bottom; ++row) {
    const Decoded decoded = impl.entropy.next_row();
    if (decoded == Decoded::kMismatch) return Outcome::kMismatch;
    if (decoded != Decoded::kRow) return Outcome::kCorrupt;
    if (!impl.transform(header, row)) return Outcome::kOutOfRange;
    // the last row of pixels may have to wait for the samples below it
    const int ready =
        row + 1 == impl.window.bottom ? region.bottom() : (row + 1) * impl.mcu_height - context_below;
    for (; y < std::min(ready, region.bottom()); ++y) impl.finish_row(header, region, y);
  }

  planes.region = region;
  planes.scale = scale;
  planes.channels = header.components;
  planes.stride = impl.full[0].stride();
  for (int c = 0; c < 3; ++c)
    planes.plane[c] = impl.full[std::min(c, header.components - 1)].at(region.top, region.left);
  return Outcome::kDecoded;
}

}  // namespace fastinet::jpeg
