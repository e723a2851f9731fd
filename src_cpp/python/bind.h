#pragma once

#include <pybind11/pybind11.h>

#include "base/error.h"

namespace fastinet::python {

// The Python exception for an error of the core, not raised.
pybind11::object exception_of(const Error& error);

void bind_errors(pybind11::module_& m);  // must come first: it registers the one translation of errors
void bind_dispatch(pybind11::module_& m);
void bind_resample(pybind11::module_& m);
void bind_image(pybind11::module_& m);
void bind_shard(pybind11::module_& m);
void bind_loader(pybind11::module_& m);
void bind_convert(pybind11::module_& m);
void bind_tar(pybind11::module_& m);
void bind_image_check(pybind11::module_& m);

}  // namespace fastinet::python
