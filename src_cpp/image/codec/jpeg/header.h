// The markers of a JPEG file (ITU-T T.81 annex B), read only as far as the fast path goes: one interleaved
// baseline or extended sequential 8-bit Huffman scan. Everything else is named and left to libjpeg-turbo.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "image/geometry.h"

namespace fastinet::jpeg {

// Why a file does not take the fast path. Countable; kNone: it does.
enum class Unsuited : uint8_t {
  kNone,
  kNotJpeg,     // does not start with SOI and a marker
  kTruncated,   // ends within its headers
  kMarkers,     // junk between markers, an unexpected marker, a wrong segment length
  kProcess,     // progressive, lossless, hierarchical or arithmetic
  kPrecision,   // not 8 bits a sample
  kSize,        // no rows or columns, more than 65500 of them, or more than 256 MiB of data
  kComponents,  // neither 1 nor 3 components
  kSampling,    // factors other than 4:4:4, 4:2:2, 4:4:0, 4:2:0
  kScan,        // not one interleaved scan of all components and coefficients
  kTables,      // a quantisation or Huffman table is missing or malformed
};
inline constexpr int kUnsuitedCount = static_cast<int>(Unsuited::kTables) + 1;
const char* name(Unsuited reason);

// What the samples are, as libjpeg's default_decompress_parms decides it from JFIF, Adobe and component ids.
enum class ColorSpace : uint8_t { kGray, kYCbCr, kRgb };

inline constexpr int kMaxComponents = 3;
inline constexpr int kMaxBlocksPerMcu = 6;

struct Component {
  uint8_t h = 1, v = 1;            // sampling factors: blocks of one MCU, across and down
  Bytes dc_table, ac_table;        // 16 code counts, then the symbols: the DHT segment's own bytes
  std::array<uint16_t, 64> quant;  // natural (row by row) order
};

// Refers to the bytes it was parsed from; they must outlive it.
struct Header {
  Size size;
  int components = 0;  // 1 or 3
  ColorSpace color = ColorSpace::kGray;
  std::array<Component, kMaxComponents> component;  // of a gray image: h = v = 1 whatever it declares
  int mcu_height = 8, mcu_width = 8;                // in pixels
  int mcu_rows = 0, mcu_columns = 0;
  int restart_interval = 0;  // in MCUs; 0: none
  size_t scan_offset = 0;    // of the first byte of entropy-coded data
};

// Fills `header` and returns kNone, or returns the first reason against the fast path (and leaves `header`
// unspecified). Never reads outside of `data`, never throws. Huffman codes are checked when their tables
// are built.
Unsuited parse_header(Bytes data, Header& header);

}  // namespace fastinet::jpeg
