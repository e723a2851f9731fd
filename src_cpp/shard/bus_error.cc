#include "shard/bus_error.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

namespace fastinet {

// The handler may run at any instruction, so it takes no lock and slots are never freed, only reused. A
// slot is inactive while begin is 0; end and broken are set before begin.
struct BusErrorGuard::Slot {
  std::atomic<uintptr_t> begin{0};
  std::atomic<uintptr_t> end{0};
  std::atomic<bool> broken{false};
};

namespace {

using Slot = BusErrorGuard::Slot;
constexpr size_t kChunkSlots = 1024;
constexpr size_t kMaxChunks = 256;  // four times what vm.max_map_count allows by default
using Chunk = std::array<Slot, kChunkSlots>;

struct Registry {
  std::array<std::atomic<Chunk*>, kMaxChunks> chunks{};
  std::mutex mutex;  // of what follows; never taken by the handler
  size_t chunk_count = 0;
  std::vector<Slot*> free;
  struct sigaction previous {};
};

// Never destroyed: the handler outlives static destruction.
Registry& registry() {
  static Registry* const r = new Registry;
  return *r;
}

std::atomic<Registry*> g_registry{nullptr};
uintptr_t g_page_size = 4096;

bool absorb(uintptr_t address) {
  Registry* const r = g_registry.load();
  for (auto& entry : r->chunks) {
    Chunk* const chunk = entry.load();
    if (chunk == nullptr) return false;
    for (Slot& slot : *chunk) {
      const uintptr_t begin = slot.begin.load();
      const uintptr_t end = slot.end.load();
      if (begin == 0 || address < begin || address >= end) continue;
      slot.broken.store(true);
      const uintptr_t page = address & ~(g_page_size - 1);
      void* const mapped = mmap(reinterpret_cast<void*>(page), end - page, PROT_READ,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
      return mapped != MAP_FAILED;
    }
  }
  return false;
}

void on_bus_error(int signal, siginfo_t* info, void* context) {
  const int saved = errno;
  // A positive si_code is the kernel's; kill() and raise() carry no address.
  const bool absorbed = info->si_code > 0 && absorb(reinterpret_cast<uintptr_t>(info->si_addr));
  errno = saved;
  if (absorbed) return;
  const struct sigaction& previous = g_registry.load()->previous;
  if ((previous.sa_flags & SA_SIGINFO) != 0) {
    previous.sa_sigaction(signal, info, context);
  } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(signal);
  } else {
    struct sigaction fallback {};
    fallback.sa_handler = SIG_DFL;
    sigaction(signal, &fallback, nullptr);
    raise(signal);
  }
}

void install() {
  static std::once_flag once;
  std::call_once(once, [] {
    g_page_size = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
    g_registry.store(&registry());
    struct sigaction action {};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, &registry().previous);
  });
}

Slot* take_slot() {
  Registry& r = registry();
  const std::lock_guard lock(r.mutex);
  if (r.free.empty()) {
    if (r.chunk_count == kMaxChunks) throw std::bad_alloc();
    r.free.reserve(kChunkSlots * (r.chunk_count + 1));  // so that giving back never allocates
    Chunk* const chunk = new Chunk;
    for (Slot& slot : *chunk) r.free.push_back(&slot);
    r.chunks[r.chunk_count++].store(chunk);
  }
  Slot* const slot = r.free.back();
  r.free.pop_back();
  return slot;
}

}  // namespace

BusErrorGuard::BusErrorGuard(const void* address, size_t size) {
  install();
  slot_ = take_slot();
  const auto begin = reinterpret_cast<uintptr_t>(address);
  slot_->broken.store(false);
  slot_->end.store((begin + size + g_page_size - 1) & ~(g_page_size - 1));
  slot_->begin.store(begin);
}

BusErrorGuard::~BusErrorGuard() {
  slot_->begin.store(0);
  Registry& r = registry();
  const std::lock_guard lock(r.mutex);
  r.free.push_back(slot_);
}

bool BusErrorGuard::broken() const { return slot_->broken.load(); }

}  // namespace fastinet
