#include "loader/loader.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <new>
#include <thread>
#include <utility>

#include "base/error.h"
#include "loader/record_list.h"
#include "loader/run.h"

namespace fastinet {
namespace {

constexpr size_t kBookkeeping = 256;  // bytes a sample, so that a loader without pixels is bounded too

void require(bool good, const char* what, const std::string& expected, int64_t found) {
  if (good) return;
  ErrorContext context;
  context.expected = expected;
  context.found = std::to_string(found);
  throw Error(ErrorKind::kArgument, what, std::move(context));
}

void require_within(const char* what, int64_t low, int64_t high, int64_t found) {
  require(found >= low && found <= high, what, std::to_string(low) + " to " + std::to_string(high), found);
}

// Samples in the largest batch of an epoch: all of this rank's where the batch is larger than the epoch.
int64_t largest_batch(const LoaderOptions& o, const OrderSpec& order) {
  return std::min(o.batch_size, (order.size - 1) / o.world + 1);
}

// After this no product of the arguments overflows.
void check(const LoaderOptions& o, const OrderSpec& order, const std::vector<int64_t>& subset) {
  constexpr auto kMaxRecords = static_cast<int64_t>(Stream::kMaxRecords);
  constexpr int64_t kMaxListed = int64_t{1} << 32;  // RecordList counts occurrences in 32 bits
  require_within("batch_size", 1, LoaderOptions::kMaxBatch, o.batch_size);
  require_within("threads", 1, 4096, o.threads);
  require_within("world_size", 1, LoaderOptions::kMaxWorld, o.world);
  require_within("rank", 0, o.world - 1, o.rank);
  require_within("records", 1, subset.empty() ? kMaxRecords : kMaxListed, order.size);
  require(subset.empty() || static_cast<int64_t>(subset.size()) == order.size, "subset",
          std::to_string(order.size) + " records", static_cast<int64_t>(subset.size()));
  const size_t most = static_cast<size_t>(PTRDIFF_MAX) / (o.sample_bytes + kBookkeeping);
  const int64_t largest = largest_batch(o, order);
  require(static_cast<size_t>(largest) <= most, "batch_size",
          "at most " + std::to_string(most) + " samples of " + std::to_string(o.sample_bytes) + " bytes",
          largest);
}

// Batches in the ring: one that the consumer is about to take and one that threads fill, at the least.
int64_t ring_depth(const LoaderOptions& o, const OrderSpec& order) {
  const size_t batch_bytes = static_cast<size_t>(largest_batch(o, order)) * (o.sample_bytes + kBookkeeping);
  return static_cast<int64_t>(std::clamp<size_t>(o.prefetch_bytes / batch_bytes, 2, 1024));
}

// Closes the gaps that skipped samples left.
void compact(Batch& batch, const std::vector<Failure>& failures, size_t sample_bytes) {
  std::vector<bool> skipped(batch.samples.size());
  for (const Failure& f : failures) skipped[f.slot] = !f.substituted;
  size_t kept = 0;
  for (size_t i = 0; i < batch.samples.size(); ++i) {
    if (skipped[i]) continue;
    if (kept != i) {
      batch.samples[kept] = std::move(batch.samples[i]);
      if (sample_bytes > 0) {
        uint8_t* pixels = batch.pixels.data();
        std::memcpy(pixels + kept * sample_bytes, pixels + i * sample_bytes, sample_bytes);
      }
    }
    ++kept;
  }
  batch.samples.resize(kept);
}

struct Worker {
  std::unique_ptr<SampleReader> reader;
  std::thread thread;
  // The reader's counts, published for stats() by the worker alone.
  std::atomic<int64_t> fast{0}, turbo{0}, foreign{0}, payload_bytes{0};
  std::atomic<double> waited{0};

  void publish() {
    const SampleReader::Counts counts = reader->counts();
    fast.store(counts.decode.fast, std::memory_order_relaxed);
    turbo.store(counts.decode.turbo, std::memory_order_relaxed);
    foreign.store(counts.decode.foreign, std::memory_order_relaxed);
    payload_bytes.store(counts.payload_bytes, std::memory_order_relaxed);
  }
};

}  // namespace

// Locks, each of which may be taken while those before it are held: `starting`, `consumer`, `mutex`; then the
// run's own and the pool's, which are leaves. Whoever lets go of a run, a buffer or a batch holds none of
// them: such variables stand before the lock in their block.
struct Loader::Impl : std::enable_shared_from_this<Loader::Impl> {
  LoaderOptions options;
  OrderSpec order;
  RecordList records{{}};
  ReaderFactory readers;
  int64_t depth = 0;
  int64_t largest = 0;

  std::atomic<pid_t> pid{0};  // of the process that has the threads; 0: there are none

  std::mutex starting;  // held while threads are made or joined
  std::mutex consumer;  // held while a batch is taken
  std::mutex mutex;     // of what follows
  std::condition_variable run_changed;
  std::vector<std::unique_ptr<Worker>> workers;
  std::shared_ptr<BufferPool> pool;
  std::shared_ptr<Run> run;  // null: none is under way, or run `run_number` has failed
  int64_t run_number = 0;
  bool stop = false;
  bool closed = false;
  LoaderStats stats;

  void require_usable() const {
    const pid_t started = pid;
    if (started != 0 && started != getpid()) {
      throw Error(ErrorKind::kState,
                  "the loader was started before this process forked; its threads are not here. Make a new "
                  "Loader in the child, or start children by spawn");
    }
  }

  // REQUIRES: `mutex` is held.
  void require_open() const {
    if (closed) throw Error(ErrorKind::kState, "the loader is closed");
  }

  void serve(Worker& worker) {
    int64_t seen = 0;
    for (;;) {
      std::shared_ptr<Run> current;
      {
        std::unique_lock lock(mutex);
        run_changed.wait(lock, [&] { return stop || run_number != seen; });
        if (stop) return;
        seen = run_number;
        current = run;
      }
      if (current) current->work(*worker.reader, worker.waited, [&] { worker.publish(); });
    }
  }

  // The pool of the threads, which are made where there are none.
  std::shared_ptr<BufferPool> start_threads() {
    const std::lock_guard hold(starting);
    {
      const std::lock_guard lock(mutex);
      require_open();
      if (pool) return pool;
    }
    // Readers first: a failure must not leave threads behind.
    std::vector<std::unique_ptr<Worker>> made;
    for (int i = 0; i < options.threads; ++i) {
      made.push_back(std::make_unique<Worker>());
      made.back()->reader = readers();
    }
    // Idle buffers are kept for what the consumer typically holds: the batch in use and the one before.
    auto buffers = std::make_shared<BufferPool>(options.sample_bytes * static_cast<size_t>(largest),
                                                static_cast<size_t>(depth) + 2, options.allocator);
    try {
      for (auto& worker : made)
        worker->thread = std::thread([self = shared_from_this(), w = worker.get()] { self->serve(*w); });
    } catch (const std::exception& error) {  // std::system_error or std::bad_alloc
      join(made);
      const std::lock_guard lock(mutex);
      stop = false;
      throw Error(ErrorKind::kState, std::string("cannot start a thread: ") + error.what());
    }
    pid = getpid();
    const std::lock_guard lock(mutex);
    workers = std::move(made);
    pool = buffers;
    return buffers;
  }

  // REQUIRES: `starting` is held.
  void join(const std::vector<std::unique_ptr<Worker>>& threads) {
    {
      const std::lock_guard lock(mutex);
      stop = true;
    }
    run_changed.notify_all();
    for (const auto& worker : threads) {
      if (!worker->thread.joinable()) continue;
      if (worker->thread.get_id() == std::this_thread::get_id()) {
        worker->thread.detach();  // it ends when it comes back to serve()
      } else {
        worker->thread.join();
      }
    }
  }

  std::shared_ptr<Run> current(int64_t number) {
    const std::lock_guard lock(mutex);
    require_open();
    if (number != run_number) {
      throw Error(ErrorKind::kState, "this iterator has ended: a newer one of the same loader took over");
    }
    if (!run) throw Error(ErrorKind::kState, "this iterator has ended before its epoch: an error ended it");
    return run;
  }

  // The lowest faulty sample decides, so that the error does not depend on threads.
  void settle(Run::Taken& taken) {
    if (taken.out_of_memory) throw std::bad_alloc();
    for (const Failure& f : taken.failures) {
      if (f.error) std::rethrow_exception(f.error);
    }
    if (!taken.failures.empty()) compact(taken.batch, taken.failures, options.sample_bytes);
    const std::lock_guard lock(mutex);
    stats.delivered += static_cast<int64_t>(taken.batch.samples.size());
    for (Failure& f : taken.failures) {
      ++(f.substituted ? stats.substituted : stats.skipped);
      if (stats.reasons.size() < LoaderStats::kMaxReasons) stats.reasons.push_back(std::move(f.reason));
    }
  }

  // Puts a run, or none, in the place of the one under way, which ends; returns the number of the new one.
  // REQUIRES: no lock is held.
  int64_t replace_run(std::shared_ptr<Run> other) {
    int64_t number;
    {
      const std::lock_guard lock(mutex);
      if (other) require_open();
      run.swap(other);
      number = ++run_number;
    }
    run_changed.notify_all();
    if (other) other->cancel();
    return number;
  }

  // The caller still owns `failed`.
  void fail(const std::shared_ptr<Run>& failed) {
    {
      const std::lock_guard lock(mutex);
      if (run == failed) run.reset();
    }
    failed->cancel();
  }
};

Loader::Loader(const LoaderOptions& options, OrderSpec order, std::vector<int64_t> subset,
               ReaderFactory readers) {
  check(options, order, subset);
  impl_ = std::make_shared<Impl>();
  impl_->options = options;
  impl_->depth = ring_depth(options, order);
  impl_->largest = largest_batch(options, order);
  impl_->order = std::move(order);
  impl_->records = RecordList(std::move(subset));
  impl_->readers = std::move(readers);
  impl_->stats.reasons.reserve(LoaderStats::kMaxReasons);  // so that noting one cannot fail
}

Loader::~Loader() {
  const pid_t started = impl_->pid;
  if (started != 0 && started != getpid()) {
    new std::shared_ptr<Impl>(impl_);  // a forked child cannot join its parent's threads
    return;
  }
  close();
}

Partition Loader::partition(int64_t base) const {
  const LoaderOptions& o = impl_->options;
  require_within("position", 0, impl_->order.size, base);
  return {impl_->order.size, base, o.rank, o.world, o.batch_size, o.drop_last};
}

int64_t Loader::start(uint32_t epoch, int64_t base) {
  impl_->require_usable();
  const Partition share = partition(base);
  EpochOrder order(impl_->order, epoch);
  impl_->replace_run(nullptr);  // its buffers serve the new one
  auto pool = impl_->start_threads();
  return impl_->replace_run(std::make_shared<Run>(impl_->options, share, std::move(order), impl_->order.seed,
                                                  epoch, impl_->records, std::move(pool), impl_->depth));
}

bool Loader::wait(int64_t number, std::chrono::milliseconds patience) {
  impl_->require_usable();
  const std::shared_ptr<Run> run = impl_->current(number);
  const auto begin = std::chrono::steady_clock::now();
  const bool ready = run->wait_until_ready(patience);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
  const std::lock_guard lock(impl_->mutex);
  impl_->stats.consumer_wait_seconds += elapsed.count();
  return ready;
}

std::optional<Batch> Loader::next(int64_t number) {
  for (;;) {
    while (!wait(number, std::chrono::seconds(1))) {
    }
    const std::shared_ptr<Run> run = impl_->current(number);
    Buffer spare = run->spare();
    Run::Taken taken;
    const std::lock_guard consumer(impl_->consumer);
    (void)impl_->current(number);
    if (run->ended()) return std::nullopt;
    if (!run->ready()) continue;  // another consumer was faster
    taken = run->take(spare);
    try {
      impl_->settle(taken);
    } catch (...) {
      impl_->fail(run);
      throw;
    }
    return std::move(taken.batch);
  }
}

LoaderStats Loader::stats() const {
  impl_->require_usable();
  const std::lock_guard lock(impl_->mutex);
  LoaderStats stats = impl_->stats;
  for (const auto& worker : impl_->workers) {
    stats.decode.fast += worker->fast.load(std::memory_order_relaxed);
    stats.decode.turbo += worker->turbo.load(std::memory_order_relaxed);
    stats.decode.foreign += worker->foreign.load(std::memory_order_relaxed);
    stats.payload_bytes += worker->payload_bytes.load(std::memory_order_relaxed);
    stats.worker_wait_seconds += worker->waited.load(std::memory_order_relaxed);
  }
  return stats;
}

void Loader::close() {
  impl_->require_usable();
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->closed = true;
  }
  impl_->replace_run(nullptr);
  const std::lock_guard hold(impl_->starting);
  impl_->join(impl_->workers);
}

}  // namespace fastinet
