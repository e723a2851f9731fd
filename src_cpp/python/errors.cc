// The one place where a core Error becomes a Python exception. Nothing of its context is lost.
#include <exception>

#include "base/error.h"
#include "python/bind.h"

namespace py = pybind11;

namespace fastinet::python {
namespace {

const char* class_name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kIo:
      return "ShardIOError";
    case ErrorKind::kMissing:
      return "MissingFileError";
    case ErrorKind::kTruncated:
      return "TruncatedError";
    case ErrorKind::kFormat:
      return "FormatError";
    case ErrorKind::kChecksum:
      return "ChecksumError";
    case ErrorKind::kDecode:
      return "DecodeError";
    case ErrorKind::kUnsupported:
      return "UnsupportedError";
    case ErrorKind::kArgument:
      return "ArgumentError";
    case ErrorKind::kState:
      return "StateError";
  }
  return "FastinetError";
}

}  // namespace

void bind_errors(py::module_&) {
  py::register_exception_translator([](std::exception_ptr p) {
    try {
      if (p) std::rethrow_exception(p);
    } catch (const Error& e) {
      const ErrorContext& c = e.context();
      py::object type = py::module_::import("fastinet.errors").attr(class_name(e.kind()));
      py::object value =
          type(e.what(), py::arg("path") = c.path, py::arg("record") = c.record, py::arg("key") = c.key,
               py::arg("expected") = c.expected, py::arg("found") = c.found, py::arg("errno") = c.sys_errno);
      PyErr_SetObject(type.ptr(), value.ptr());
    }
  });
}

}  // namespace fastinet::python
