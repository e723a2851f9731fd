#include "image/codec/jpeg/survey.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/encoding.h"
#include "image/codec/jpeg/header_parser.h"
#include "image/codec/jpeg/segments.h"

namespace fastinet {
namespace {

using namespace jpeg;  // the markers

constexpr std::string_view kExifName{"Exif\0\0", 6};
constexpr std::string_view kXmpName{"http://ns.adobe.com/xap/1.0/\0", 29};
constexpr std::string_view kPhotoshopName{"Photoshop 3.0\0", 14};
constexpr std::string_view kMpfName{"MPF\0", 4};
constexpr std::string_view kIccName{"ICC_PROFILE\0", 12};

bool starts_with(Bytes s, std::string_view prefix) {
  return s.size() >= prefix.size() && std::memcmp(s.data(), prefix.data(), prefix.size()) == 0;
}

// Goes from marker to marker as they look in entropy-coded data: 0xFF and neither 0 nor a fill byte.
class MarkerFinder {
 public:
  explicit MarkerFinder(Bytes data) : next_(data.data()), end_(data.data() + data.size()) {}

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
bool photoshop_breaks_pillow(Bytes s) {
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
const char* read_app(uint8_t marker, Bytes s, JpegSurvey& survey) {
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

const char* read_frame(uint8_t marker, Bytes s, JpegSurvey& survey) {
  if (survey.components != 0) return "second frame";
  if (s.size() < 6 || s.size() != 6 + 3 * size_t{s[5]}) return "frame header of a wrong length";
  if (s[0] != 8) return "not 8 bits a sample";
  survey.size = {be16(&s[1]), be16(&s[3])};
  survey.components = s[5];
  survey.baseline = marker == kSof0;
  survey.progressive = marker == kSof2;
  if (survey.size.height == 0 || survey.size.width == 0) return "no size in the frame header";
  if (survey.components != 1 && survey.components != 3 && survey.components != 4) {
    return "neither one, three nor four components";
  }
  return "";
}

// Fills a JpegSurvey from segment to segment.
class SurveyParser {
 public:
  explicit SurveyParser(JpegSurvey& survey) : survey_(survey) {}

  // Takes the reader's last step. Returns whether the parser wants another one.
  bool take(SegmentReader::Step step, const SegmentReader& reader);

 private:
  bool irregular(const char* why);

  JpegSurvey& survey_;
};

bool SurveyParser::take(SegmentReader::Step step, const SegmentReader& reader) {
  switch (step) {
    case SegmentReader::Step::kJunk:
      return irregular("junk between segments");
    case SegmentReader::Step::kEnd:
      return irregular("no scan");
    case SegmentReader::Step::kLengthTooSmall:
    case SegmentReader::Step::kLengthTooLarge:
      return irregular("segment of a wrong length");
    case SegmentReader::Step::kSegment:
      break;
  }
  const uint8_t marker = reader.marker();
  const Bytes segment = reader.segment();
  const char* why = "";
  if (marker == kSof0 || marker == kSof1 || marker == kSof2) {
    why = read_frame(marker, segment, survey_);
  } else if (marker >= kApp0 && marker <= kApp15) {
    why = read_app(marker, segment, survey_);
  } else if (marker == kSos) {
    if (survey_.components == 0) return irregular("scan before the frame header");
    if (segment.empty()) return irregular("empty scan header");
    survey_.single_scan = !survey_.progressive && segment[0] == survey_.components;
    survey_.scan_begin = reader.position();
    return false;
  } else if (marker != kDht && marker != kDqt && marker != kDri && marker != kCom) {
    why = "unusual marker before the scan";
  }
  return *why == '\0' || irregular(why);
}

bool SurveyParser::irregular(const char* why) {
  survey_.irregular = why;
  return false;
}

}  // namespace

bool is_jpeg(Bytes data) { return recognise_encoding(data) == Encoding::kJpeg; }

JpegSurvey survey_jpeg(Bytes data) {
  JpegSurvey survey;
  SurveyParser parser(survey);
  SegmentReader reader(data);
  while (parser.take(reader.next(), reader)) {
  }
  return survey;
}

JpegHeaders read_jpeg_headers(Bytes data) {
  JpegHeaders headers;
  SurveyParser survey(headers.survey);
  HeaderParser header(data, headers.header);
  SegmentReader reader(data);
  for (bool more = true; more;) {
    const SegmentReader::Step step = reader.next();
    header.take(step, reader);
    more = survey.take(step, reader);
  }
  headers.unsuited = header.result();
  return headers;
}

bool ends_with_eoi(Bytes data, const JpegSurvey& survey) {
  MarkerFinder markers(data.subspan(survey.scan_begin));
  while (const uint8_t* marker = markers.next()) {
    if (*marker == kEoi) return true;
    if (survey.single_scan && (*marker < kRst0 || *marker > kRst7)) return false;
  }
  return false;
}

int64_t decode_work(Bytes data, int64_t max_pixels) {
  int64_t pixels = 0;
  int64_t scans = 0;
  const uint8_t* const end = data.data() + data.size();
  MarkerFinder markers(data);
  while (const uint8_t* p = markers.next()) {
    if (*p == kSos) ++scans;
    if (!is_frame(*p) || end - p < 8) continue;
    const int64_t area = int64_t{p[4] << 8 | p[5]} * (p[6] << 8 | p[7]);
    if (area <= max_pixels) pixels = std::max(pixels, area);
  }
  return pixels * scans;
}

}  // namespace fastinet
