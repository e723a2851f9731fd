// Operations on the pixels of a resampled sample: brightness, solarize, sharpness, erasing, ... They run
// between resampling and the last write (PixelPipeline), on a copy of the sample that belongs to the thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/aligned_buffer.h"
#include "image/geometry.h"

namespace fastinet {

// A sample in interleaved RGB, rows from top to bottom without padding. Does not own the pixels.
struct RgbView {
  static constexpr int kChannels = 3;
  uint8_t* pixels = nullptr;
  Size size;

  size_t row_bytes() const { return static_cast<size_t>(size.width) * kChannels; }
  size_t bytes() const { return row_bytes() * static_cast<size_t>(size.height); }
  uint8_t* row(int y) const { return pixels + row_bytes() * static_cast<size_t>(y); }
};

// The random values of one application, which the program has already drawn from the sample's random stream.
// Each operation documents the meaning and the range of those that it reads; it ignores the others.
using OperationParameters = std::array<double, 8>;

// An operation is immutable and shared: every thread calls it at once.
class PixelOperation {
 public:
  virtual ~PixelOperation() = default;

  // Throws Error{kArgument} if a parameter is outside of the range that apply() accepts. A program calls this
  // when it is built, with the extremes of what it can draw, so that apply() has nothing left to check.
  virtual void check(const OperationParameters& parameters) const = 0;

  // Replaces the pixels of `sample` by the result, which has the same size. `scratch` is for operations that
  // cannot work in place, such as filters; it is reused, and its contents are unspecified on entry.
  // REQUIRES: parameters that check() accepts.
  virtual void apply(const RgbView& sample, const OperationParameters& parameters,
                     AlignedBuffer<uint8_t>& scratch) const = 0;
};

// One application of an operation to one sample. Does not own the operation.
struct OperationCall {
  const PixelOperation* operation = nullptr;
  OperationParameters parameters{};
};

}  // namespace fastinet
