// Entry points make a baseline JPEG seekable without changing it: every `spacing` MCUs of each MCU row they
// say at which bit the MCU starts and which DC predictors hold there. FORMAT.md describes the bytes.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "image/jpeg/header.h"

namespace fastinet::jpeg {

struct EntryPoint {
  uint32_t bit =
      0;  // of the MCU's first bit, from the start of the scan's data, stuffed zeros and markers counted
  std::array<int16_t, kMaxComponents> dc{};
};

// A validated view of the bytes; does not own them. Default: no entry points.
class EntryPointView {
 public:
  EntryPointView() = default;

  // Empty unless the bytes are well formed and fit the header and the file's size: stale or hostile bytes
  // give an empty view or, at worst, entries that EntropyDecoder finds to be wrong; never an access outside
  // of `bytes`.
  static EntryPointView open(Bytes bytes, const Header& header, size_t file_size);

  bool empty() const { return bytes_.empty(); }
  int spacing() const { return spacing_; }
  int per_row() const { return per_row_; }  // the first of each row lies at column 0

  // REQUIRES: not empty, row < mcu_rows, index < per_row().
  EntryPoint at(int row, int index) const;

 private:
  Bytes bytes_;
  int spacing_ = 0;
  int per_row_ = 0;
  int components_ = 0;
  std::array<uint8_t, 1 + kMaxComponents> width_{};
  uint8_t row_width_ = 0;
  std::array<int16_t, kMaxComponents> dc_min_{};
  size_t row_bits_ = 0;  // of one row's record
};

struct ScanResult {
  bool complete = false;              // every MCU is valid and EOI follows at once
  std::vector<uint8_t> entry_points;  // for EntryPointView::open; empty unless complete
};

// Decodes the whole scan once, keeping nothing but the entry points. Not complete: leave the image to
// libjpeg-turbo. `spacing` in MCUs; 0 chooses the densest that costs at most kEntryPointShare of the file.
inline constexpr double kEntryPointShare = 0.033;
ScanResult scan(const Header& header, Bytes data, int spacing = 0);

}  // namespace fastinet::jpeg
