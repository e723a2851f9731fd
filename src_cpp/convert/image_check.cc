#include "convert/image_check.h"

#include <utility>

#include "image/codec/jpeg/entry_point_check.h"
#include "image/codec/probe.h"

namespace fastinet {
namespace {

std::string size_text(int width, int height) { return std::to_string(width) + "x" + std::to_string(height); }

}  // namespace

ImageFindings check_image(const RecordView& r, bool scan) {
  ImageFindings findings;
  const auto disagree = [&](std::string problem, std::string expected, std::string found) {
    findings.disagreements.push_back({std::move(problem), std::move(expected), std::move(found)});
  };
  const ProbeResult image = probe(r.payload, Scanning::kNone);
  if (r.encoding != Encoding::kUnknown && r.encoding != image.encoding)
    disagree("payload's format", describe(image.encoding), describe(r.encoding));
  if (r.clean && image.regular && !image.complete)
    disagree("decoded to the last row when the sidecar was made", "no: the file is cut short", "yes");
  if (r.width != 0 || r.height != 0) {  // else they are not known
    if (!image.regular || image.orientation == 0) {
      findings.unsettled = scan;
    } else {
      if (r.width != image.size.width || r.height != image.size.height)
        disagree("image size", size_text(image.size.width, image.size.height), size_text(r.width, r.height));
      if (r.orientation != image.orientation)
        disagree("EXIF orientation", std::to_string(image.orientation), std::to_string(r.orientation));
    }
  }
  jpeg::EntryPointFault fault = jpeg::find_entry_point_fault(r.payload, r.entry_points, scan);
  if (!fault.problem.empty())
    disagree(std::move(fault.problem), std::move(fault.expected), std::move(fault.found));
  return findings;
}

}  // namespace fastinet
