#include "image/codec/probe.h"

#include "image/codec/exif.h"
#include "image/codec/jpeg/scan.h"
#include "image/codec/jpeg/survey.h"

namespace fastinet {

ProbeResult probe(Bytes data, Scanning scanning) {
  ProbeResult result;
  result.encoding = recognise_encoding(data);
  if (result.encoding != Encoding::kJpeg) return result;
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
