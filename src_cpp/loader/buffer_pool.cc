#include "loader/buffer_pool.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>

namespace fastinet {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

uint8_t* allocate(size_t bytes) {
  const size_t alignment = bytes >= 2 * kHugePage ? kHugePage : BufferPool::kAlignment;
  if (bytes > SIZE_MAX - alignment) throw std::bad_alloc();
  const size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* data = std::aligned_alloc(alignment, rounded);
  if (data == nullptr) throw std::bad_alloc();
  // Only a hint: fewer page faults and TLB misses on the first epoch's writes.
  if (alignment == kHugePage) (void)madvise(data, rounded, MADV_HUGEPAGE);
  return static_cast<uint8_t*>(data);
}

}  // namespace

BufferAllocator system_allocator() {
  return {allocate, [](uint8_t* data) { std::free(data); }, true};
}

Buffer::Buffer(Buffer&& other) noexcept
    : pool_(std::move(other.pool_)), data_(std::exchange(other.data_, nullptr)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(pool_, other.pool_);
  std::swap(data_, other.data_);
  return *this;
}

Buffer::~Buffer() {
  if (data_ != nullptr) pool_->release(data_);
}

size_t Buffer::size() const { return data_ != nullptr ? pool_->buffer_bytes() : 0; }

BufferPool::BufferPool(size_t buffer_bytes, size_t max_idle, BufferAllocator allocator)
    : bytes_(buffer_bytes),
      max_idle_(allocator.reuse ? max_idle : 0),
      pid_(getpid()),
      allocator_(std::move(allocator)) {
  idle_.reserve(max_idle_);
}

BufferPool::~BufferPool() {
  for (uint8_t* data : idle_) allocator_.free(data);
}

Buffer BufferPool::acquire() {
  uint8_t* data = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      data = idle_.back();
      idle_.pop_back();
    }
  }
  if (data == nullptr) data = allocator_.allocate(bytes_);
  return Buffer(shared_from_this(), data);
}

void BufferPool::release(uint8_t* data) {
  // In a forked child the mutex may be held for ever by a thread that does not exist there.
  if (getpid() == pid_) {
    const std::lock_guard lock(mutex_);
    if (idle_.size() < max_idle_) {
      idle_.push_back(data);
      return;
    }
  }
  allocator_.free(data);
}

}  // namespace fastinet
