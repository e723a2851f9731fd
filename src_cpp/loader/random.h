// The random numbers of one record in one epoch.
#pragma once

#include <array>
#include <cstdint>

#include "base/philox.h"

namespace fastinet {

// Philox with the 64 bits of the seed as key and (record, epoch, draw) as counter. Nothing is hashed or
// truncated on the way in, and for a given key Philox is a bijection of the counter, so no two of (record,
// epoch, draw) share a block under one seed, and no two seeds share a key.
class Stream {
 public:
  // The record number of the stream that shuffles; no dataset is that large.
  static constexpr uint64_t kOrder = ~uint64_t{0};

  Stream(uint64_t seed, uint32_t epoch, uint64_t record) : seed_(seed), record_(record), epoch_(epoch) {}

  std::array<uint32_t, 4> block(uint32_t draw) const {
    return philox4x32({static_cast<uint32_t>(record_), static_cast<uint32_t>(record_ >> 32), epoch_, draw},
                      {static_cast<uint32_t>(seed_), static_cast<uint32_t>(seed_ >> 32)});
  }

 private:
  uint64_t seed_;
  uint64_t record_;
  uint32_t epoch_;
};

// Uniform in [0, 1).
inline double unit(uint32_t word) { return word * 0x1p-32; }

// Uniform in 0..n-1, to within n / 2^32. REQUIRES: n > 0.
inline int below(uint32_t word, int n) {
  return static_cast<int>((uint64_t{word} * static_cast<uint64_t>(n)) >> 32);
}

}  // namespace fastinet
