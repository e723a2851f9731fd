// The entropy decoder (T.81 annex F) for a window of MCUs of one image, row by row, from the untouched bytes
// of the file. What libjpeg-turbo would decode with a warning is refused here, never guessed.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "image/codec/jpeg/entry_points.h"
#include "image/codec/jpeg/header.h"

namespace fastinet::jpeg {

enum class Decoded : uint8_t {
  kRow,       // a row of coefficients
  kEnd,       // every row of the window was delivered
  kCorrupt,   // data that libjpeg-turbo would warn about: decode the image with it instead
  kMismatch,  // the entry points belong to other data: decode without them
};

// MCU rows [top, bottom) and columns [left, right) of an image.
struct McuWindow {
  int top = 0, bottom = 0, left = 0, right = 0;
};

// Quantised coefficients are laid out as a SIMD inverse DCT wants them: four neighbouring blocks of a block
// row form a group; coefficient (u down, v across) of the group's block b lies at
//   group[u * 32 + b * 8 + v]        (u, v, natural order; not dequantised)
// so that one 64-byte vector holds row u of four blocks. Groups are kGroupStride apart and 64-byte aligned;
// what follows the first 256 values of a group is scratch. Blocks count from the window's left edge.
inline constexpr int kBlocksPerGroup = 4;
inline constexpr int kGroupStride = 320;

// One component's blocks in one MCU row of the window.
struct CoefficientRows {
  const int16_t* row[2] = {nullptr, nullptr};  // the first group of each of the component's v block rows
  int blocks = 0;                              // in each block row: (window.right - window.left) * h
};                                             // blocks that fill up the last group are zero

// Scratch for one thread: tables of recent images, one MCU row of coefficients. Not safe for concurrent use.
class EntropyDecoder {
 public:
  EntropyDecoder();
  ~EntropyDecoder();
  EntropyDecoder(EntropyDecoder&&) noexcept;
  EntropyDecoder& operator=(EntropyDecoder&&) noexcept;

  // Prepares to decode `window` (not empty, within the image). `entries` may be empty: then data before the
  // window is decoded and dropped. `data` is the whole file, as given to parse_header; header, data and
  // entries must outlive the calls of next_row. Returns kNone, or kTables for Huffman tables that
  // libjpeg-turbo refuses.
  Unsuited begin(const Header& header, Bytes data, const EntryPointView& entries, const McuWindow& window);

  // Decodes the window's next MCU row. Data after the window is not looked at. After kCorrupt or kMismatch
  // nothing decoded from this image may be used.
  Decoded next_row();

  // The row that the last kRow announced, valid until the next call of next_row.
  const CoefficientRows& rows(int component) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fastinet::jpeg
