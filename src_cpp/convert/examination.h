// What a sidecar is to say of an image: where the image layer's findings become the shard layer's facts.
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

// What a decoder of last resort says of bytes whose headers do not settle what they are.
struct Verdict {
  std::string refusal = {};  // why it refuses them; empty: it does not, and the rest holds
  int width = 0;
  int height = 0;
  int orientation = 1;
  std::string mode = {};  // Pillow's: "RGB", "P", "CMYK", ...
};
using Judge = std::function<Verdict(std::span<const uint8_t>)>;

// How an image is found to be one that training can decode.
enum class Check {
  kFull,  // the judge decodes it
  kFast,  // its scan is walked; what that does not vouch for is decoded, by the judge in the end
  kNone,  // by its header, and an end-of-image marker; the judge decodes what these do not settle
};

// What so many images are that a report gives but a few examples; of any other remark it lists them all.
inline constexpr std::string_view kCommonRemarks[] = {"EXIF-rotated", "gray", "progressive", "under 32 px"};

class ImageExamination {
 public:
  // Calls `judge` from this thread. Throws std::bad_alloc where memory is short, and what `judge` throws.
  ImageExamination(std::span<const uint8_t> payload, const Judge& judge, Check check,
                   bool entry_points = true);
  ImageExamination(const ImageExamination&) = delete;
  ImageExamination& operator=(const ImageExamination&) = delete;

  // Not empty: no decoder will take it, for this reason, told in English with what was expected and what was
  // found. The facts then hold no more than its format.
  const std::string& refusal() const { return refusal_; }

  const ImageFacts& facts() const { return facts_; }  // points into this object

  // What is out of the ordinary, in words for a report: "CMYK", "gray", "progressive", "PNG", ...
  const std::vector<std::string>& remarks() const { return remarks_; }

  // "CMYK" for a JPEG file of four components, the format's name for what is no JPEG file; empty for the
  // usual.
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
