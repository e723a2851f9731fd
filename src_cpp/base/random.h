// The random numbers of one occurrence of a record in one epoch.
#pragma once

#include <array>
#include <cstdint>

#include "base/philox.h"

namespace fastinet {

// Philox with the 64 bits of the seed as key and (record, occurrence, epoch, draw) as counter. Nothing is
// hashed or truncated on the way in, and for a given key Philox is a bijection of the counter, so no two of
// (record, occurrence, epoch, draw) share a block under one seed, and no two seeds share a key.
class Stream {
 public:
  static constexpr uint64_t kMaxRecords = uint64_t{1} << 47;
  static constexpr uint32_t kMaxDraws = uint32_t{1} << 16;

  // The record number of the stream that shuffles, which may draw without bound.
  static constexpr uint64_t kOrder = ~uint64_t{0};

  // `occurrence`: how often the record came before in the list that is loaded, 0 where it comes once.
  // REQUIRES: record < kMaxRecords, or kOrder with occurrence 0.
  Stream(uint64_t seed, uint32_t epoch, uint64_t record, uint32_t occurrence = 0)
      : seed_(seed),
        // The halves of the occurrence fill the bits that neither records nor draws need.
        record_(record ^ uint64_t{occurrence & 0xFFFF} << 48),
        epoch_(epoch),
        draws_(occurrence & 0xFFFF0000) {}

  // REQUIRES: draw < kMaxDraws, but for kOrder.
  std::array<uint32_t, 4> block(uint32_t draw) const {
    return philox4x32(
        {static_cast<uint32_t>(record_), static_cast<uint32_t>(record_ >> 32), epoch_, draws_ | draw},
        {static_cast<uint32_t>(seed_), static_cast<uint32_t>(seed_ >> 32)});
  }

 private:
  uint64_t seed_;
  uint64_t record_;
  uint32_t epoch_;
  uint32_t draws_;
};

// Uniform in [0, 1).
inline double unit(uint32_t word) { return word * 0x1p-32; }

// Uniform in 0..n-1, to within n / 2^32. REQUIRES: n > 0.
inline int below(uint32_t word, int n) {
  return static_cast<int>((uint64_t{word} * static_cast<uint64_t>(n)) >> 32);
}

}  // namespace fastinet
