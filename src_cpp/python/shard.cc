// Shards: fastinet._core.ShardedDataset and Record to read, ShardWriter and IndexWriter to write.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/encoding.h"
#include "base/hash.h"
#include "python/bind.h"
#include "python/boxes.h"
#include "python/text.h"
#include "shard/chunk_hashes.h"
#include "shard/dataset.h"
#include "shard/index_writer.h"
#include "shard/key.h"
#include "shard/shard_pool.h"
#include "shard/verify.h"
#include "shard/writer.h"
#include "storage/output_file.h"

namespace py = pybind11;

namespace fastinet::python {
namespace {

using SpecTuple =
    std::tuple<py::object, py::object, int64_t, uint64_t, uint64_t, uint64_t, std::shared_ptr<LabelMap>>;

// The contiguous bytes of a bytes object, memoryview or uint8 array, kept alive and unmoved.
class ByteView {
 public:
  explicit ByteView(const py::buffer& buffer) : info_(buffer.request()) {
    if (info_.itemsize != 1 || info_.ndim != 1 || (info_.size > 0 && info_.strides[0] != 1)) {
      throw Error(ErrorKind::kArgument, "data must be one-dimensional, contiguous bytes");
    }
  }
  std::span<const uint8_t> bytes() const {
    return {static_cast<const uint8_t*>(info_.ptr), static_cast<size_t>(info_.size)};
  }

 private:
  py::buffer_info info_;
};

py::bytes as_bytes(std::span<const uint8_t> data) {
  return {reinterpret_cast<const char*>(data.data()), data.size()};
}

ShardSpec spec_of(const SpecTuple& t) {
  const auto& [tar, index, records, tar_size, index_size, index_xxh3, label_map] = t;
  return {bytes_of(tar), bytes_of(index), records, tar_size, index_size, index_xxh3, label_map};
}

py::dict summary_dict(const ShardSummary& s) {
  py::dict d;
  d["records"] = s.record_count;
  d["bytes"] = s.tar_size;
  d["xxh3"] = s.tar_xxh3;
  d["index_bytes"] = s.index_size;
  d["index_xxh3"] = s.index_xxh3;
  d["tar_chunks"] = s.tar_chunks;
  d["index_chunks"] = s.index_chunks;
  d["index_head_bytes"] = s.index_head_size;
  d["index_prefix_bytes"] = s.index_prefix_size;
  d["index_file_xxh3"] = s.index_file_xxh3;
  return d;
}

py::object boxes_tuple(const ShardedDataset::Handle& handle) {
  const Boxes boxes = handle.boxes();
  if (boxes == Boxes{}) return py::none();
  py::list rows;
  for (const Box& b : boxes.boxes)
    rows.append(py::make_tuple(b.label, b.xmin, b.ymin, b.xmax, b.ymax, b.flags));
  return py::make_tuple(boxes.width, boxes.height, rows);
}

py::tuple boxes_arrays(const BoxTable& table) {
  const auto records = static_cast<py::ssize_t>(table.counts.size());
  py::array_t<int64_t> counts(records, table.counts.data());
  py::array_t<int32_t> sizes(std::vector<py::ssize_t>{records, 2});
  int32_t* out = sizes.mutable_data();
  for (const auto& [width, height] : table.sizes) *out++ = width, *out++ = height;
  py::array_t<int32_t> rows(std::vector<py::ssize_t>{static_cast<py::ssize_t>(table.rows.size()), 6});
  out = rows.mutable_data();
  for (const Box& b : table.rows) {
    for (const int32_t value : {b.label, b.xmin, b.ymin, b.xmax, b.ymax, static_cast<int32_t>(b.flags)})
      *out++ = value;
  }
  return py::make_tuple(counts, sizes, rows);
}

ImageFacts facts_of(int32_t width, int32_t height, int32_t orientation, const std::string& format, bool clean,
                    const py::bytes& entry_points) {
  const std::string_view bytes = entry_points;
  return {width,       height,
          orientation, encoding_named(format),
          clean,       {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}};
}

void bind_record(py::module_& m) {
  using Handle = ShardedDataset::Handle;
  py::class_<Handle>(m, "Record", py::buffer_protocol())
      .def_buffer([](Handle& h) {
        const auto payload = h.record.payload;
        return py::buffer_info(const_cast<uint8_t*>(payload.data()), 1,
                               py::format_descriptor<uint8_t>::format(), 1,
                               {static_cast<py::ssize_t>(payload.size())}, {1}, true);
      })
      .def_property_readonly("shard", [](const Handle& h) { return text(h.owner->path()); })
      .def_property_readonly("number", [](const Handle& h) { return h.number; })
      .def_property_readonly("key", [](const Handle& h) { return text(h.key()); })
      .def_property_readonly("label", [](const Handle& h) { return h.record.label; })
      .def_property_readonly("width", [](const Handle& h) { return h.record.width; })
      .def_property_readonly("height", [](const Handle& h) { return h.record.height; })
      .def_property_readonly("orientation", [](const Handle& h) { return h.record.orientation; })
      .def_property_readonly("format", [](const Handle& h) { return name(h.record.encoding); })
      .def_property_readonly("clean", [](const Handle& h) { return h.record.clean; })
      .def_property_readonly("payload_xxh3", [](const Handle& h) { return h.record.payload_xxh3; })
      .def_property_readonly("original_xxh3", [](const Handle& h) { return h.record.original_xxh3; })
      .def_property_readonly("entry_points", [](const Handle& h) { return as_bytes(h.record.entry_points); })
      .def_property_readonly("boxes", &boxes_tuple)
      .def(
          "check_payload",
          [](const Handle& h) {
            BusErrorGuard::keep_installed();  // the record may have been looked up long ago
            ShardedDataset::check_payload(h);
          },
          py::call_guard<py::gil_scoped_release>())
      .def("check_entry_points", &ShardedDataset::check_entry_points);
}

void bind_dataset(py::module_& m) {
  PYBIND11_NUMPY_DTYPE_EX(RecordFacts, label, "label", width, "width", height, "height", payload_bytes,
                          "payload_bytes", entry_points_bytes, "entry_points_bytes", orientation,
                          "orientation", encoding, "format", clean, "clean", boxes, "boxes", payload_offset,
                          "payload_offset");
  py::class_<LabelMap, std::shared_ptr<LabelMap>>(m, "LabelMap")
      .def(py::init<std::vector<int32_t>>(), py::arg("classes"))
      .def("__len__", &LabelMap::size)
      .def("__call__", &LabelMap::operator(), py::arg("label"));
  py::class_<ShardedDataset, std::shared_ptr<ShardedDataset>>(m, "ShardedDataset")
      .def(py::init([](const std::vector<SpecTuple>& tuples) {
             std::vector<ShardSpec> specs;
             specs.reserve(tuples.size());
             for (const SpecTuple& t : tuples) specs.push_back(spec_of(t));
             const py::gil_scoped_release release;
             return std::make_shared<ShardedDataset>(std::move(specs));
           }),
           py::arg("shards"))
      .def("__len__", &ShardedDataset::size)
      .def_property_readonly("shard_count", &ShardedDataset::shard_count)
      .def("locate", &ShardedDataset::locate, py::arg("index"))
      .def("record", &ShardedDataset::record, py::arg("index"), py::call_guard<py::gil_scoped_release>())
      .def("prefetch", &ShardedDataset::prefetch, py::arg("index"), py::call_guard<py::gil_scoped_release>())
      .def(
          "labels",
          [](const ShardedDataset& d, int64_t first, int64_t count) {
            py::array_t<int32_t> out(std::max<int64_t>(count, 0));
            int32_t* const data = out.mutable_data();
            const py::gil_scoped_release release;
            d.labels(first, count, data);
            return out;
          },
          py::arg("first"), py::arg("count"))
      .def(
          "payload_hashes",
          [](const ShardedDataset& d, int64_t first, int64_t count) {
            py::array_t<uint64_t> out(std::max<int64_t>(count, 0));
            uint64_t* const data = out.mutable_data();
            const py::gil_scoped_release release;
            d.payload_hashes(first, count, data);
            return out;
          },
          py::arg("first"), py::arg("count"))
      .def(
          "keys",
          [](const ShardedDataset& d, int64_t first, int64_t count) {
            const std::vector<std::string> keys = [&] {
              const py::gil_scoped_release release;
              return d.keys(first, count);
            }();
            py::list out;
            for (const std::string& key : keys) out.append(text(key));
            return out;
          },
          py::arg("first"), py::arg("count"))
      .def(
          "facts",
          [](const ShardedDataset& d, int64_t first, int64_t count) {
            py::array_t<RecordFacts> out(std::max<int64_t>(count, 0));
            RecordFacts* const data = out.mutable_data();
            const py::gil_scoped_release release;
            d.facts(first, count, data);
            return out;
          },
          py::arg("first"), py::arg("count"))
      .def(
          "boxes",
          [](const ShardedDataset& d, int64_t first, int64_t count) {
            const BoxTable table = [&] {
              const py::gil_scoped_release release;
              return d.boxes(first, count);
            }();
            return boxes_arrays(table);
          },
          py::arg("first"), py::arg("count"));
  m.def(
      "verify_shard",
      [](const SpecTuple& tuple, uint64_t tar_xxh3) {
        const ShardSpec spec = spec_of(tuple);
        std::vector<Error> faults;
        const VerifyCounts counts = [&] {
          const py::gil_scoped_release release;
          return verify_shard(spec, tar_xxh3, [&](const Error& e) { faults.push_back(e); });
        }();
        py::list errors;
        for (const Error& e : faults) errors.append(exception_of(e));
        return py::make_tuple(counts.records, counts.payload_bytes, errors);
      },
      py::arg("shard"), py::arg("tar_xxh3"));
  m.def(
      "check_tar",
      [](const py::object& path, uint64_t tar_xxh3) {
        const std::string tar = bytes_of(path);
        const py::gil_scoped_release release;
        check_tar(tar, tar_xxh3);
      },
      py::arg("path"), py::arg("tar_xxh3"));
}

void bind_chunks(py::module_& m) {
  m.def(
      "chunk_hashes",
      [](const py::object& path) {
        const std::string name = bytes_of(path);
        const py::gil_scoped_release release;
        return hash_file(name).chunks;
      },
      py::arg("path"));
}

void bind_pool(py::module_& m) {
  m.def("mapped_shards", &mapped_shards);
  m.def("max_mapped_shards", &max_mapped_shards);
  m.def("set_max_mapped_shards", &set_max_mapped_shards, py::arg("count"),
        py::call_guard<py::gil_scoped_release>());
}

void bind_writers(py::module_& m) {
  py::class_<ShardWriter>(m, "ShardWriter")
      .def(py::init([](const py::object& tar, const py::object& index) {
             return std::make_unique<ShardWriter>(bytes_of(tar), bytes_of(index));
           }),
           py::arg("tar_path"), py::arg("index_path"))
      .def("__len__", &ShardWriter::size)
      .def_property_readonly("tar_size", &ShardWriter::tar_size)
      .def(
          "add",
          [](ShardWriter& w, const py::object& key, const std::string& extension, const py::buffer& payload,
             int32_t label, int32_t width, int32_t height, int32_t orientation, const std::string& format,
             bool clean, const py::bytes& entry_points, const std::string& json,
             const std::optional<BoxesTuple>& box_tuple) {
            const std::string name = bytes_of(key);
            const ImageFacts facts = facts_of(width, height, orientation, format, clean, entry_points);
            const std::optional<Boxes> boxes = boxes_of(box_tuple);
            const ByteView data(payload);
            const py::gil_scoped_release release;
            w.add(name, extension, data.bytes(), label, facts, json, boxes ? &*boxes : nullptr);
          },
          py::arg("key"), py::arg("extension"), py::arg("payload"), py::arg("label") = -1, py::kw_only(),
          py::arg("width") = 0, py::arg("height") = 0, py::arg("orientation") = 1, py::arg("format") = "",
          py::arg("clean") = false, py::arg("entry_points") = py::bytes(), py::arg("json") = "",
          py::arg("boxes") = py::none())
      .def("finish", [](ShardWriter& w) {
        const ShardSummary summary = [&] {
          const py::gil_scoped_release release;
          return w.finish();
        }();
        return summary_dict(summary);
      });

  py::class_<IndexWriter>(m, "IndexWriter")
      .def(py::init([](const py::object& tar) { return std::make_unique<IndexWriter>(bytes_of(tar)); }),
           py::arg("tar_path"))
      .def("scan",
           [](const IndexWriter& w) {
             std::vector<TarMember> members;
             std::vector<SkippedMember> skipped;
             {
               const py::gil_scoped_release release;
               w.scan({[&](const TarMember& member) { members.push_back(member); },
                       [&](const SkippedMember& member) { skipped.push_back(member); }});
             }
             py::list regular;
             for (const TarMember& t : members)
               regular.append(py::make_tuple(text(t.name), t.offset, t.size));
             py::list other;
             for (const SkippedMember& s : skipped)
               other.append(py::make_tuple(text(s.name), s.reason, s.offset));
             return py::make_tuple(regular, other);
           })
      .def(
          "read",
          [](const IndexWriter& w, uint64_t offset, uint64_t size) {
            const py::bytes bytes = as_bytes(w.content(offset, size));
            w.tar().check_intact();
            return bytes;
          },
          py::arg("offset"), py::arg("size"))
      .def(
          "add",
          [](IndexWriter& w, const py::object& key, uint64_t offset, uint64_t size, int32_t label,
             int32_t width, int32_t height, int32_t orientation, const std::string& format, bool clean,
             const py::bytes& entry_points, const std::optional<BoxesTuple>& box_tuple) {
            const std::string name = bytes_of(key);
            const ImageFacts facts = facts_of(width, height, orientation, format, clean, entry_points);
            const std::optional<Boxes> boxes = boxes_of(box_tuple);
            const py::gil_scoped_release release;
            w.add(name, offset, size, label, facts, boxes ? &*boxes : nullptr);
          },
          py::arg("key"), py::arg("offset"), py::arg("size"), py::arg("label") = -1, py::kw_only(),
          py::arg("width") = 0, py::arg("height") = 0, py::arg("orientation") = 1, py::arg("format") = "",
          py::arg("clean") = false, py::arg("entry_points") = py::bytes(), py::arg("boxes") = py::none())
      .def(
          "finish",
          [](IndexWriter& w, const py::object& index) {
            const std::string path = bytes_of(index);
            const ShardSummary summary = [&] {
              const py::gil_scoped_release release;
              return w.finish(path);
            }();
            return summary_dict(summary);
          },
          py::arg("index_path"));
}

void bind_files(py::module_& m) {
  m.def(
      "write_file",
      [](const py::object& path, const py::buffer& data) {
        const std::string name = bytes_of(path);
        const ByteView bytes(data);
        const py::gil_scoped_release release;
        OutputFile file(name);
        file.write(bytes.bytes());
        file.commit();
      },
      py::arg("path"), py::arg("data"));
  m.def(
      "remove_stale_temporaries",
      [](const py::object& folder) {
        py::list names;
        for (const std::string& name : remove_stale_temporaries(bytes_of(folder))) names.append(text(name));
        return names;
      },
      py::arg("folder"));
  m.def(
      "xxh3", [](const py::buffer& data) { return xxh3(ByteView(data).bytes()); }, py::arg("data"));
  m.def(
      "check_key", [](const py::object& key) { check_key(bytes_of(key)); }, py::arg("key"));
  m.def(
      "escape_key", [](const py::object& name) { return text(escape_key(bytes_of(name))); }, py::arg("name"));
  m.def(
      "unescape_key", [](const py::object& key) { return text(unescape_key(bytes_of(key))); },
      py::arg("key"));
}

}  // namespace

void bind_shard(py::module_& m) {
  py::list encodings;
  for (int code = 0; code < kEncodingCount; ++code) encodings.append(name(static_cast<Encoding>(code)));
  m.attr("ENCODINGS") = py::tuple(encodings);
  bind_record(m);
  bind_dataset(m);
  bind_chunks(m);
  bind_pool(m);
  bind_writers(m);
  bind_files(m);
}

}  // namespace fastinet::python
