// Entry points make a baseline JPEG seekable without changing it: every `spacing` MCUs of each MCU row they
// say at which bit the MCU starts and which DC predictors hold there.
//
// Their bytes, little-endian (FORMAT.md gives the rationale):
//   0   u8      kVersion
//   1   u8      P: bits of a row's position
//   2   u8      D: bits of a position within its row
//   3   u8[3]   V: bits of a DC predictor, by component; 0 for components that the image has not
//   6   i16[3]  least DC predictor, by component
//   12  u16     spacing, in MCUs
//   14  u16     MCU columns of the image
//   16  u16     MCU rows of the image
//   18  u32     size of the JPEG file in bytes
//   22  bits, lowest first; for each MCU row: position (P bits) and predictors less the least (V bits each)
//   of
//       its first MCU; then for each further entry its position less the row's (D bits) and its predictors
//   ..  zero bits to a whole byte, then 7 zero bytes, so that a reader may load any field as 8 bytes
// A position counts bits from the first byte of entropy-coded data, stuffed zeros and markers included.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "image/codec/jpeg/header.h"

namespace fastinet::jpeg {

struct EntryPoint {
  uint32_t bit = 0;
  std::array<int16_t, kMaxComponents> dc{};
  bool operator==(const EntryPoint&) const = default;
};

// A checked view of the bytes; does not own them. Default: no entry points.
class EntryPointView {
 public:
  static constexpr uint8_t kVersion = 1;
  static constexpr size_t kHeaderSize = 22;
  static constexpr size_t kPadding = 7;
  static constexpr int kMaxDcBits = 12;

  EntryPointView() = default;

  // Empty unless the bytes are well formed and were made for an image of these dimensions in a file of this
  // size. That their values are true only decoding can tell: EntropyDecoder compares and bounds them. No
  // bytes lead to an access outside of `bytes` or of the file.
  static EntryPointView open(Bytes bytes, const Header& header, size_t file_size);

  bool empty() const { return bits_ == nullptr; }
  int spacing() const { return spacing_; }
  int per_row() const { return per_row_; }  // entry i of a row is at column i * spacing()

  // REQUIRES: not empty, 0 <= row < mcu_rows, 0 <= index < per_row().
  EntryPoint at(int row, int index) const;

 private:
  const uint8_t* bits_ = nullptr;
  int spacing_ = 0;
  int per_row_ = 0;
  uint8_t row_bits_ = 0, column_bits_ = 0;  // P, D
  uint8_t predictor_bits_ = 0;              // sum of V
  std::array<uint8_t, kMaxComponents> dc_bits_{};
  std::array<int16_t, kMaxComponents> dc_least_{};
  uint64_t row_record_ = 0;  // bits
};

// The bytes that hold every spacing-th of `entries`, which has one for each MCU. Chooses the least spacing at
// which the bytes take at most `share` of the file; where even one entry a row takes more, one a row.
std::vector<uint8_t> pack_entry_points(const Header& header, size_t file_size,
                                       const std::vector<EntryPoint>& entries, double share);
// The same at a given spacing.
std::vector<uint8_t> pack_entry_points(const Header& header, size_t file_size,
                                       const std::vector<EntryPoint>& entries, int spacing);

}  // namespace fastinet::jpeg
