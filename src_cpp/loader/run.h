// One epoch under way: the tickets that threads take, the ring of batches that they fill, the order in which
// batches come out.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "loader/loader.h"
#include "loader/record_list.h"

namespace fastinet {

// A sample that could not be made as ordered.
struct Failure {
  int64_t slot = 0;          // in the batch
  bool substituted = false;  // another record took its place
  std::exception_ptr error;  // set: it ends the run
  std::string reason;        // else: why it was skipped or replaced
};

// Sample i of the run belongs to slot i % batch_size of batch i / batch_size, which lies in the ring at
// (i / batch_size) % depth. Threads take i from an atomic counter and touch no lock until they finish a batch
// or run ahead of the ring.
//
// A run owns buffers, which its last owner gives back: hold no lock when you make a run, let go of one, or
// call spare(). The two mutexes of a run are held for a few instructions, and nothing else is locked
// meanwhile.
class Run {
 public:
  // Throws what the allocator of the pool throws.
  Run(const LoaderOptions& options, const Partition& partition, EpochOrder order, uint64_t seed,
      uint32_t epoch, const RecordList& records, std::shared_ptr<BufferPool> pool, int64_t depth);

  // Threads: makes samples until none is left or the run is cancelled. `after_sample` is called after each;
  // `waited` gathers the seconds spent waiting for a free batch.
  template <typename AfterSample>
  void work(SampleReader& reader, std::atomic<double>& waited, const AfterSample& after_sample) {
    for (;;) {
      const int64_t i = ticket_.fetch_add(1, std::memory_order_relaxed);
      if (i >= samples_ || !await_open(i / options_.batch_size, waited)) return;
      make(i, reader);
      after_sample();
      finish(i);
    }
  }

  // Consumers, any number. Whether take() would give something, or the run has ended.
  bool ready() const;
  bool ended() const { return taken_ == batches_; }
  // Also true where the run is cancelled.
  bool wait_until_ready(std::chrono::milliseconds patience);

  // The buffer that the next take() needs; an empty one where it needs none.
  Buffer spare() const;

  // One consumer at a time. REQUIRES: ready(), not ended(), and a `spare` asked for since the run began.
  // Throws std::bad_alloc; the batch is then still there to be taken.
  struct Taken {
    Batch batch;
    std::vector<Failure> failures;  // by slot
    bool out_of_memory = false;     // a sample failed for want of memory, even to say so
  };
  Taken take(Buffer& spare);

  // From any thread: no further samples are begun, and nobody waits any longer.
  void cancel();

 private:
  struct alignas(64) Slot {
    std::atomic<int64_t> remaining{0};  // samples not yet finished
    Batch batch;
    std::mutex mutex;  // of failures
    std::vector<Failure> failures;
    std::atomic<bool> unnoted{false};  // there was no memory for a failure
  };

  Batch unfilled(int64_t number, Buffer& buffer) const;
  void open(int64_t number) noexcept;
  bool await_open(int64_t batch, std::atomic<double>& waited);
  void make(int64_t i, SampleReader& reader);
  void finish(int64_t i);
  RecordList::Entry entry_at(int64_t position) const;
  // Makes the sample at a position, as the error policy allows. False: not as ordered, and `failure` says
  // how.
  bool read(int64_t position, SampleReader& reader, Sample& sample, uint8_t* pixels, Failure& failure) const;

  const LoaderOptions options_;
  const Partition partition_;
  const EpochOrder order_;
  const uint64_t seed_;
  const uint32_t epoch_;
  const RecordList& records_;  // the loader's, which outlives its runs
  const std::shared_ptr<BufferPool> pool_;
  const int64_t samples_;
  const int64_t batches_;
  const int64_t depth_;
  const std::unique_ptr<Slot[]> ring_;
  std::atomic<int64_t> taken_{0};  // batches

  alignas(64) std::atomic<int64_t> ticket_{0};
  alignas(64) std::atomic<int64_t> opened_{0};  // batches that may be filled
  std::atomic<bool> cancelled_{false};
  std::mutex mutex_;  // pairs the condition variables with opened_, cancelled_ and Slot::remaining
  std::condition_variable opened_changed_;
  std::condition_variable batch_finished_;
};

}  // namespace fastinet
