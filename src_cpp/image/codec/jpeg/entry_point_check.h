// Entry points against the file that they belong to: a false one gives wrong pixels, which no checksum shows.
#pragma once

#include <string>

#include "image/codec/jpeg/header.h"

namespace fastinet::jpeg {

struct EntryPointFault {
  std::string problem;  // empty: none was found
  std::string expected, found;
};

// Looks for what is wrong with the entry points of `file`, a whole JPEG file. `scan`: decodes the
// entropy-coded data and compares each entry with it; else only their form is checked. Entry points of
// another version than this code's are hints that it does not use, and pass. Never throws for bad data.
EntryPointFault find_entry_point_fault(Bytes file, Bytes entry_points, bool scan);

}  // namespace fastinet::jpeg
