// The entropy-coded bytes of a scan without their stuffed zeros, a stretch at a time in contiguous memory, so
// that the bit reader tests for nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "image/codec/jpeg/bit_reader.h"
#include "image/codec/jpeg/header.h"

namespace fastinet::jpeg {

class ScanReader {
 public:
  static constexpr size_t kUnlimited = SIZE_MAX;

  // One MCU of six blocks, each coefficient with the longest code and value, and what a refill reads ahead.
  static constexpr size_t kMcuBytes = kMaxBlocksPerMcu * 64 * (16 + 15) / 8 + 16;

  // Starts `reader` at bit `bit` of `scan` (the file from its first byte of entropy-coded data on). Bytes at
  // `limit` and beyond need not be looked at. False if there is no such bit.
  bool seek(Bytes scan, uint64_t bit, size_t limit, BitReader& reader);

  // To be called before each MCU: makes one MCU readable, however broken. False if bits beyond the end of
  // the data have been consumed already, as far as that can be told cheaply.
  bool ensure(BitReader& reader) { return reader.next <= safe_ || fill(reader); }

  // False if bits beyond the end of the data were consumed.
  bool within(const BitReader& reader) const {
    return reader.consumed(buffer_.data()) <= static_cast<int64_t>(filled_) * 8;
  }

  // The position of the next bit in the scan's own bytes, zeros and markers counted. A byte boundary counts
  // as the next byte's start. REQUIRES: within(reader); positions asked for since the last seek ascend.
  uint64_t position(const BitReader& reader);

  // Drops the rest of the byte and expects a marker: moves beyond it and returns its code, or returns 0.
  uint8_t marker(BitReader& reader);

  // As marker(), and starts `reader` after it if it is the restart marker `number` (0 to 7).
  bool restart(int number, BitReader& reader);

 private:
  static constexpr size_t kStretch = 8192;

  bool final() const { return at_marker_ || source_ >= limit_; }
  bool fill(BitReader& reader);
  void append();  // up to kStretch bytes in all, up to a marker or limit_

  Bytes scan_;
  size_t limit_ = 0;        // in scan_
  size_t source_ = 0;       // in scan_: the first byte not yet in the buffer
  bool at_marker_ = false;  // what stands there is not entropy-coded data
  std::vector<uint8_t> buffer_ = std::vector<uint8_t>(kStretch + 2 * kMcuBytes);
  size_t filled_ = 0;  // bytes of the buffer
  const uint8_t* safe_ = nullptr;
  uint64_t origin_ = 0;            // in scan_: the buffer's first byte
  std::vector<uint32_t> stuffed_;  // in the buffer: each 0xFF that had a zero after it
  size_t passed_ = 0;              // of stuffed_, by the positions asked for
};

}  // namespace fastinet::jpeg
