// What can be told about an encoded image without decoding its pixels: for conversion and indexing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/encoding.h"
#include "image/codec/decoder.h"

namespace fastinet {

struct ProbeResult {
  Encoding encoding = Encoding::kUnknown;
  // A JPEG file that this core decodes itself. Otherwise the foreign decoder does, and the fields below are
  // not filled in.
  bool regular = false;
  std::string irregular;  // why a JPEG file is not regular
  Size size;              // as stored
  int orientation = 1;    // EXIF, 1 to 8; 0: only Pillow can say
  bool broken_exif = false;
  int components = 0;
  bool baseline = false;  // SOF0
  bool progressive = false;
  bool complete = false;  // the data end with EOI behind the first scan, or behind the last of several
  bool sound = false;  // the whole scan was walked: every decoder takes it to its last row without a warning
  std::vector<uint8_t> entry_points;  // as image/codec/jpeg/entry_points.h writes them; empty: none possible
};

// What to do with the entropy-coded data of a baseline file. Walking it takes most of the time of a probe.
enum class Scanning { kNone, kWalk, kWalkForEntryPoints };

// Never throws for bad data.
ProbeResult probe(Bytes data, Scanning scanning = Scanning::kWalkForEntryPoints);

}  // namespace fastinet
