// Which record comes at which position of an epoch: a pure function of seed, epoch and position, the same
// for every world size, so that resuming and elastic restarts are arithmetic.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/random.h"

namespace fastinet {

// A keyed permutation of 0..n-1 in O(1) memory: a balanced Feistel network over the next even power of two,
// walked along its cycle until it lands below n (Black and Rogaway, "Ciphers with arbitrary finite domains",
// CT-RSA 2002). `which` tells apart the permutations of one epoch.
class Permutation {
 public:
  Permutation(uint64_t n, const Stream& stream, uint32_t which);  // REQUIRES: n < 2^62
  uint64_t operator()(uint64_t i) const;

 private:
  static constexpr int kRounds = 8;
  uint64_t n_;
  int half_bits_;
  std::array<uint64_t, kRounds> keys_;
};

enum class OrderKind {
  kSequential,
  kShuffled,  // all records at once
  kWindowed,  // blocks (shards) shuffled, then the records of every `window` consecutive blocks: for data
              // that is read from cold or remote storage, where jumping from shard to shard is dear
};

struct OrderSpec {
  OrderKind kind = OrderKind::kSequential;
  int64_t size = 0;
  uint64_t seed = 0;
  std::vector<int64_t> blocks;  // kWindowed: records in each block, in order; their sum is `size`
  int64_t window = 1;           // kWindowed: blocks shuffled together
};

// The order of one epoch. O(1) memory; kWindowed: O(blocks).
class EpochOrder {
 public:
  // Throws Error{kArgument} where the blocks do not add up to the size.
  EpochOrder(const OrderSpec& spec, uint32_t epoch);

  // REQUIRES: 0 <= position < size.
  int64_t operator()(int64_t position) const;

 private:
  int64_t windowed(int64_t position) const;

  OrderKind kind_;
  int64_t window_;
  std::vector<Permutation> permutations_;  // kShuffled: one; kWindowed: one a window
  std::vector<int64_t> block_positions_;   // kWindowed: position at which each block of the epoch begins
  std::vector<int64_t> block_records_;     // kWindowed: first record of each block of the epoch
};

}  // namespace fastinet
