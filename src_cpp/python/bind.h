#pragma once

#include <pybind11/pybind11.h>

namespace fastinet::python {

void bind_errors(pybind11::module_& m);  // must come first: it registers the one translation of errors

}  // namespace fastinet::python
