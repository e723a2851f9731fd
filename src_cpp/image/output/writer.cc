#include "image/output/writer.h"

#include <cmath>
#include <cstring>
#include <numeric>
#include <string>

#include "base/error.h"
#include "hwy/cache_control.h"

namespace fastinet {
namespace {

constexpr int kChannels = 3;
constexpr int kInterleaved = 3;  // the index of the conversion of interleaved rows

void validate(const OutputFormat& format) {
  if (!format.normalize) return;
  if (format.dtype == DType::kUint8) {
    throw Error(ErrorKind::kArgument, "normalisation needs a floating-point dtype",
                {.expected = "float32 or float16", .found = "uint8"});
  }
  for (int c = 0; c < kChannels; ++c) {
    if (!std::isfinite(format.mean[c])) {
      throw Error(ErrorKind::kArgument, "the mean of channel " + std::to_string(c) + " is not finite",
                  {.expected = "a finite number", .found = std::to_string(format.mean[c])});
    }
    if (!std::isfinite(format.std[c]) || format.std[c] == 0) {
      throw Error(ErrorKind::kArgument,
                  "the standard deviation of channel " + std::to_string(c) + " cannot be a divisor",
                  {.expected = "a finite number other than zero", .found = std::to_string(format.std[c])});
    }
  }
}

// torchvision's ToTensor and Normalize. Float arithmetic is evaluated in float32 on every supported target,
// and the compiler may not contract it in this layer.
float normalized(float pixel, bool normalize, float mean, float std) {
  const float unit = pixel / 255.0f;
  return normalize ? (unit - mean) / std : unit;
}

Conversion make_conversion(const OutputFormat& format, const float* tables,
                           const std::array<int, 3>& channels) {
  Conversion conversion{};
  for (int phase = 0; phase < Conversion::kPeriod; ++phase) {
    conversion.table[phase] = tables + 256 * channels[phase];
  }
  for (int i = 0; i < Conversion::kEntries; ++i) {
    const int c = channels[i % Conversion::kPeriod];
    const double inverse = format.normalize ? 1.0 / double{format.std[c]} : 1.0;
    conversion.mean[i] = format.normalize ? format.mean[c] : 0.0f;
    conversion.inverse_high[i] = static_cast<float>(inverse);
    conversion.inverse_low[i] = static_cast<float>(inverse - double{conversion.inverse_high[i]});
  }
  return conversion;
}

// Whether the kernel gives the reference's results, to the bit, for every pixel.
template <class T>
bool exact(void (*kernel)(const uint8_t*, size_t, const Conversion&, T*),
           void (*reference)(const uint8_t*, size_t, const Conversion&, T*), const Conversion& conversion) {
  std::array<uint8_t, 256> pixels;
  std::iota(pixels.begin(), pixels.end(), uint8_t{0});
  std::array<T, 256> found, expected;
  kernel(pixels.data(), pixels.size(), conversion, found.data());
  reference(pixels.data(), pixels.size(), conversion, expected.data());
  return std::memcmp(found.data(), expected.data(), sizeof(found)) == 0;
}

}  // namespace

OutputWriter::OutputWriter(const OutputFormat& format)
    : format_(format), kernels_(&output_kernels()), convert_(kernels_), tables_(kChannels * 256) {
  validate(format);
  for (int c = 0; c < kChannels; ++c) {
    for (int x = 0; x < 256; ++x) {
      tables_[256 * c + x] =
          normalized(static_cast<float>(x), format.normalize, format.mean[c], format.std[c]);
    }
  }
  for (int c = 0; c < kChannels; ++c)
    conversions_.push_back(make_conversion(format, tables_.data(), {c, c, c}));
  conversions_.push_back(make_conversion(format, tables_.data(), {0, 1, 2}));

  const OutputKernels& reference = scalar_output_kernels();
  for (int c = 0; c < kChannels; ++c) {
    const Conversion& conversion = conversions_[c];
    if (!exact(kernels_->to_float, reference.to_float, conversion) ||
        !exact(kernels_->to_half, reference.to_half, conversion)) {
      convert_ = &reference;
    }
  }
}

void OutputWriter::start(Size size, void* out) {
  size_ = size;
  out_ = out;
  row_.reserve(static_cast<size_t>(size.width) * kChannels);
}

void OutputWriter::write_row(int y, const RgbRow& row) {
  const size_t width = size_.width;
  if (format_.layout == Layout::kNCHW) {
    for (int c = 0; c < kChannels; ++c) convert(row[c], width, c, (size_t(c) * size_.height + y) * width);
  } else if (format_.dtype == DType::kUint8) {
    kernels_->interleave(row[0], row[1], row[2], width, static_cast<uint8_t*>(out_) + y * width * kChannels);
  } else {
    kernels_->interleave(row[0], row[1], row[2], width, row_.data());
    write_interleaved_row(y, row_.data());
  }
}

void OutputWriter::write_interleaved_row(int y, const uint8_t* rgb) {
  const size_t width = size_.width;
  if (format_.layout == Layout::kNHWC) {
    convert(rgb, width * kChannels, kInterleaved, y * width * kChannels);
  } else {
    uint8_t* const r = row_.data();
    kernels_->deinterleave(rgb, width, r, r + width, r + 2 * width);
    write_row(y, {r, r + width, r + 2 * width});
  }
}

void OutputWriter::finish() { hwy::FlushStream(); }

// Writes `n` values, with the conversion of that index, from element `at` of the sample on.
void OutputWriter::convert(const uint8_t* in, size_t n, int conversion, size_t at) {
  switch (format_.dtype) {
    case DType::kFloat32:
      return convert_->to_float(in, n, conversions_[conversion], static_cast<float*>(out_) + at);
    case DType::kFloat16:
      return convert_->to_half(in, n, conversions_[conversion], static_cast<uint16_t*>(out_) + at);
    case DType::kUint8:
      std::memcpy(static_cast<uint8_t*>(out_) + at, in, n);
  }
}

}  // namespace fastinet
