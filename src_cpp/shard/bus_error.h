// Survives SIGBUS: a file that shrinks under its mapping becomes an error instead of a dead process.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace fastinet {

// Guards [address, address + size) while it lives. The first guard installs one process-wide SIGBUS
// handler. A fault inside a guarded range puts zero pages over the rest of the range and marks the guard
// broken, so that the reader goes on with zeros and must ask broken() before it trusts what it read. Any
// other SIGBUS goes to the handler that was there before.
class BusErrorGuard {
 public:
  BusErrorGuard(const void* address, size_t size);
  ~BusErrorGuard();
  BusErrorGuard(const BusErrorGuard&) = delete;
  BusErrorGuard& operator=(const BusErrorGuard&) = delete;

  bool broken() const;

  struct Slot;  // what the signal handler sees; never freed

 private:
  Slot* slot_;
};

}  // namespace fastinet
