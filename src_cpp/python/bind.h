#pragma once

#include <pybind11/pybind11.h>

namespace fastinet::python {

void bind_errors(pybind11::module_& m);  // must come first: it registers the one translation of errors
void bind_dispatch(pybind11::module_& m);
void bind_resample(pybind11::module_& m);
void bind_image(pybind11::module_& m);

}  // namespace fastinet::python
