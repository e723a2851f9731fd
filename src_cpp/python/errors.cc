// The one place where a core Error becomes a Python exception. Nothing of its context is lost.
#include <exception>

#include "base/error.h"
#include "python/bind.h"
#include "python/text.h"

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

py::object exception_of(const Error& e) {
  const ErrorContext& c = e.context();
  const py::object type = py::module_::import("fastinet.errors").attr(class_name(e.kind()));
  return type(text(e.what()), py::arg("path") = text(c.path), py::arg("record") = c.record,
              py::arg("key") = text(c.key), py::arg("expected") = text(c.expected),
              py::arg("found") = text(c.found), py::arg("errno") = c.sys_errno);
}

void bind_errors(py::module_&) {
  py::register_exception_translator([](std::exception_ptr p) {
    try {
      if (p) std::rethrow_exception(p);
    } catch (const Error& e) {
      const py::object value = exception_of(e);
      PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(value.ptr())), value.ptr());
    }
  });
}

}  // namespace fastinet::python
