// Determines what a sidecar says about an image. This is the only place where the image layer's findings
// become the shard layer's facts.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "image/codec/probe.h"
#include "shard/record.h"

namespace fastinet {

// What the decoder of last resort says about bytes whose headers do not decide what they are.
struct Judgement {
  std::string refusal = {};  // why it refuses them; empty: it accepts them
  int width = 0;
  int height = 0;
  int orientation = 1;
  std::string mode = {};  // Pillow's: "RGB", "P", "CMYK", ...
};
using Judge = std::function<Judgement(std::span<const uint8_t>)>;

// How to find out whether training can decode an image.
enum class Check {
  kFull,  // the judge decodes it
  kFast,  // its scan is parsed; if that proves nothing, it is decoded, by the judge if necessary
  kNone,  // its header and end-of-image marker; the judge decodes it if these do not decide
};

// Remarks that apply to so many images that a report gives only a few examples. It lists all others.
inline constexpr std::string_view kCommonRemarks[] = {"EXIF-rotated", "gray", "progressive", "under 32 px"};

class ImageExamination {
 public:
  // Calls `judge` from this thread. Throws std::bad_alloc if memory is short, and whatever `judge` throws.
  ImageExamination(std::span<const uint8_t> payload, const Judge& judge, Check check,
                   bool entry_points = true);
  ImageExamination(const ImageExamination&) = delete;
  ImageExamination& operator=(const ImageExamination&) = delete;

  // Why no decoder accepts the image, in English, with what was expected and what was found. The facts then
  // contain only its encoding. Empty for an image that can be decoded.
  const std::string& refusal() const { return refusal_; }

  const ImageFacts& facts() const { return facts_; }  // points into this object

  // What is unusual about the image, in words for a report: "CMYK", "gray", "progressive", "PNG", ...
  const std::vector<std::string>& remarks() const { return remarks_; }

  // "CMYK" for a JPEG file of four components, the name of the encoding for other files, empty for the usual
  // JPEG files.
  const std::string& odd_encoding() const { return odd_encoding_; }

 private:
  void read(std::span<const uint8_t> payload, const Judge& judge, Check check, bool entry_points);

  std::string refusal_;
  std::string odd_encoding_;
  ImageFacts facts_;
  std::vector<uint8_t> entry_points_;
  std::vector<std::string> remarks_;
};

}  // namespace fastinet
