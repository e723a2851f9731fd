#include "shard/shard_pool.h"

#include <pthread.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <tuple>
#include <utility>
#include <vector>

#include "base/error.h"
#include "storage/bus_error.h"

namespace fastinet {
namespace {

struct BySpec {
  static auto fields(const ShardSpec& s) {
    return std::tie(s.tar_path, s.index_path, s.record_count, s.tar_size, s.index_size, s.index_xxh3);
  }
  bool operator()(const ShardSpec& a, const ShardSpec& b) const { return fields(a) < fields(b); }
};

size_t default_limit() {
  size_t maps = 65530;  // the kernel's default
  std::ifstream("/proc/sys/vm/max_map_count") >> maps;
  return std::max<size_t>(maps / 4, 16);
}

}  // namespace

// Locks are taken in this order: one of mapping_, then mutex_, then that of the bus error guards.
class ShardPool {
 public:
  // Never destroyed: datasets may outlive static destruction.
  static ShardPool& instance() {
    static ShardPool* const pool = new ShardPool;
    return *pool;
  }

  std::shared_ptr<PooledShard> find(const ShardSpec& spec) {
    std::shared_ptr<PooledShard> known;
    {
      const std::lock_guard lock(mutex_);
      if (const auto it = shards_.find(spec); it != shards_.end()) known = it->second.lock();
    }
    if (known && is_current(*known)) return known;
    auto made = std::make_shared<PooledShard>(spec);
    const std::lock_guard lock(mutex_);
    std::weak_ptr<PooledShard>& entry = shards_[spec];
    if (auto other = entry.lock(); other && other != known) return other;  // another thread was faster
    entry = made;
    return made;
  }

  void forget(PooledShard& shard) {
    const std::lock_guard lock(mutex_);
    if (shard.place_ != SIZE_MAX) remove(shard.place_);
    const auto it = shards_.find(shard.spec_);
    if (it != shards_.end() && it->second.expired()) shards_.erase(it);
  }

  std::mutex& mapping(const PooledShard& shard) {
    return mapping_[std::hash<const PooledShard*>()(&shard) / alignof(std::max_align_t) % mapping_.size()];
  }

  void add(PooledShard& shard) {
    std::vector<std::shared_ptr<const Shard>> unmapped;  // in the end, without the lock
    const std::lock_guard lock(mutex_);
    shard.place_ = mapped_.size();
    mapped_.push_back(&shard);
    shrink(limit_, unmapped);
  }

  // Whether anything was unmapped.
  bool shrink_by_half() {
    std::vector<std::shared_ptr<const Shard>> unmapped;
    const std::lock_guard lock(mutex_);
    shrink(mapped_.size() / 2, unmapped);
    return !unmapped.empty();
  }

  size_t mapped() {
    const std::lock_guard lock(mutex_);
    return mapped_.size();
  }

  size_t limit() {
    const std::lock_guard lock(mutex_);
    return limit_;
  }

  void set_limit(size_t limit) {
    std::vector<std::shared_ptr<const Shard>> unmapped;
    const std::lock_guard lock(mutex_);
    limit_ = limit;
    shrink(limit_, unmapped);
  }

 private:
  ShardPool() {
    BusErrorGuard::keep_installed();  // so that its part of a fork is prepared after ours, as locks are taken
    pthread_atfork([] { instance().lock_all(); }, [] { instance().unlock_all(); },
                   [] { instance().unlock_all(); });
  }

  static bool is_current(PooledShard& pooled) {
    const auto shard = pooled.peek();
    return !shard || shard->is_current();
  }

  // The clock algorithm: one that was used since the hand last came by is passed over once.
  void shrink(size_t count, std::vector<std::shared_ptr<const Shard>>& unmapped) {
    for (size_t left = 2 * mapped_.size(); left > 0 && mapped_.size() > count; --left) {
      if (hand_ >= mapped_.size()) hand_ = 0;
      PooledShard& shard = *mapped_[hand_];
      if (shard.used_.exchange(false, std::memory_order_relaxed) || !take(shard, unmapped)) {
        ++hand_;
      } else {
        remove(hand_);
      }
    }
  }

  // False: it is in use.
  bool take(PooledShard& shard, std::vector<std::shared_ptr<const Shard>>& unmapped) {
    const std::unique_lock lock(mapping(shard), std::try_to_lock);
    if (!lock) return false;
    shard.ready_.store(false);
    if (shard.pins_.load() != 0 || shard.shard_.use_count() != 1) {
      shard.ready_.store(true);
      return false;
    }
    unmapped.push_back(std::move(shard.shard_));
    shard.shard_.reset();
    return true;
  }

  void remove(size_t place) {
    mapped_[place]->place_ = SIZE_MAX;
    if (place + 1 < mapped_.size()) {
      mapped_[place] = mapped_.back();
      mapped_[place]->place_ = place;
    }
    mapped_.pop_back();
  }

  void lock_all() {
    for (std::mutex& mutex : mapping_) mutex.lock();
    mutex_.lock();
  }
  void unlock_all() {
    mutex_.unlock();
    for (std::mutex& mutex : mapping_) mutex.unlock();
  }

  std::array<std::mutex, 32> mapping_;  // held while a shard is mapped; a fork takes them all
  std::mutex mutex_;                    // of what follows
  std::map<ShardSpec, std::weak_ptr<PooledShard>, BySpec> shards_;
  std::vector<PooledShard*> mapped_;
  size_t hand_ = 0;
  size_t limit_ = default_limit();
};

std::shared_ptr<PooledShard> PooledShard::of(const ShardSpec& spec) {
  return ShardPool::instance().find(spec);
}

PooledShard::~PooledShard() { ShardPool::instance().forget(*this); }

std::shared_ptr<const Shard> PooledShard::peek() {
  std::shared_ptr<const Shard> shard;
  pins_.fetch_add(1);
  if (ready_.load()) shard = shard_;
  pins_.fetch_sub(1);
  return shard;
}

std::shared_ptr<const Shard> PooledShard::get() {
  if (!used_.load(std::memory_order_relaxed)) used_.store(true, std::memory_order_relaxed);
  if (auto shard = peek()) return shard;
  try {
    return map();
  } catch (const Error& e) {
    // Others in this process may have many mappings, too.
    if (e.context().sys_errno != ENOMEM || !ShardPool::instance().shrink_by_half()) throw;
    return map();
  }
}

std::shared_ptr<const Shard> PooledShard::map() {
  ShardPool& pool = ShardPool::instance();
  std::shared_ptr<const Shard> shard;
  {
    const std::lock_guard lock(pool.mapping(*this));
    if (shard_) return shard_;
    shard = shard_ = std::make_shared<const Shard>(spec_);
    ready_.store(true);
  }
  pool.add(*this);
  return shard;
}

size_t max_mapped_shards() { return ShardPool::instance().limit(); }
void set_max_mapped_shards(size_t count) { ShardPool::instance().set_limit(count); }
size_t mapped_shards() { return ShardPool::instance().mapped(); }

}  // namespace fastinet
