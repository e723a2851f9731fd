#include "python/image_facts.h"

#include <algorithm>
#include <utility>

#include "image/probe.h"

namespace fastinet {
namespace {

// Pillow refuses larger images as decompression bombs: 2 * Image.MAX_IMAGE_PIXELS.
constexpr int64_t kMaxPixels = 2 * (int64_t{1024} * 1024 * 1024 / 4 / 3);
constexpr int kSmallSide = 32;

PayloadFormat payload_format(ImageFormat format) {
  switch (format) {
    case ImageFormat::kUnknown:
      return PayloadFormat::kUnknown;
    case ImageFormat::kJpeg:
      return PayloadFormat::kJpeg;
    case ImageFormat::kPng:
      return PayloadFormat::kPng;
    case ImageFormat::kGif:
      return PayloadFormat::kGif;
    case ImageFormat::kBmp:
      return PayloadFormat::kBmp;
    case ImageFormat::kTiff:
      return PayloadFormat::kTiff;
    case ImageFormat::kWebp:
      return PayloadFormat::kWebp;
  }
  return PayloadFormat::kUnknown;
}

}  // namespace

ImageExamination::ImageExamination(std::span<const uint8_t> payload, const Judge& judge, bool entry_points) {
  read(payload, judge, entry_points);
  if (!refusal_.empty()) {
    const PayloadFormat format = facts_.format;
    facts_ = {};
    facts_.format = format;
    remarks_.clear();
    return;
  }
  if (facts_.orientation > 1) remarks_.emplace_back("EXIF-rotated");
  if (std::min(facts_.width, facts_.height) < kSmallSide) remarks_.emplace_back("under 32 pixels");
}

void ImageExamination::read(std::span<const uint8_t> payload, const Judge& judge, bool entry_points) {
  if (payload.empty()) {
    refusal_ = "the file is empty";
    return;
  }
  ProbeResult probed = probe(payload, entry_points);
  facts_.format = payload_format(probed.format);
  if (probed.regular && int64_t{probed.size.width} * probed.size.height > kMaxPixels) {
    refusal_ = std::to_string(probed.size.width) + "x" + std::to_string(probed.size.height) +
               " pixels are more than the " + std::to_string(kMaxPixels) + " that Pillow allows";
    return;
  }
  const bool jpeg = probed.format == ImageFormat::kJpeg;
  int components = probed.components;
  if (probed.regular && probed.complete && probed.orientation != 0) {
    facts_.width = probed.size.width;
    facts_.height = probed.size.height;
    facts_.orientation = probed.orientation;
  } else {
    const Verdict verdict = judge(payload);
    refusal_ = verdict.refusal;
    if (!refusal_.empty()) return;
    facts_.width = verdict.width;
    facts_.height = verdict.height;
    facts_.orientation = verdict.orientation;
    components = verdict.mode == "CMYK" ? 4 : verdict.mode == "L" ? 1 : 3;
    if (jpeg) remarks_.emplace_back("irregular JPEG");
  }
  entry_points_ = std::move(probed.entry_points);
  facts_.entry_points = entry_points_;
  facts_.clean = !entry_points_.empty();
  if (!jpeg) {
    const std::string format = name(probed.format);
    remarks_.emplace_back(format.empty() ? "neither JPEG nor another common format" : format);
  }
  if (components == 1) remarks_.emplace_back("gray");
  if (components == 4) remarks_.emplace_back("CMYK");
  if (probed.progressive) remarks_.emplace_back("progressive");
}

const char* ImageExamination::extension() const {
  switch (facts_.format) {
    case PayloadFormat::kJpeg:
      return "jpg";
    case PayloadFormat::kPng:
      return "png";
    case PayloadFormat::kBmp:
      return "bmp";
    case PayloadFormat::kTiff:
      return "tif";
    case PayloadFormat::kGif:
      return "gif";
    case PayloadFormat::kWebp:
      return "webp";
    case PayloadFormat::kUnknown:
      break;
  }
  return "bin";
}

}  // namespace fastinet
