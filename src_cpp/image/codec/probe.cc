#include "image/codec/probe.h"

#include <string_view>

#include "image/codec/exif.h"
#include "image/codec/jpeg/scan.h"
#include "image/codec/jpeg/survey.h"

namespace fastinet {
namespace {

bool has_at(Bytes data, size_t at, std::string_view magic) {
  const std::string_view text(reinterpret_cast<const char*>(data.data()), data.size());
  return text.size() >= at && text.substr(at).starts_with(magic);
}

}  // namespace

const char* name(ImageFormat format) {
  switch (format) {
    case ImageFormat::kUnknown:
      return "";
    case ImageFormat::kJpeg:
      return "JPEG";
    case ImageFormat::kPng:
      return "PNG";
    case ImageFormat::kGif:
      return "GIF";
    case ImageFormat::kBmp:
      return "BMP";
    case ImageFormat::kTiff:
      return "TIFF";
    case ImageFormat::kWebp:
      return "WEBP";
  }
  return "";
}

ImageFormat recognise(Bytes data) {
  using std::string_view;
  if (is_jpeg(data)) return ImageFormat::kJpeg;
  if (has_at(data, 0, "\x89PNG\r\n\x1a\n")) return ImageFormat::kPng;
  if (has_at(data, 0, "GIF87a") || has_at(data, 0, "GIF89a")) return ImageFormat::kGif;
  if (has_at(data, 0, "BM")) return ImageFormat::kBmp;
  if (has_at(data, 0, string_view("II*\0", 4)) || has_at(data, 0, string_view("MM\0*", 4))) {
    return ImageFormat::kTiff;
  }
  if (has_at(data, 0, "RIFF") && has_at(data, 8, "WEBP")) return ImageFormat::kWebp;
  return ImageFormat::kUnknown;
}

ProbeResult probe(Bytes data, Scanning scanning) {
  ProbeResult result;
  result.format = recognise(data);
  if (result.format != ImageFormat::kJpeg) return result;
  const JpegSurvey survey = survey_jpeg(data);
  result.irregular = survey.irregular;
  if (!survey.irregular.empty()) return result;
  result.regular = true;
  result.size = survey.size;
  const Orientation orientation = read_orientation(survey);
  result.orientation = orientation.value;
  result.broken_exif = orientation.broken;
  result.components = survey.components;
  result.baseline = survey.baseline;
  result.progressive = survey.progressive;
  result.complete = ends_with_eoi(data, survey);
  jpeg::Header header;
  if (scanning == Scanning::kNone || jpeg::parse_header(data, header) != jpeg::Unsuited::kNone) return result;
  if (scanning == Scanning::kWalkForEntryPoints) {
    result.entry_points = jpeg::make_entry_points(header, data);
    result.sound = !result.entry_points.empty();
  } else {
    result.sound = jpeg::is_sound(header, data);
  }
  return result;
}

}  // namespace fastinet
