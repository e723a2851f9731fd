// fastinet._core.ShardBuilder and IndexBuilder, and what conversion needs beside them.
#include <pybind11/stl.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "convert/extent_reader.h"
#include "convert/index_builder.h"
#include "convert/shard_builder.h"
#include "image/codec/probe.h"
#include "python/bind.h"
#include "python/boxes.h"
#include "python/image.h"
#include "python/text.h"

namespace py = pybind11;

namespace fastinet::python {
namespace {

OnBad parse_policy(const std::string& name) {
  if (name == "fail") return OnBad::kFail;
  if (name == "skip") return OnBad::kSkip;
  if (name == "keep") return OnBad::kKeep;
  throw Error(ErrorKind::kArgument, "no such policy for bad files",
              {.expected = "fail, skip or keep", .found = name});
}

Check parse_check(const std::string& name) {
  if (name == "full") return Check::kFull;
  if (name == "fast") return Check::kFast;
  if (name == "none") return Check::kNone;
  throw Error(ErrorKind::kArgument, "no such check of images",
              {.expected = "fast, full or none", .found = name});
}

// Calls fastinet.images.judge.judge. Acquires the GIL.
Judgement ask_pillow(std::span<const uint8_t> payload) {
  const py::gil_scoped_acquire gil;
  const py::object ask = py::module_::import("fastinet.images.judge").attr("judge");
  const py::object answer = ask(to_python(payload));
  if (py::isinstance<py::str>(answer)) return {.refusal = bytes_of(answer)};
  const auto [width, height, orientation, mode] = answer.cast<std::tuple<int, int, int, std::string>>();
  return {{}, width, height, orientation, mode};
}

// Calls fastinet.images.normalise.to_rgb_jpeg. Acquires the GIL.
Normalised normalise(std::span<const uint8_t> payload) {
  const py::gil_scoped_acquire gil;
  const py::object convert = py::module_::import("fastinet.images.normalise").attr("to_rgb_jpeg");
  const py::object answer = convert(to_python(payload));
  if (py::isinstance<py::str>(answer)) return {.refusal = bytes_of(answer)};
  return {.jpeg = answer.cast<std::string>()};
}

std::vector<SampleExtent> extents_of(const py::list& rows) {
  std::vector<SampleExtent> samples;
  samples.reserve(rows.size());
  for (const py::handle item : rows) {
    const auto row = py::reinterpret_borrow<py::tuple>(item);
    samples.push_back({bytes_of(row[0]), bytes_of(row[1]), row[2].cast<int64_t>(), row[3].cast<int64_t>(),
                       row[4].cast<int64_t>(), row[5].cast<int32_t>(), bytes_of(row[6]),
                       boxes_of(row[7].cast<std::optional<BoxesTuple>>())});
  }
  return samples;
}

// (name, offset, size) of the files, and (name, kind, offset) of the other members.
py::tuple listing_of(const std::vector<TarMember>& members, const std::vector<SkippedMember>& skipped) {
  py::list files;
  for (const TarMember& m : members) files.append(py::make_tuple(text(m.name), m.offset, m.size));
  py::list others;
  for (const SkippedMember& s : skipped) others.append(py::make_tuple(text(s.name), s.reason, s.offset));
  return py::make_tuple(files, others);
}

py::dict report_of(const ShardReport& report) {
  py::dict examples;
  for (const auto& [remark, keys] : report.examples) {
    py::list list;
    for (const std::string& key : keys) list.append(text(key));
    examples[text(remark)] = list;
  }
  py::dict result;
  result["records"] = report.files.record_count;
  result["payload_bytes"] = report.payload_bytes;
  result["tar_bytes"] = report.files.tar_size;
  result["tar_xxh3"] = report.files.tar_xxh3;
  result["index_bytes"] = report.files.index_size;
  result["index_xxh3"] = report.files.index_xxh3;
  result["tar_chunks"] = report.files.tar_chunks;
  result["index_chunks"] = report.files.index_chunks;
  result["index_head_bytes"] = report.files.index_head_size;
  result["index_prefix_bytes"] = report.files.index_prefix_size;
  result["index_file_xxh3"] = report.files.index_file_xxh3;
  result["with_entry_points"] = report.with_entry_points;
  result["remarks"] = report.remarks;
  result["labels"] = report.labels;
  result["examples"] = examples;
  return result;
}

// The Python face of a ShardBuilder. After finish() or abandon(), every call raises StateError.
class BoundShardBuilder {
 public:
  BoundShardBuilder(const py::object& tar_path, const py::object& index_path, const std::string& on_bad,
                    bool entry_points, bool normalise_odd, const std::string& check)
      : builder_(std::make_unique<ShardBuilder>(
            bytes_of(tar_path), bytes_of(index_path), parse_policy(on_bad), parse_check(check), entry_points,
            ask_pillow, normalise_odd ? Normaliser(normalise) : Normaliser())) {}

  py::list add_extents(const py::list& rows) {
    const std::vector<SampleExtent> samples = extents_of(rows);
    std::vector<std::pair<size_t, std::string>> bad;
    {
      const py::gil_scoped_release release;
      bad = open().add(samples);
    }
    py::list result;
    for (const auto& [place, reason] : bad) result.append(py::make_tuple(place, text(reason)));
    return result;
  }

  py::str add_bytes(const py::object& key, const py::bytes& payload, int32_t label,
                    const py::object& annotation, const py::object& origin,
                    const std::optional<BoxesTuple>& box_tuple, std::optional<uint64_t> original_xxh3) {
    const std::string_view data = payload;
    const std::string names[] = {bytes_of(key), bytes_of(annotation), bytes_of(origin)};
    const std::optional<Boxes> boxes = boxes_of(box_tuple);
    std::string reason;
    {
      const py::gil_scoped_release release;
      const std::span bytes(reinterpret_cast<const uint8_t*>(data.data()), data.size());
      reason =
          open().add(names[0], bytes, label, names[1], boxes ? &*boxes : nullptr, names[2], original_xxh3);
    }
    return text(reason);
  }

  py::dict finish() {
    ShardReport report;
    {
      const py::gil_scoped_release release;
      report = open().finish();
      builder_.reset();
    }
    return report_of(report);
  }

  void abandon() { builder_.reset(); }

 private:
  ShardBuilder& open() {
    if (builder_ == nullptr) throw Error(ErrorKind::kState, "this shard is finished or abandoned");
    return *builder_;
  }

  std::unique_ptr<ShardBuilder> builder_;
};

// Returns what a conversion would record about an image, and why it would refuse it, "" for a good one.
py::tuple examine(const py::bytes& payload, const std::string& check) {
  const std::string_view data = payload;
  const Check how = parse_check(check);
  std::optional<ImageExamination> image;
  {
    const py::gil_scoped_release release;
    image.emplace(std::span(reinterpret_cast<const uint8_t*>(data.data()), data.size()), ask_pillow, how);
  }
  const ImageFacts& facts = image->facts();
  py::dict d;
  d["width"] = facts.width;
  d["height"] = facts.height;
  d["orientation"] = facts.orientation;
  d["format"] = name(recognise_encoding({reinterpret_cast<const uint8_t*>(data.data()), data.size()}));
  d["clean"] = facts.clean;
  d["entry_points"] =
      py::bytes(reinterpret_cast<const char*>(facts.entry_points.data()), facts.entry_points.size());
  return py::make_tuple(d, text(image->refusal()));
}

py::bytes read_extent(const py::object& path, int64_t offset, int64_t length, int64_t listed_size) {
  ExtentReader reader;
  std::span<const uint8_t> data;
  const std::string name = bytes_of(path);
  {
    const py::gil_scoped_release release;
    data = reader.read(name, offset, length, listed_size);
  }
  return {reinterpret_cast<const char*>(data.data()), data.size()};
}

void bind_index_builder(py::module_& m) {
  py::class_<IndexBuilder>(m, "IndexBuilder")
      .def(py::init([](const py::object& tar, const std::string& on_bad, const std::string& check) {
             return std::make_unique<IndexBuilder>(bytes_of(tar), parse_policy(on_bad), parse_check(check),
                                                   ask_pillow);
           }),
           py::arg("tar_path"), py::arg("on_bad"), py::arg("check") = "fast")
      .def("scan",
           [](const IndexBuilder& builder) {
             std::vector<TarMember> members;
             std::vector<SkippedMember> skipped;
             {
               const py::gil_scoped_release release;
               builder.scan({[&](const TarMember& member) { members.push_back(member); },
                             [&](const SkippedMember& member) { skipped.push_back(member); }});
             }
             return listing_of(members, skipped);
           })
      .def(
          "read",
          [](const IndexBuilder& builder, uint64_t offset, uint64_t size) {
            return py::bytes(builder.read(offset, size));
          },
          py::arg("offset"), py::arg("size"))
      .def(
          "examine",
          [](IndexBuilder& builder, const py::object& key, uint64_t offset, uint64_t size) {
            const std::string name = bytes_of(key);
            const std::string refusal = [&] {
              const py::gil_scoped_release release;
              return builder.examine(name, offset, size);
            }();
            return text(refusal);
          },
          py::arg("key"), py::arg("offset"), py::arg("size"))
      .def_property_readonly("accepted", &IndexBuilder::accepted)
      .def(
          "add",
          [](IndexBuilder& builder, int32_t label, const std::optional<BoxesTuple>& box_tuple) {
            const std::optional<Boxes> boxes = boxes_of(box_tuple);
            const py::gil_scoped_release release;
            builder.add(label, boxes ? &*boxes : nullptr);
          },
          py::arg("label"), py::arg("boxes") = py::none())
      .def(
          "finish",
          [](IndexBuilder& builder, const py::object& index) {
            const std::string path = bytes_of(index);
            const ShardReport report = [&] {
              const py::gil_scoped_release release;
              return builder.finish(path);
            }();
            return report_of(report);
          },
          py::arg("index_path"));
}

}  // namespace

void bind_convert(py::module_& m) {
  py::class_<BoundShardBuilder>(m, "ShardBuilder")
      .def(py::init<const py::object&, const py::object&, const std::string&, bool, bool,
                    const std::string&>(),
           py::arg("tar_path"), py::arg("index_path"), py::arg("on_bad"), py::arg("entry_points"),
           py::arg("normalise_odd") = false, py::arg("check") = "fast")
      .def("add_extents", &BoundShardBuilder::add_extents, py::arg("rows"))
      .def("add_bytes", &BoundShardBuilder::add_bytes, py::arg("key"), py::arg("payload"), py::arg("label"),
           py::arg("annotation"), py::arg("origin"), py::arg("boxes") = py::none(),
           py::arg("original_xxh3") = py::none())
      .def("finish", &BoundShardBuilder::finish)
      .def("abandon", &BoundShardBuilder::abandon);
  bind_index_builder(m);
  m.attr("COMMON_REMARKS") = std::vector<std::string>(std::begin(kCommonRemarks), std::end(kCommonRemarks));
  m.def("examine", &examine, py::arg("payload"), py::arg("check") = "fast");
  m.def("read_extent", &read_extent, py::arg("path"), py::arg("offset"), py::arg("length"),
        py::arg("listed_size") = -1);
}

}  // namespace fastinet::python
