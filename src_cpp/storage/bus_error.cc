#include "storage/bus_error.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <mutex>
#include <new>
#include <utility>
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
using Handler = void (*)(int, siginfo_t*, void*);
constexpr size_t kChunkSlots = 1024;
constexpr size_t kMaxChunks = 256;  // four times what vm.max_map_count allows by default
using Chunk = std::array<Slot, kChunkSlots>;

// Our handler under several addresses: each time that it is put over a foreign one, it is the next of them.
// Each knows what lay under it, and a foreign handler can only put back one that lay under itself. Whatever
// they do, a signal that nobody wants therefore goes down, level by level, to the default action.
constexpr size_t kLevels = 16;
struct Level {
  struct sigaction under {};
  std::atomic<bool> left{false};  // the signal was passed on; whoever comes again gets the default action
};

struct Registry {
  std::array<std::atomic<Chunk*>, kMaxChunks> chunks{};
  std::array<Level, kLevels> levels;
  std::mutex mutex;  // of what follows; never taken by the handler
  size_t chunk_count = 0;
  std::vector<Slot*> free;
};

// Never destroyed: the handler outlives static destruction.
Registry& registry() {
  static Registry* const r = new Registry;
  return *r;
}

std::atomic<Registry*> g_registry{nullptr};
std::atomic<size_t> g_level{0};   // whose handler is the installed one
std::atomic<int> g_in_flight{0};  // handlers that may be putting pages over a range
uintptr_t g_page_size = 4096;

bool absorb(uintptr_t address) {
  for (auto& entry : g_registry.load()->chunks) {
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

// Puts back what lay under this level. A fault then occurs again and meets it; a signal that was sent is
// sent again.
void step_aside(Level& level, int signal, bool sent) {
  struct sigaction next {};
  next.sa_handler = SIG_DFL;
  if (!level.left.exchange(true)) next = level.under;
  sigaction(signal, &next, nullptr);
  if (sent) raise(signal);
}

template <size_t level>
void on_bus_error(int signal, siginfo_t* info, void*) {
  const int saved = errno;
  const bool sent = info->si_code <= 0;  // by kill() or raise(), which carry no address
  g_in_flight.fetch_add(1);
  const bool absorbed = !sent && absorb(reinterpret_cast<uintptr_t>(info->si_addr));
  g_in_flight.fetch_sub(1);
  if (!absorbed) step_aside(g_registry.load()->levels[level], signal, sent);
  errno = saved;
}

template <size_t... levels>
constexpr std::array<Handler, kLevels> handlers(std::index_sequence<levels...>) {
  return {on_bus_error<levels>...};
}
constexpr std::array<Handler, kLevels> kHandlers = handlers(std::make_index_sequence<kLevels>());

Handler installed_handler(struct sigaction* now) {
  sigaction(SIGBUS, nullptr, now);
  return (now->sa_flags & SA_SIGINFO) != 0 ? now->sa_sigaction : nullptr;
}

// REQUIRES: the registry's mutex is held.
void install(size_t level, const struct sigaction& under) {
  Level& entry = registry().levels[level];
  entry.under = under;
  entry.left.store(false);
  g_level.store(level);
  struct sigaction action {};
  action.sa_sigaction = kHandlers[level];
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, nullptr);
}

void install_first() {
  static std::once_flag once;
  std::call_once(once, [] {
    g_page_size = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
    g_registry.store(&registry());
    // A child has one thread: no handler of another one is under way there, and none holds the mutex.
    pthread_atfork([] { registry().mutex.lock(); }, [] { registry().mutex.unlock(); },
                   [] {
                     g_in_flight.store(0);
                     registry().mutex.unlock();
                   });
    const std::lock_guard lock(registry().mutex);
    struct sigaction now {};
    installed_handler(&now);
    install(0, now);
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

void BusErrorGuard::keep_installed() {
  install_first();
  struct sigaction now {};
  if (installed_handler(&now) == kHandlers[g_level.load()]) return;
  const std::lock_guard lock(registry().mutex);
  const Handler handler = installed_handler(&now);
  for (size_t level = 0; level < kLevels; ++level) {
    if (handler != kHandlers[level]) continue;
    g_level.store(level);  // put back by what lay over it
    return;
  }
  install(std::min(g_level.load() + 1, kLevels - 1), now);
}

BusErrorGuard::BusErrorGuard(const void* address, size_t size) {
  keep_installed();
  slot_ = take_slot();
  const auto begin = reinterpret_cast<uintptr_t>(address);
  slot_->broken.store(false);
  slot_->end.store((begin + size + g_page_size - 1) & ~(g_page_size - 1));
  slot_->begin.store(begin);
}

// Once this returns, the addresses may belong to something else: a handler that has found the slot must have
// put its pages there before.
BusErrorGuard::~BusErrorGuard() {
  slot_->begin.store(0);
  while (g_in_flight.load() != 0) sched_yield();
  Registry& r = registry();
  const std::lock_guard lock(r.mutex);
  r.free.push_back(slot_);
}

bool BusErrorGuard::broken() const { return slot_->broken.load(); }

}  // namespace fastinet
