#pragma once

#include <pybind11/pybind11.h>

#include "image/image_decoder.h"

namespace fastinet::python {

// Pillow, through fastinet._pillow. Takes the GIL for the time of a call: call it from any thread, but not
// while holding a lock that a holder of the GIL may wait for.
ForeignDecoder pillow_decoder();

// A copy. Throws py::error_already_set (MemoryError) where memory is short.
pybind11::bytes to_python(Bytes data);

}  // namespace fastinet::python
