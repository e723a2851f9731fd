#include "image/codec/jpeg/survey.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/encoding.h"

namespace fastinet {
namespace {

using Span = std::span<const uint8_t>;

enum Marker : uint8_t {
  kSof0 = 0xC0,
  kSof1 = 0xC1,
  kSof2 = 0xC2,
  kDht = 0xC4,
  kJpg = 0xC8,
  kDac = 0xCC,
  kSof15 = 0xCF,
  kRst0 = 0xD0,
  kRst7 = 0xD7,
  kEoi = 0xD9,
  kSos = 0xDA,
  kDqt = 0xDB,
  kDri = 0xDD,
  kApp0 = 0xE0,
  kApp1 = 0xE1,
  kApp2 = 0xE2,
  kApp13 = 0xED,
  kApp14 = 0xEE,
  kApp15 = 0xEF,
  kCom = 0xFE,
};

constexpr std::string_view kExifName{"Exif\0\0", 6};
constexpr std::string_view kXmpName{"http://ns.adobe.com/xap/1.0/\0", 29};
constexpr std::string_view kPhotoshopName{"Photoshop 3.0\0", 14};
constexpr std::string_view kMpfName{"MPF\0", 4};
constexpr std::string_view kIccName{"ICC_PROFILE\0", 12};

int big_endian16(Span s, size_t at) { return s[at] << 8 | s[at + 1]; }

bool starts_with(Span s, std::string_view prefix) {
  return s.size() >= prefix.size() && std::memcmp(s.data(), prefix.data(), prefix.size()) == 0;
}

// Goes from marker to marker as they look in entropy-coded data: 0xFF and neither 0 nor a fill byte.
class MarkerFinder {
 public:
  explicit MarkerFinder(Span data) : next_(data.data()), end_(data.data() + data.size()) {}

  // The marker's second byte, or nullptr behind the last one.
  const uint8_t* next() {
    while (next_ < end_) {
      next_ = static_cast<const uint8_t*>(std::memchr(next_, 0xFF, static_cast<size_t>(end_ - next_)));
      if (next_ == nullptr || ++next_ == end_) break;
      if (*next_ != 0 && *next_ != 0xFF) return next_++;
    }
    next_ = end_;
    return nullptr;
  }

 private:
  const uint8_t* next_;
  const uint8_t* end_;
};

// Whether Pillow's walk over Photoshop's resources ends in an exception that it does not handle: a name
// length that lies just behind the segment.
bool photoshop_breaks_pillow(Span s) {
  size_t at = kPhotoshopName.size();
  while (at + 4 <= s.size() && std::memcmp(&s[at], "8BIM", 4) == 0) {
    at += 4;
    if (at + 2 > s.size()) return false;
    at += 2;
    if (at >= s.size()) return true;
    at += 1 + size_t{s[at]};
    at += at & 1;
    if (at + 4 > s.size()) return false;
    at += 4 + (size_t{s[at]} << 24 | size_t{s[at + 1]} << 16 | size_t{s[at + 2]} << 8 | s[at + 3]);
    at += at & 1;
  }
  return false;
}

// Empty where the segment is in order.
const char* read_app(uint8_t marker, Span s, JpegSurvey& survey) {
  if (marker == kApp0 && starts_with(s, "JFIF") && s.size() < 7) return "short JFIF segment";
  if (marker == kApp14 && starts_with(s, "Adobe") && s.size() < 7) return "short Adobe segment";
  if (marker == kApp13 && starts_with(s, kPhotoshopName) && photoshop_breaks_pillow(s)) {
    return "broken Photoshop segment";
  }
  if (marker == kApp2 && starts_with(s, kMpfName)) return "multi-picture file";
  if (marker == kApp2 && starts_with(s, kIccName) && s.size() < 14) return "short ICC segment";
  if (marker == kApp1 && starts_with(s, kExifName)) {
    survey.several_exif = survey.exif.data() != nullptr;
    survey.exif = s.subspan(kExifName.size());
  } else if (marker == kApp1 && starts_with(s, kXmpName)) {
    survey.xmp = s.subspan(kXmpName.size());
  }
  return "";
}

const char* read_frame(uint8_t marker, Span s, JpegSurvey& survey) {
  if (survey.components != 0) return "second frame";
  if (s.size() < 6 || s.size() != 6 + 3 * size_t{s[5]}) return "frame header of a wrong length";
  if (s[0] != 8) return "not 8 bits a sample";
  survey.size = {big_endian16(s, 1), big_endian16(s, 3)};
  survey.components = s[5];
  survey.baseline = marker == kSof0;
  survey.progressive = marker == kSof2;
  if (survey.size.height == 0 || survey.size.width == 0) return "no size in the frame header";
  if (survey.components != 1 && survey.components != 3 && survey.components != 4) {
    return "neither one, three nor four components";
  }
  return "";
}

}  // namespace

bool is_jpeg(Span data) { return recognise_encoding(data) == Encoding::kJpeg; }

JpegSurvey survey_jpeg(Span data) {
  JpegSurvey survey;
  const auto irregular = [&](const char* why) {
    survey.irregular = why;
    return survey;
  };
  size_t at = 2;
  for (;;) {
    if (at + 2 > data.size()) return irregular("no scan");
    if (data[at] != 0xFF) return irregular("junk between segments");
    const uint8_t marker = data[at + 1];
    if (marker == 0xFF) {  // fill byte
      ++at;
      continue;
    }
    if (at + 4 > data.size()) return irregular("no scan");
    const size_t length = static_cast<size_t>(big_endian16(data, at + 2));
    if (length < 2 || at + 2 + length > data.size()) return irregular("segment of a wrong length");
    const Span segment = data.subspan(at + 4, length - 2);
    at += 2 + length;

    const char* why = "";
    if (marker == kSof0 || marker == kSof1 || marker == kSof2) {
      why = read_frame(marker, segment, survey);
    } else if (marker >= kApp0 && marker <= kApp15) {
      why = read_app(marker, segment, survey);
    } else if (marker == kSos) {
      if (survey.components == 0) return irregular("scan before the frame header");
      if (segment.empty()) return irregular("empty scan header");
      survey.single_scan = !survey.progressive && segment[0] == survey.components;
      survey.scan_begin = at;
      return survey;
    } else if (marker != kDht && marker != kDqt && marker != kDri && marker != kCom) {
      why = "unusual marker before the scan";
    }
    if (*why != '\0') return irregular(why);
  }
}

bool ends_with_eoi(Span data, const JpegSurvey& survey) {
  MarkerFinder markers(data.subspan(survey.scan_begin));
  while (const uint8_t* marker = markers.next()) {
    if (*marker == kEoi) return true;
    if (survey.single_scan && (*marker < kRst0 || *marker > kRst7)) return false;
  }
  return false;
}

int64_t decode_work(Span data, int64_t max_pixels) {
  int64_t pixels = 0;
  int64_t scans = 0;
  const uint8_t* const end = data.data() + data.size();
  MarkerFinder markers(data);
  while (const uint8_t* p = markers.next()) {
    if (*p == kSos) ++scans;
    const bool frame = *p >= kSof0 && *p <= kSof15 && *p != kDht && *p != kJpg && *p != kDac;
    if (!frame || end - p < 8) continue;
    const int64_t area = int64_t{p[4] << 8 | p[5]} * (p[6] << 8 | p[7]);
    if (area <= max_pixels) pixels = std::max(pixels, area);
  }
  return pixels * scans;
}

}  // namespace fastinet
