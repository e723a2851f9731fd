// Who holds which memory when, and what comes of it where there is none.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <future>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "loader/loader.h"

namespace fastinet {
namespace {

// Pixels are the record.
class Reader : public SampleReader {
 public:
  void read(const Stream&, Sample& sample, uint8_t* pixels) override {
    std::memcpy(pixels, &sample.record, sizeof(sample.record));
  }
  void prefetch(int64_t) noexcept override {}
  Counts counts() const override { return {}; }
};

// An allocator that fails on request, counts, and lets others be called from within it.
struct Memory {
  std::atomic<int> allocated{0}, freed{0};
  std::atomic<int> fail_at{-1};  // the allocation that fails
  std::function<void()> inside = [] {};

  BufferAllocator allocator(bool reuse) {
    return {[this](size_t bytes) {
              inside();
              if (allocated.fetch_add(1) == fail_at) throw std::bad_alloc();
              return new uint8_t[bytes];
            },
            [this](const uint8_t* data) {
              inside();
              ++freed;
              delete[] data;
            },
            reuse};
  }
};

std::unique_ptr<Loader> make(const BufferAllocator& allocator, int64_t size) {
  LoaderOptions o;
  o.batch_size = 4;
  o.threads = 2;
  o.sample_bytes = sizeof(int64_t);
  o.allocator = allocator;
  return std::make_unique<Loader>(o, OrderSpec{OrderKind::kSequential, size, 0, {}, 1},
                                  std::vector<int64_t>{}, [] { return std::make_unique<Reader>(); });
}

std::vector<int64_t> pixels_of(const Batch& batch) {
  std::vector<int64_t> pixels(batch.samples.size());
  std::memcpy(pixels.data(), batch.pixels.data(), pixels.size() * sizeof(int64_t));
  return pixels;
}

TEST(LoaderMemory, ABatchWhoseSuccessorFindsNoMemoryComesWithTheNextCall) {
  for (int fail_at = 2; fail_at < 6; ++fail_at) {
    Memory memory;
    memory.fail_at = fail_at;
    const auto loader = make(memory.allocator(false), 24);
    const int64_t number = loader->start(0, 0);
    std::vector<int64_t> seen;
    int failures = 0;
    for (;;) {
      try {
        const auto batch = loader->next(number);
        if (!batch) break;
        for (const int64_t record : pixels_of(*batch)) seen.push_back(record);
        EXPECT_EQ(batch->position, static_cast<int64_t>(seen.size()));
      } catch (const std::bad_alloc&) {
        ++failures;
      }
    }
    EXPECT_EQ(failures, 1);
    ASSERT_EQ(seen.size(), 24U);
    for (int64_t i = 0; i < 24; ++i) EXPECT_EQ(seen[i], i);
  }
}

TEST(LoaderMemory, AnEpochThatFindsNoMemoryDoesNotBegin) {
  Memory memory;
  const auto loader = make(memory.allocator(false), 24);
  const int64_t old = loader->start(0, 0);
  memory.fail_at = 3;
  EXPECT_THROW(loader->start(1, 0), std::bad_alloc);
  EXPECT_THROW(loader->next(old), std::runtime_error);  // ended, and not by its last batch
  EXPECT_EQ(memory.freed, 3);
  EXPECT_EQ(pixels_of(*loader->next(loader->start(1, 8))), (std::vector<int64_t>{8, 9, 10, 11}));
}

TEST(LoaderMemory, AnAllocatorThatForbidsReuseSeesTheEndOfEachUse) {
  Memory memory;
  std::set<const uint8_t*> kept;
  {
    const auto loader = make(memory.allocator(false), 4000);
    const int64_t number = loader->start(0, 0);
    for (int taken = 1; auto batch = loader->next(number); ++taken) {
      batch.reset();
      EXPECT_EQ(memory.freed, taken);
    }
    EXPECT_EQ(memory.allocated, 1000);
  }
  EXPECT_EQ(memory.freed, 1000);
}

TEST(LoaderMemory, TheLastOwnerMayLetGoInAThreadOfTheLoader) {
  struct Slayer : Reader {
    std::function<void()> slay;
    void read(const Stream& stream, Sample& sample, uint8_t* pixels) override {
      Reader::read(stream, sample, pixels);
      if (sample.record == 5) slay();
    }
  };
  for (int repeat = 0; repeat < 20; ++repeat) {
    Memory memory;
    std::promise<void> begun, gone;
    std::unique_ptr<Loader> loader;
    LoaderOptions o;
    o.batch_size = 4;
    o.threads = 3;
    o.sample_bytes = sizeof(int64_t);
    o.allocator = memory.allocator(false);
    const auto watch = std::make_shared<int>(0);  // owned by the factory and by each reader, too
    auto readers = [&, watch] {
      auto reader = std::make_unique<Slayer>();
      reader->slay = [&, watch] {
        begun.get_future().wait();
        loader.reset();
        gone.set_value();
      };
      return reader;
    };
    loader = std::make_unique<Loader>(o, OrderSpec{OrderKind::kSequential, 40, 0, {}, 1},
                                      std::vector<int64_t>{}, readers);
    loader->start(0, 0);
    begun.set_value();
    gone.get_future().wait();
    while (watch.use_count() > 2) std::this_thread::yield();  // the thread ends, and takes the readers along
    EXPECT_EQ(memory.allocated, memory.freed);
  }
}

TEST(LoaderMemory, AllocatorsMayWaitForThreadsThatUseTheLoader) {
  // As where one thread holds Python's lock and asks for stats, while another gives back a Python buffer.
  for (const bool reuse : {false, true}) {
    Memory memory;
    std::unique_ptr<Loader> loader = make(memory.allocator(reuse), 40);
    std::vector<std::future<void>> others;
    std::mutex mutex;
    std::atomic<int> waits{0};
    memory.inside = [&] {
      auto other = std::async(std::launch::async, [&] {
        loader->stats();
        loader->partition(0);
      });
      EXPECT_EQ(other.wait_for(std::chrono::seconds(20)), std::future_status::ready);
      ++waits;
      const std::lock_guard lock(mutex);
      others.push_back(std::move(other));
    };
    for (uint32_t epoch = 0; epoch < 5; ++epoch) {
      std::vector<Batch> batches;
      const int64_t number = loader->start(epoch, 0);
      for (uint32_t b = 0; b < 2 * epoch; ++b) batches.push_back(*loader->next(number));
    }
    loader->close();
    EXPECT_GT(waits, 0);  // or nothing was tried
    memory.inside = [] {};
  }
}

}  // namespace
}  // namespace fastinet
