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
constexpr int kInterleaved = 3;  // index of the conversion of interleaved rows

void validate(const OutputFormat& format) {
  if (!format.normalize) return;
  if (format.dtype == DType::kUint8) {
    throw Error(ErrorKind::kArgument, "normalisation needs a floating-point dtype",
                {.expected = "float32 or float16", .found = "uint8"});
  }
  for (int c = 0; c < kChannels; ++c) {
    if (!std::isfinite(format.mean[c])) {
      throw Error(ErrorKind::kArgument, "the mean of channel " + std::to_string(c) + " is not a number",
                  {.expected = "a finite number", .found = std::to_string(format.mean[c])});
    }
    if (!std::isfinite(format.std[c]) || format.std[c] == 0) {
      throw Error(ErrorKind::kArgument,
                  "the standard deviation of channel " + std::to_string(c) + " is no divisor",
                  {.expected = "a finite number other than zero", .found = std::to_string(format.std[c])});
    }
  }
}

// torchvision's ToTensor and Normalize. Float arithmetic is evaluated in float32 on every
// supported target, and contraction is off for this layer.
float convert(float pixel, bool normalize, float mean, float std) {
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

// Whether the kernel gives the table's results, to the bit, for every pixel of every channel.
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
      tables_[256 * c + x] = convert(static_cast<float>(x), format.normalize, format.mean[c], format.std[c]);
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
  if (format_.layout == Layout::kNHWC && format_.dtype != DType::kUint8) {
    interleaved_.reserve(static_cast<size_t>(size.width) * kChannels);
  }
}

void OutputWriter::write_row(int y, const std::array<const uint8_t*, 3>& planes) {
  switch (format_.dtype) {
    case DType::kFloat32:
      return write_floats(y, planes, convert_->to_float);
    case DType::kFloat16:
      return write_floats(y, planes, convert_->to_half);
    case DType::kUint8:
      break;
  }
  const size_t width = size_.width;
  uint8_t* out = static_cast<uint8_t*>(out_) + y * width;
  if (format_.layout == Layout::kNHWC) {
    kernels_->interleave(planes[0], planes[1], planes[2], width,
                         static_cast<uint8_t*>(out_) + y * width * kChannels);
  } else {
    for (int c = 0; c < kChannels; ++c) std::memcpy(out + c * width * size_.height, planes[c], width);
  }
}

void OutputWriter::finish() { hwy::FlushStream(); }

template <class T>
void OutputWriter::write_floats(int y, const std::array<const uint8_t*, 3>& planes,
                                void (*kernel)(const uint8_t*, size_t, const Conversion&, T*)) {
  const size_t width = size_.width;
  T* out = static_cast<T*>(out_);
  if (format_.layout == Layout::kNHWC) {
    kernels_->interleave(planes[0], planes[1], planes[2], width, interleaved_.data());
    kernel(interleaved_.data(), width * kChannels, conversions_[kInterleaved], out + y * width * kChannels);
  } else {
    for (int c = 0; c < kChannels; ++c) {
      kernel(planes[c], width, conversions_[c], out + (c * size_t(size_.height) + y) * width);
    }
  }
}

}  // namespace fastinet
