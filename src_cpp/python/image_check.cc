// fastinet._core.check_images: what sidecars say of images, against the images.
#include <pybind11/stl.h>

#include <string>
#include <utility>
#include <vector>

#include "convert/examination.h"
#include "image/codec/jpeg/entry_point_check.h"
#include "image/codec/probe.h"
#include "python/bind.h"
#include "python/text.h"
#include "shard/dataset.h"

namespace py = pybind11;

namespace fastinet::python {
namespace {

struct Disagreement {
  int64_t record;
  std::string problem, expected, found;
};

struct Findings {
  std::vector<Disagreement> disagreements;
  std::vector<int64_t> unsettled;  // scanned records of which only a decoder can tell size and orientation
};

std::string size_text(int width, int height) { return std::to_string(width) + "x" + std::to_string(height); }

void check_image(const RecordView& r, int64_t number, bool scan, Findings& findings) {
  const auto disagree = [&](std::string problem, std::string expected, std::string found) {
    findings.disagreements.push_back({number, std::move(problem), std::move(expected), std::move(found)});
  };
  const ProbeResult image = probe(r.payload, Scanning::kNone);
  if (r.encoding != Encoding::kUnknown && r.encoding != image.encoding)
    disagree("payload's format", describe(image.encoding), describe(r.encoding));
  if (r.clean && image.regular && !image.complete)
    disagree("decoded to the last row when the sidecar was made", "no: the file is cut short", "yes");
  if (r.width != 0 || r.height != 0) {  // else they are not known
    if (!image.regular || image.orientation == 0) {
      if (scan) findings.unsettled.push_back(number);
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
}

py::tuple check_images(const ShardedDataset& dataset, int64_t first, int64_t count, int64_t every) {
  Findings findings;
  {
    const py::gil_scoped_release release;
    for (int64_t i = first; i < first + count; ++i) {
      const ShardedDataset::Handle handle = dataset.record(i);
      check_image(handle.record, i, every > 0 && i % every == 0, findings);
      ShardedDataset::check_intact(handle);
    }
  }
  py::list disagreements;
  for (const Disagreement& d : findings.disagreements)
    disagreements.append(py::make_tuple(d.record, text(d.problem), text(d.expected), text(d.found)));
  return py::make_tuple(disagreements, findings.unsettled);
}

}  // namespace

void bind_image_check(py::module_& m) {
  m.def("check_images", &check_images, py::arg("dataset"), py::arg("first"), py::arg("count"),
        py::arg("every"));
}

}  // namespace fastinet::python
