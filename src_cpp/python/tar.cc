// fastinet._core.scan_tar.
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "python/bind.h"
#include "python/text.h"
#include "shard/tar/scan.h"
#include "storage/mapped_file.h"

namespace py = pybind11;

namespace fastinet::python {
namespace {

struct Listing {
  std::vector<TarMember> members;
  std::vector<SkippedMember> skipped;
};

// The archive that lies in [offset, offset + length) of a file, or all from offset on where length is -1.
Listing list_archive(const std::string& path, int64_t offset, int64_t length, const std::string& origin) {
  const MappedFile file(path);
  const int64_t size = static_cast<int64_t>(file.bytes().size());
  if (offset < 0 || offset > size || length > size - offset) {
    throw Error(ErrorKind::kTruncated, "the file ends before the archive does",
                {.path = origin,
                 .expected = std::to_string(length) + " bytes from offset " + std::to_string(offset),
                 .found = "a file of " + std::to_string(size) + " bytes"});
  }
  const auto archive = file.bytes().subspan(static_cast<size_t>(offset),
                                            static_cast<size_t>(length < 0 ? size - offset : length));
  Listing listing;
  try {
    scan_tar(archive, {[&](const TarMember& member) { listing.members.push_back(member); },
                       [&](const SkippedMember& member) { listing.skipped.push_back(member); }});
  } catch (const Error& e) {
    file.check_intact();
    throw e.within({.path = origin});
  }
  file.check_intact();
  for (TarMember& member : listing.members) member.offset += static_cast<uint64_t>(offset);
  for (SkippedMember& member : listing.skipped) member.offset += static_cast<uint64_t>(offset);
  return listing;
}

py::tuple scan(const py::object& path, int64_t offset, int64_t length, const py::object& origin) {
  const std::string name = bytes_of(path);
  const std::string shown = origin.is_none() ? name : bytes_of(origin);
  Listing listing;
  {
    const py::gil_scoped_release release;
    listing = list_archive(name, offset, length, shown);
  }
  py::list members;
  for (const TarMember& m : listing.members) members.append(py::make_tuple(text(m.name), m.offset, m.size));
  py::list skipped;
  for (const SkippedMember& s : listing.skipped)
    skipped.append(py::make_tuple(text(s.name), s.reason, s.offset));
  return py::make_tuple(members, skipped);
}

}  // namespace

void bind_tar(py::module_& m) {
  m.def("scan_tar", &scan, py::arg("path"), py::arg("offset") = 0, py::arg("length") = -1,
        py::arg("origin") = py::none());
}

}  // namespace fastinet::python
