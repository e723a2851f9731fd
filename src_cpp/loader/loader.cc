#include "loader/loader.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "base/error.h"
#include "loader/run.h"

namespace fastinet {
namespace {

void require(bool good, const char* what, const std::string& expected, int64_t found) {
  if (good) return;
  ErrorContext context;
  context.expected = expected;
  context.found = std::to_string(found);
  throw Error(ErrorKind::kArgument, what, std::move(context));
}

void check(const LoaderOptions& o, const OrderSpec& order, const std::vector<int64_t>& subset) {
  require(o.batch_size >= 1, "batch_size", "at least 1", o.batch_size);
  require(o.threads >= 1, "threads", "at least 1", o.threads);
  require(o.world >= 1, "world_size", "at least 1", o.world);
  require(o.rank >= 0 && o.rank < o.world, "rank", "0 to " + std::to_string(o.world - 1), o.rank);
  require(order.size >= 1, "records", "at least 1", order.size);
  require(subset.empty() || static_cast<int64_t>(subset.size()) == order.size, "subset",
          std::to_string(order.size) + " records", static_cast<int64_t>(subset.size()));
}

// Batches in the ring: one that the consumer is about to take and one that threads fill, at the least.
int64_t ring_depth(const LoaderOptions& o) {
  constexpr size_t kBookkeeping = 256;  // bytes a sample, so that a loader without pixels is bounded too
  const size_t batch_bytes = static_cast<size_t>(o.batch_size) * (o.sample_bytes + kBookkeeping);
  return std::clamp<int64_t>(static_cast<int64_t>(o.prefetch_bytes / batch_bytes), 2, 1024);
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

struct Loader::Impl {
  LoaderOptions options;
  OrderSpec order;
  std::vector<int64_t> subset;
  ReaderFactory readers;
  int64_t depth;
  std::shared_ptr<BufferPool> pool;

  pid_t pid = 0;  // of the process that has the threads
  std::vector<std::unique_ptr<Worker>> workers;

  std::mutex consumer;  // held by start() and next()
  std::mutex mutex;     // of what follows and of stats
  std::condition_variable run_changed;
  std::shared_ptr<Run> run;
  int64_t run_number = 0;
  bool stop = false;
  bool closed = false;
  LoaderStats stats;

  bool forked() const { return !workers.empty() && getpid() != pid; }

  void require_usable() const {
    if (forked()) {
      throw Error(ErrorKind::kState,
                  "the loader was started before this process forked; its threads are not here. Make a new "
                  "Loader in the child, or start children by spawn");
    }
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

  void start_threads() {
    if (!workers.empty()) return;
    // Readers first: a failure must not leave threads behind.
    std::vector<std::unique_ptr<Worker>> made;
    for (int i = 0; i < options.threads; ++i) {
      made.push_back(std::make_unique<Worker>());
      made.back()->reader = readers();
    }
    pid = getpid();
    // Idle buffers are kept for what the consumer typically holds: the batch in use and the one before.
    pool = std::make_shared<BufferPool>(options.sample_bytes * static_cast<size_t>(options.batch_size),
                                        static_cast<size_t>(depth) + 2, options.allocator);
    try {
      for (auto& worker : made) worker->thread = std::thread([this, w = worker.get()] { serve(*w); });
    } catch (const std::system_error& error) {
      workers = std::move(made);
      join();
      workers.clear();
      stop = false;
      throw Error(ErrorKind::kState, std::string("cannot start a thread: ") + error.what());
    }
    workers = std::move(made);
  }

  void join() {
    {
      const std::lock_guard lock(mutex);
      stop = true;
    }
    run_changed.notify_all();
    for (auto& worker : workers) {
      if (worker->thread.joinable()) worker->thread.join();
    }
  }

  std::shared_ptr<Run> current(int64_t number) {
    const std::lock_guard lock(mutex);
    if (closed) throw Error(ErrorKind::kState, "the loader is closed");
    if (number != run_number) {
      throw Error(ErrorKind::kState, "this iterator has ended: a newer one of the same loader took over");
    }
    return run;
  }

  // The lowest faulty sample decides, so that the error does not depend on threads.
  void settle(Run::Taken& taken) {
    for (const Failure& f : taken.failures) {
      if (f.error) std::rethrow_exception(f.error);
    }
    if (!taken.failures.empty()) compact(taken.batch, taken.failures, options.sample_bytes);
    if (taken.batch.samples.empty()) {
      throw Error(ErrorKind::kDecode,
                  "no sample of the batch could be made; the first: " + taken.failures.front().reason);
    }
    const std::lock_guard lock(mutex);
    stats.delivered += static_cast<int64_t>(taken.batch.samples.size());
    for (const Failure& f : taken.failures) {
      ++(f.substituted ? stats.substituted : stats.skipped);
      if (stats.reasons.size() < LoaderStats::kMaxReasons) stats.reasons.push_back(f.reason);
    }
  }

  void end_run() {
    const std::lock_guard lock(mutex);
    if (run) run->cancel();
    run.reset();
  }
};

Loader::Loader(const LoaderOptions& options, OrderSpec order, std::vector<int64_t> subset,
               ReaderFactory readers) {
  check(options, order, subset);
  impl_ = std::make_unique<Impl>();
  impl_->options = options;
  impl_->order = std::move(order);
  impl_->subset = std::move(subset);
  impl_->readers = std::move(readers);
  impl_->depth = ring_depth(options);
}

Loader::~Loader() {
  if (impl_->forked()) {
    (void)impl_.release();  // a forked child cannot join its parent's threads
    return;
  }
  close();
}

Partition Loader::partition(int64_t base) const {
  const LoaderOptions& o = impl_->options;
  require(base >= 0 && base <= impl_->order.size, "position", "0 to " + std::to_string(impl_->order.size),
          base);
  return {impl_->order.size, base, o.rank, o.world, o.batch_size, o.drop_last};
}

int64_t Loader::start(uint32_t epoch, int64_t base) {
  impl_->require_usable();
  const std::lock_guard consumer(impl_->consumer);
  if (impl_->closed) throw Error(ErrorKind::kState, "the loader is closed");
  impl_->end_run();
  impl_->start_threads();
  auto run = std::make_shared<Run>(impl_->options, partition(base), EpochOrder(impl_->order, epoch),
                                   impl_->order.seed, epoch, impl_->subset, impl_->pool, impl_->depth);
  int64_t number;
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->run = std::move(run);
    number = ++impl_->run_number;
  }
  impl_->run_changed.notify_all();
  return number;
}

bool Loader::wait(int64_t number, std::chrono::milliseconds patience) {
  impl_->require_usable();
  const std::shared_ptr<Run> run = impl_->current(number);
  if (!run) return true;
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
    const std::lock_guard consumer(impl_->consumer);
    const std::shared_ptr<Run> run = impl_->current(number);
    if (!run || run->ended()) return std::nullopt;
    if (!run->ready()) continue;  // another consumer was faster
    Run::Taken taken = run->take();
    try {
      impl_->settle(taken);
    } catch (...) {
      impl_->end_run();
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
  impl_->end_run();
  impl_->join();
}

}  // namespace fastinet
