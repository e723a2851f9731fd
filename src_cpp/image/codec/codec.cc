#include "image/codec/codec.h"

#include <string>
#include <utility>

#include "base/error.h"
#include "image/codec/exif.h"
#include "image/codec/interleaved.h"

namespace fastinet {
namespace {

// The most pixels times scans that a JPEG file may ask for: a picture of kMaxImagePixels in 24 scans. Valid
// progressive files have about ten scans; a hostile one can ask for thousands in a few bytes each.
constexpr int64_t kMaxWork = 24 * kMaxImagePixels;

int64_t area(Size size) { return int64_t{size.height} * size.width; }

}  // namespace

void require_affordable_scans(Bytes jpeg) {
  if (const int64_t work = decode_work(jpeg, kMaxImagePixels); work > kMaxWork) {
    throw Error(ErrorKind::kDecode, "JPEG with more scans than its size can account for",
                {.expected = "at most " + std::to_string(kMaxWork) + " pixels times scans",
                 .found = std::to_string(work)});
  }
}

Source::Source(Codecs* codecs, const EncodedImage& image)
    : codecs_(codecs), image_(image), encoding_(recognise_encoding(image.data)) {
  if (encoding_ != Encoding::kJpeg) return;
  headers_ = read_jpeg_headers(image.data);
  const JpegSurvey& survey = headers_.survey;
  if (!survey.irregular.empty()) return;
  if (area(survey.size) > kMaxImagePixels) {
    throw Error(ErrorKind::kDecode, "image so large that it could be a decompression bomb",
                {.expected = "at most " + std::to_string(kMaxImagePixels) + " pixels",
                 .found = std::to_string(area(survey.size))});
  }
  if (image.apply_orientation) orientation_ = read_orientation(survey).value;
  regular_ = orientation_ != 0;
}

Size Source::size() { return regular_ ? turned(headers_.survey.size, orientation_) : foreign().size; }

Planes Source::decode(const Rect& region, int scale) {
  if (regular_) {
    const Size stored = headers_.survey.size;
    Planes planes;
    if (try_regular(stored_rect(region, scaled_down(stored, scale), orientation_), scale, &planes))
      return codecs_->turner_.run(planes, stored, orientation_);
  }
  const Planes planes = codecs_->to_planes(foreign());
  foreign_.reset();  // which may hold half a gigabyte
  return planes;
}

bool Source::decodes_cleanly() {
  const Size stored = headers_.survey.size;
  Planes planes;
  return regular_ && try_regular({0, 0, stored.height, stored.width}, 1, &planes);
}

// False: our own decoder leaves this file to libjpeg-turbo.
bool Source::try_baseline(const Rect& region, int scale, Planes* planes) {
  const auto& [survey, header, unsuited] = headers_;
  if (!survey.single_scan || unsuited != jpeg::Unsuited::kNone) return false;
  const auto entries = jpeg::EntryPointView::open(image_.entry_points, header, image_.data.size());
  // Entry points are only made for complete files.
  if (entries.empty() && !ends_with_eoi(image_.data, survey)) return false;
  return codecs_->baseline_.decode(header, image_.data, entries, region, *planes, scale) ==
         jpeg::Outcome::kDecoded;
}

// False: only the foreign decoder can say what this file holds.
bool Source::try_regular(const Rect& region, int scale, Planes* planes) {
  if (try_baseline(region, scale, planes)) {
    ++codecs_->counts_.fast;
    return true;
  }
  if (!headers_.survey.single_scan) require_affordable_scans(image_.data);
  if (codecs_->turbo_.decode(image_.data, headers_.survey, region, planes, scale) != nullptr) return false;
  ++codecs_->counts_.turbo;
  return true;
}

const RgbImage& Source::foreign() {
  if (!foreign_) {
    if (encoding_ == Encoding::kJpeg) require_affordable_scans(image_.data);
    ++codecs_->counts_.foreign;
    foreign_ = codecs_->foreign_decoder_(image_);
  }
  return *foreign_;
}

Planes Codecs::to_planes(const RgbImage& image) {
  Planes planes;
  planes.region = {0, 0, image.size.height, image.size.width};
  planes.stride = image.size.width;
  const auto count = static_cast<size_t>(area(image.size));
  foreign_planes_.resize(3 * count + Planes::kReadPadding);
  uint8_t* const first = foreign_planes_.data();
  split_rgb(image.pixels.data(), count, first, first + count, first + 2 * count);
  for (int c = 0; c < 3; ++c) planes.plane[c] = first + static_cast<size_t>(c) * count;
  return planes;
}

}  // namespace fastinet
