// The mapped shards of this process: each once, however many datasets read it, and not too many at a time.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "shard/shard.h"

namespace fastinet {

// A shard that is mapped and validated when it is needed. While somebody has a PooledShard, those who ask for
// the same files get the same one. Safe for concurrent use; a fork leaves it usable in the child.
class PooledShard {
 public:
  // The one of these files. A file that was replaced or written to since it was mapped is another file.
  static std::shared_ptr<PooledShard> of(const ShardSpec& spec);

  explicit PooledShard(ShardSpec spec) : spec_(std::move(spec)) {}
  ~PooledShard();
  PooledShard(const PooledShard&) = delete;
  PooledShard& operator=(const PooledShard&) = delete;

  // Takes no lock where the shard is mapped. Views of its records live as long as what this returns, or
  // another copy of it, does. Throws as Shard's constructor.
  std::shared_ptr<const Shard> get();

 private:
  friend class ShardPool;
  std::shared_ptr<const Shard> peek();  // nothing where it is not mapped
  std::shared_ptr<const Shard> map();

  const ShardSpec spec_;
  // get() copies shard_ between two changes of pins_ if ready_ says so; whoever takes shard_ away clears
  // ready_ first and then leaves it where there are pins.
  std::atomic<bool> ready_{false};
  std::atomic<int> pins_{0};
  std::shared_ptr<const Shard> shard_;  // written under the pool's lock for this shard
  std::atomic<bool> used_{false};       // since the pool last looked for one to unmap
  size_t place_ = SIZE_MAX;             // among the pool's mapped ones; under the pool's lock
};

// Beyond this many mapped shards those that were not read lately are unmapped, but for those of which records
// are held. At first a quarter of the system's vm.max_map_count: a shard takes two mappings, and half of them
// are left to the rest of the process.
size_t max_mapped_shards();
void set_max_mapped_shards(size_t count);
size_t mapped_shards();

}  // namespace fastinet
