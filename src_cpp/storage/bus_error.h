// Survives SIGBUS: a file that shrinks under its mapping becomes an error instead of a dead process.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace fastinet {

// Guards [address, address + size) while it lives. The first guard installs one process-wide SIGBUS
// handler. A fault inside a guarded range puts zero pages over the rest of the range and marks the guard
// broken, so that the reader goes on with zeros and must ask broken() before it trusts what it read. Any
// other SIGBUS is left to the handler that was there before, as if ours were not.
class BusErrorGuard {
 public:
  BusErrorGuard(const void* address, size_t size);
  ~BusErrorGuard();
  BusErrorGuard(const BusErrorGuard&) = delete;
  BusErrorGuard& operator=(const BusErrorGuard&) = delete;

  bool broken() const;

  // Puts the handler back where another one has been installed over it since (faulthandler.enable(), workers
  // of torch's DataLoader); that one then gets what is not ours. To be called before guarded memory is read:
  // one system call, which only asks.
  static void keep_installed();

  struct Slot;  // what the signal handler sees; never freed

 private:
  Slot* slot_;
};

}  // namespace fastinet
