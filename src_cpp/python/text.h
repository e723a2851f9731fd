// Names of files and members are bytes; Python's str holds them as os.fsdecode does.
#pragma once

#include <pybind11/pybind11.h>

#include <string>
#include <string_view>

namespace fastinet::python {

inline pybind11::str text(std::string_view bytes) {
  PyObject* const s =
      PyUnicode_DecodeUTF8(bytes.data(), static_cast<Py_ssize_t>(bytes.size()), "surrogateescape");
  if (s == nullptr) throw pybind11::error_already_set();
  return pybind11::reinterpret_steal<pybind11::str>(s);
}

// The bytes of a str (as os.fsencode gives them) or of a bytes object.
inline std::string bytes_of(const pybind11::object& value) {
  if (pybind11::isinstance<pybind11::bytes>(value)) return value.cast<std::string>();
  PyObject* const b = PyUnicode_AsEncodedString(value.ptr(), "utf-8", "surrogateescape");
  if (b == nullptr) throw pybind11::error_already_set();
  return pybind11::reinterpret_steal<pybind11::bytes>(b).cast<std::string>();
}

}  // namespace fastinet::python
