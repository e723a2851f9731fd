// START HERE. From an order of records to finished batches: threads take samples, write each straight into
// its slot of a pooled batch buffer, and batches come out in order. What a sample is, the SampleReader knows
// (record_reader.h); which record comes when, order.h and partition.h; this file and run.h are the machinery
// between them.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "loader/buffer_pool.h"
#include "loader/order.h"
#include "loader/partition.h"
#include "loader/sample.h"

namespace fastinet {

// What happens to a record that cannot be decoded or whose bytes are damaged. Errors of whole shards
// (missing, truncated, unreadable) are always raised.
enum class ErrorPolicy {
  kRaise,
  kSkip,        // the batch comes shorter, down to an empty one: their number is that of every rank
  kSubstitute,  // the record at the next position of the epoch takes its place
};

struct LoaderOptions {
  static constexpr int64_t kMaxBatch = (int64_t{1} << 31) - 1;
  static constexpr int64_t kMaxWorld = (int64_t{1} << 31) - 1;

  int64_t batch_size = 1;
  int64_t rank = 0;
  int64_t world = 1;
  bool drop_last = false;
  int threads = 1;
  size_t sample_bytes = 0;    // of a finished sample; 0: no pixels are made
  size_t prefetch_bytes = 0;  // of batches under way; at least two batches are
  ErrorPolicy on_error = ErrorPolicy::kRaise;
  BufferAllocator allocator = system_allocator();
};

struct Batch {
  std::vector<Sample> samples;
  Buffer pixels;         // samples.size() finished samples, contiguous; empty where none are made
  int64_t position = 0;  // of the epoch, once every rank has consumed this batch
};

struct LoaderStats {
  int64_t delivered = 0;  // samples handed out
  int64_t skipped = 0;
  int64_t substituted = 0;
  std::vector<std::string> reasons;  // of the first kMaxReasons samples skipped or substituted
  DecodeCounts decode;               // including samples that are not handed out yet
  int64_t payload_bytes = 0;         // likewise
  double consumer_wait_seconds = 0;  // next() had to wait for a batch: decoding is the bottleneck
  double worker_wait_seconds = 0;    // threads had to wait for a free batch, summed: the consumer is

  static constexpr size_t kMaxReasons = 32;
};

// Threads start with the first start() and end with close(). Safe for concurrent use. After a fork, the
// child's calls throw Error{kState} and its destructor leaks. The last owner may let go in a thread of the
// loader itself, as Python's garbage collector does where it runs in the midst of a decoder.
//
// Locks. Every call may wait for another thread, and so for whatever that thread waits for in an allocator or
// a reader: call with no lock that those need, Python's among them. No allocator and no reader is called, and
// no buffer given back, under a lock of the loader. loader.cc says which lock may be taken under which.
class Loader {
 public:
  // Called by the first start(), once a thread.
  using ReaderFactory = std::function<std::unique_ptr<SampleReader>()>;

  // Records come as subset[order(position)], or as order(position) where `subset` is empty. A record that
  // `subset` names several times has other random numbers each time (RecordList).
  // Throws Error{kArgument}.
  Loader(const LoaderOptions& options, OrderSpec order, std::vector<int64_t> subset, ReaderFactory readers);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  // The share of this rank in an epoch that resumes at `base`.
  Partition partition(int64_t base) const;

  // Begins an epoch at a position of it and abandons the one under way. Returns the number of the new run.
  // Throws Error, or what the allocator throws; then no epoch is under way.
  int64_t start(uint32_t epoch, int64_t base);

  // Waits until next(run) would not, at most for `patience`; says whether it would not.
  // Throws Error{kState} where an error, a later start() or close() has ended the run.
  bool wait(int64_t run, std::chrono::milliseconds patience);

  // The next batch of the run, or nothing at its end. A batch is given once, whole, or not at all:
  // - What the first faulty sample of the batch threw is thrown here, and the run is over: from then on
  //   Error{kState}, never "nothing". start() at the position of the batch before gives the lost one again.
  // - What the allocator throws is thrown before anything is taken: the next call gives the same batch.
  std::optional<Batch> next(int64_t run);

  LoaderStats stats() const;

  // Ends the run and the threads; waits for the samples under way. Idempotent.
  void close();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // its threads own it too
};

}  // namespace fastinet
