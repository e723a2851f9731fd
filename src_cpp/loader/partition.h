// Which positions of an epoch fall to which rank, in which batch.
#pragma once

#include <algorithm>
#include <cstdint>

namespace fastinet {

// Rank r of W takes the positions base + r, base + r + W, ...: after every step all ranks together have
// consumed one unbroken run of positions, so one number says where an epoch stands. Every rank gets the same
// number of samples and batches. Without drop_last the last round is padded from the epoch's beginning, as
// torch's DistributedSampler does; with it, what does not fill a batch on every rank is dropped.
struct Partition {
  int64_t size = 0;  // positions in the epoch, > 0
  int64_t base = 0;  // where the epoch resumes, 0..size
  int64_t rank = 0;
  int64_t world = 1;
  int64_t batch_size = 1;
  bool drop_last = false;

  int64_t samples() const {
    const int64_t remaining = size - base;
    return drop_last ? remaining / (world * batch_size) * batch_size : (remaining + world - 1) / world;
  }
  int64_t batches() const { return (samples() + batch_size - 1) / batch_size; }

  // Position of sample i of this rank.
  int64_t position(int64_t i) const { return (base + rank + world * i) % size; }

  // Positions of the epoch that all ranks have consumed once each has consumed `count` samples.
  int64_t consumed(int64_t count) const { return std::min(size, base + world * count); }

  // Over all ranks: samples that come twice, and samples that do not come.
  int64_t padded() const { return std::max<int64_t>(0, samples() * world - (size - base)); }
  int64_t dropped() const { return std::max<int64_t>(0, (size - base) - samples() * world); }
};

}  // namespace fastinet
