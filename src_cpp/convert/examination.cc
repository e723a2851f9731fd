#include "convert/examination.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "image/codec/probe.h"

namespace fastinet {
namespace {

constexpr int kSmallSide = 32;
constexpr size_t kShownBytes = 8;  // of what is no image

std::string in_hex(std::span<const uint8_t> bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : bytes) {
    if (!text.empty()) text += ' ';
    text += {kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return text;
}

// Pillow's refusal, behind what the core knows of the file.
std::string explain(const std::string& refusal, const ProbeResult& probed, std::span<const uint8_t> payload) {
  const std::string size = std::to_string(payload.size()) + " bytes";
  std::string what;
  if (probed.encoding == Encoding::kUnknown) {
    what = "expected an image, found " + size + " that begin with " +
           in_hex(payload.first(std::min(payload.size(), kShownBytes)));
  } else if (probed.regular && !probed.complete) {
    what = "truncated JPEG: expected an end-of-image marker, found the end after " + size;
  } else {
    what = std::string("damaged ") + name(probed.encoding);
    if (!probed.irregular.empty()) what += ": " + probed.irregular;
  }
  return what + "; Pillow says: " + refusal;
}

// Whether the core decodes the whole file without a warning. Throws Error{kDecode} for one that it refuses to
// begin with, and that is then not for Pillow either.
bool decodes_cleanly(std::span<const uint8_t> payload) {
  static thread_local ImageDecoder decoder(OutputFormat{}, {});  // asks no foreign decoder
  return decoder.decodes_cleanly({.data = payload, .entry_points = {}});
}

}  // namespace

ImageExamination::ImageExamination(std::span<const uint8_t> payload, const Judge& judge, Check check,
                                   bool entry_points) {
  try {
    read(payload, judge, check, entry_points);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kDecode) throw;
    refusal_ = error.what();
  }
  if (!refusal_.empty()) {
    facts_ = {.encoding = facts_.encoding};
    odd_encoding_.clear();
    remarks_.clear();
    return;
  }
  if (facts_.orientation > 1) remarks_.emplace_back("EXIF-rotated");
  if (std::min(facts_.width, facts_.height) < kSmallSide) remarks_.emplace_back("under 32 px");
}

void ImageExamination::read(std::span<const uint8_t> payload, const Judge& judge, Check check,
                            bool entry_points) {
  if (payload.empty()) {
    refusal_ = "the file is empty";
    return;
  }
  const Scanning scanning = entry_points            ? Scanning::kWalkForEntryPoints
                            : check == Check::kNone ? Scanning::kNone
                                                    : Scanning::kWalk;
  ProbeResult probed = probe(payload, scanning);
  facts_.encoding = probed.encoding;
  const int64_t pixels = int64_t{probed.size.width} * probed.size.height;
  if (probed.regular && pixels > kMaxImagePixels) {
    refusal_ = "expected at most " + std::to_string(kMaxImagePixels) +
               " pixels, which is Pillow's limit against decompression bombs, found " +
               std::to_string(probed.size.width) + "x" + std::to_string(probed.size.height);
    return;
  }
  const bool jpeg = probed.encoding == Encoding::kJpeg;
  int components = probed.components;
  facts_.clean = probed.sound || (jpeg && check != Check::kNone && decodes_cleanly(payload));
  const bool settled = probed.regular && probed.complete && probed.orientation != 0;
  if (settled && (check == Check::kNone || (check == Check::kFast && facts_.clean))) {
    facts_.width = probed.size.width;
    facts_.height = probed.size.height;
    facts_.orientation = probed.orientation;
  } else {
    if (jpeg) require_affordable_scans(payload);
    const Verdict verdict = judge(payload);
    if (!verdict.refusal.empty()) {
      refusal_ = explain(verdict.refusal, probed, payload);
      return;
    }
    facts_.width = verdict.width;
    facts_.height = verdict.height;
    facts_.orientation = verdict.orientation;
    components = verdict.mode == "CMYK" ? 4 : verdict.mode == "L" ? 1 : 3;
  }
  if (!probed.irregular.empty()) remarks_.push_back("irregular JPEG: " + probed.irregular);
  if (probed.regular && !probed.complete) remarks_.emplace_back("JPEG without an end-of-image marker");
  if (probed.broken_exif) {
    remarks_.emplace_back("broken EXIF");
  } else if (probed.orientation == 0) {
    remarks_.emplace_back("several EXIF segments");
  }
  entry_points_ = std::move(probed.entry_points);
  facts_.entry_points = entry_points_;
  if (!jpeg) {
    const bool known = probed.encoding != Encoding::kUnknown;
    odd_encoding_ = known ? name(probed.encoding) : "neither JPEG nor another common format";
  } else if (components == 4) {
    odd_encoding_ = "CMYK";
  }
  if (!jpeg) remarks_.push_back(odd_encoding_);
  if (components == 1) remarks_.emplace_back("gray");
  if (components == 4) remarks_.emplace_back("CMYK");
  if (probed.progressive) remarks_.emplace_back("progressive");
}

}  // namespace fastinet
