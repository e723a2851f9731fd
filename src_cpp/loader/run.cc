#include "loader/run.h"

#include <algorithm>
#include <chrono>
#include <new>
#include <utility>

#include "base/error.h"

namespace fastinet {
namespace {

// How many samples ahead of the one being made payloads are read ahead: enough requests in flight for a cold
// disk, little enough to stay in the page cache.
constexpr int64_t kReadAhead = 64;

// Records tried in place of a faulty one before giving up.
constexpr int64_t kMaxSubstitutes = 64;

// Whether the policy may handle the error: a fault of one record, not of a shard or of the program.
bool concerns_one_record(const Error& error) {
  switch (error.kind()) {
    case ErrorKind::kDecode:
    case ErrorKind::kUnsupported:
    case ErrorKind::kChecksum:
    case ErrorKind::kFormat:  // malformed boxes, a size that is not the image's
      return error.context().record >= 0;
    default:
      return false;
  }
}

}  // namespace

Run::Run(const LoaderOptions& options, const Partition& partition, EpochOrder order, uint64_t seed,
         uint32_t epoch, const RecordList& records, std::shared_ptr<BufferPool> pool, int64_t depth)
    : options_(options),
      partition_(partition),
      order_(std::move(order)),
      seed_(seed),
      epoch_(epoch),
      records_(records),
      pool_(std::move(pool)),
      samples_(partition.samples()),
      batches_(partition.batches()),
      depth_(std::min(depth, std::max<int64_t>(batches_, 1))),
      ring_(std::make_unique<Slot[]>(static_cast<size_t>(depth_))) {
  for (int64_t number = 0; number < std::min(batches_, depth_); ++number) {
    Buffer buffer = spare();
    ring_[number].batch = unfilled(number, buffer);
    open(number);
  }
}

// Takes the buffer once nothing can fail any more.
Batch Run::unfilled(int64_t number, Buffer& buffer) const {
  const int64_t begin = number * options_.batch_size;
  const int64_t count = std::min(options_.batch_size, samples_ - begin);
  return {std::vector<Sample>(static_cast<size_t>(count)), std::move(buffer),
          partition_.consumed(begin + count)};
}

// Lets threads at a batch that lies in its slot.
void Run::open(int64_t number) noexcept {
  Slot& slot = ring_[number % depth_];
  slot.remaining.store(static_cast<int64_t>(slot.batch.samples.size()), std::memory_order_relaxed);
  {
    const std::lock_guard lock(mutex_);
    opened_.store(number + 1, std::memory_order_release);
  }
  opened_changed_.notify_all();
}

bool Run::await_open(int64_t batch, std::atomic<double>& waited) {
  if (batch >= opened_.load(std::memory_order_acquire)) {
    const auto begin = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex_);
    opened_changed_.wait(lock, [&] { return batch < opened_ || cancelled_; });
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    waited.store(waited.load(std::memory_order_relaxed) + elapsed.count(), std::memory_order_relaxed);
  }
  return !cancelled_.load(std::memory_order_relaxed);
}

RecordList::Entry Run::entry_at(int64_t position) const { return records_[order_(position)]; }

void Run::make(int64_t i, SampleReader& reader) {
  if (i + kReadAhead < samples_) reader.prefetch(entry_at(partition_.position(i + kReadAhead)).record);
  Failure failure;
  failure.slot = i % options_.batch_size;
  Slot& slot = ring_[(i / options_.batch_size) % depth_];
  try {
    uint8_t* pixels =
        options_.sample_bytes > 0 ? slot.batch.pixels.data() + failure.slot * options_.sample_bytes : nullptr;
    if (read(partition_.position(i), reader, slot.batch.samples[failure.slot], pixels, failure)) return;
  } catch (...) {
    failure.error = std::current_exception();
  }
  try {
    const std::lock_guard lock(slot.mutex);
    slot.failures.push_back(std::move(failure));
  } catch (const std::bad_alloc&) {
    slot.unnoted.store(true, std::memory_order_relaxed);
  }
}

bool Run::read(int64_t position, SampleReader& reader, Sample& sample, uint8_t* pixels,
               Failure& failure) const {
  const int64_t tries =
      options_.on_error == ErrorPolicy::kSubstitute ? std::min(kMaxSubstitutes, partition_.size - 1) : 0;
  std::exception_ptr first;
  for (int64_t k = 0; k <= tries; ++k) {
    try {
      const auto [record, occurrence] = entry_at((position + k) % partition_.size);
      sample.record = record;
      sample.occurrence = occurrence;
      reader.read(Stream(seed_, epoch_, static_cast<uint64_t>(record), occurrence), sample, pixels);
      failure.substituted = k > 0;
      return k == 0;
    } catch (const Error& error) {
      if (options_.on_error == ErrorPolicy::kRaise || !concerns_one_record(error)) throw;
      if (k == 0) {
        failure.reason = error.what();
        first = std::current_exception();
      }
    }
  }
  if (options_.on_error == ErrorPolicy::kSubstitute) std::rethrow_exception(first);
  return false;
}

void Run::finish(int64_t i) {
  Slot& slot = ring_[(i / options_.batch_size) % depth_];
  if (slot.remaining.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
  { const std::lock_guard lock(mutex_); }  // a consumer that has just looked is now waiting
  batch_finished_.notify_all();
}

bool Run::ready() const {
  const int64_t taken = taken_;
  return taken == batches_ || ring_[taken % depth_].remaining.load(std::memory_order_acquire) == 0;
}

bool Run::wait_until_ready(std::chrono::milliseconds patience) {
  if (ready()) return true;
  std::unique_lock lock(mutex_);
  return batch_finished_.wait_for(lock, patience, [this] { return cancelled_ || ready(); });
}

Buffer Run::spare() const {
  const bool needed = options_.sample_bytes > 0 && opened_.load(std::memory_order_relaxed) < batches_;
  return needed ? pool_->acquire() : Buffer();
}

Run::Taken Run::take(Buffer& spare) {
  // What can fail comes before the first change.
  const int64_t next = opened_.load(std::memory_order_relaxed);
  Batch fresh;
  if (next < batches_) fresh = unfilled(next, spare);
  Slot& slot = ring_[taken_ % depth_];
  Taken taken{std::exchange(slot.batch, std::move(fresh)), std::exchange(slot.failures, {}),
              slot.unnoted.exchange(false, std::memory_order_relaxed)};
  ++taken_;
  if (next < batches_) open(next);
  { const std::lock_guard lock(mutex_); }  // as in finish(): other consumers now wait for the next batch
  batch_finished_.notify_all();
  std::sort(taken.failures.begin(), taken.failures.end(),
            [](const Failure& a, const Failure& b) { return a.slot < b.slot; });
  return taken;
}

void Run::cancel() {
  {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
  }
  opened_changed_.notify_all();
  batch_finished_.notify_all();
}

}  // namespace fastinet
