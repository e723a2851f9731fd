#pragma once

#include "image/decoder.h"

namespace fastinet::python {

// Pillow, through fastinet._pillow. Takes the GIL for the time of a call: call it from any thread, but not
// while holding a lock that a holder of the GIL may wait for.
ForeignDecoder pillow_decoder();

}  // namespace fastinet::python
