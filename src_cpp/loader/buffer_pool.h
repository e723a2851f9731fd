// Batch buffers, reused: a buffer goes back to its pool when its last owner lets go of it.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace fastinet {

class BufferPool;

// Where buffers come from; pinned memory of a framework, say. Called from any thread, and never under a lock
// of this layer: either function may wait for locks of its own, such as Python's.
struct BufferAllocator {
  std::function<uint8_t*(size_t bytes)> allocate;  // throws where it cannot; contents are not looked at
  std::function<void(uint8_t*)> free;
  // Whether the pool may hand out a buffer again. False where the allocator must see the end of each use: of
  // memory that a device may still read when its last owner here lets go of it.
  bool reuse = true;
};

// Ordinary memory, aligned to BufferPool::kAlignment (large buffers to huge pages).
BufferAllocator system_allocator();

// Owns one buffer; movable; may outlive the pool's other users. Contents are whatever was there before.
class Buffer {
 public:
  Buffer() = default;
  Buffer(std::shared_ptr<BufferPool> pool, uint8_t* data) : pool_(std::move(pool)), data_(data) {}
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();

  uint8_t* data() const { return data_; }
  size_t size() const;

 private:
  std::shared_ptr<BufferPool> pool_;
  uint8_t* data_ = nullptr;
};

// Safe for concurrent use. All buffers have one size. Its lock is held for a push or a pop, and nothing else
// is locked meanwhile.
class BufferPool : public std::enable_shared_from_this<BufferPool> {
 public:
  static constexpr size_t kAlignment = 64;

  // Keeps at most `max_idle` buffers that nobody owns; none where the allocator does not let them be reused.
  BufferPool(size_t buffer_bytes, size_t max_idle, BufferAllocator allocator = system_allocator());
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  // A used buffer if one is idle, else a new one. Throws what the allocator throws.
  Buffer acquire();

  size_t buffer_bytes() const { return bytes_; }

 private:
  friend class Buffer;
  void release(uint8_t* data);

  const size_t bytes_;
  const size_t max_idle_;
  const pid_t pid_;
  const BufferAllocator allocator_;
  std::mutex mutex_;
  std::vector<uint8_t*> idle_;
};

}  // namespace fastinet
