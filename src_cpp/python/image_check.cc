// fastinet._core.check_images: what sidecars say of images, compared with the images.
#include "convert/image_check.h"

#include <pybind11/stl.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "python/bind.h"
#include "python/text.h"
#include "shard/dataset.h"

namespace py = pybind11;

namespace fastinet::python {
namespace {

py::tuple check_images(const ShardedDataset& dataset, int64_t first, int64_t count, int64_t every) {
  std::vector<std::pair<int64_t, Disagreement>> disagreements;
  std::vector<int64_t> unsettled;
  {
    const py::gil_scoped_release release;
    for (int64_t i = first; i < first + count; ++i) {
      const ShardedDataset::Handle handle = dataset.record(i);
      ImageFindings findings = check_image(handle.record, every > 0 && i % every == 0);
      for (Disagreement& d : findings.disagreements) disagreements.emplace_back(i, std::move(d));
      if (findings.unsettled) unsettled.push_back(i);
      ShardedDataset::check_intact(handle);
    }
  }
  py::list rows;
  for (const auto& [record, d] : disagreements)
    rows.append(py::make_tuple(record, text(d.problem), text(d.expected), text(d.found)));
  return py::make_tuple(rows, unsettled);
}

}  // namespace

void bind_image_check(py::module_& m) {
  m.def("check_images", &check_images, py::arg("dataset"), py::arg("first"), py::arg("count"),
        py::arg("every"));
}

}  // namespace fastinet::python
