// Everything at once, at random: allocators that wait for a lock that a monitor holds while it asks for
// stats, epochs abandoned and resumed, faulty records, memory that runs out, batches kept and dropped
// elsewhere, close() in the midst of it. Whatever happens, the batches of an epoch are the right ones, each
// once, in order.
//   FASTINET_STRESS_SECONDS=600  how long (3)      FASTINET_STRESS_SEED=7  the seed that a failure printed
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>
#include <new>
#include <random>
#include <set>
#include <thread>

#include "base/error.h"
#include "loader/loader.h"
#include "loader/record_list.h"

namespace fastinet {
namespace {

using std::chrono::steady_clock;
using Random = std::mt19937_64;

uint64_t from_environment(const char* name, uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr ? std::strtoull(value, nullptr, 10) : otherwise;
}

bool chance(Random& random, uint64_t one_in) { return one_in != 0 && random() % one_in == 0; }

struct NoMemory : std::bad_alloc {};  // of the allocator; the reader's is a plain std::bad_alloc

// Python's lock, as far as the loader can tell: the allocator takes it, and so does whoever watches.
std::recursive_mutex gil;

struct Memory {
  uint64_t fails_one_in = 0;
  std::mutex mutex;
  Random random;
  std::set<uint8_t*> in_use;

  uint8_t* allocate(size_t bytes) {
    const std::lock_guard hold(gil);
    const std::lock_guard lock(mutex);
    if (chance(random, fails_one_in)) throw NoMemory();
    auto* data = new uint8_t[bytes];
    in_use.insert(data);
    return data;
  }
  void free(uint8_t* data) {
    const std::lock_guard hold(gil);
    const std::lock_guard lock(mutex);
    EXPECT_EQ(in_use.erase(data), 1U);
    delete[] data;
  }
};

// The pixels of a sample: what it is of, and a number of its own.
struct Pixels {
  int64_t record;
  uint32_t occurrence;
  uint32_t word;
  bool operator==(const Pixels&) const = default;
};

class Reader : public SampleReader {
 public:
  Reader(const std::set<int64_t>& faulty, uint64_t fails_one_in, uint64_t seed)
      : faulty_(faulty), fails_one_in_(fails_one_in), random_(seed) {}

  void read(const Stream& stream, Sample& sample, uint8_t* pixels) override {
    if (chance(random_, fails_one_in_)) throw std::bad_alloc();
    if (faulty_.contains(sample.record)) {
      throw Error(ErrorKind::kDecode, "faulty", {.record = sample.record});
    }
    const Pixels made{sample.record, sample.occurrence, stream.block(0)[0]};
    std::memcpy(pixels, &made, sizeof(made));
    ++read_;
  }
  void prefetch(int64_t) noexcept override {}
  Counts counts() const override { return {{read_, 0, 0}, read_}; }

 private:
  const std::set<int64_t>& faulty_;
  const uint64_t fails_one_in_;
  Random random_;
  int64_t read_ = 0;
};

// A loader with random options, and what it ought to give.
class Setting {
 public:
  explicit Setting(uint64_t seed) : random_(seed) {
    order_.kind = OrderKind::kShuffled;
    order_.size = 1 + static_cast<int64_t>(random_() % 150);
    order_.seed = random_();
    if (chance(random_, 2)) {
      for (int64_t i = 0; i < order_.size; ++i) subset_.push_back(static_cast<int64_t>(random_() % 100));
    }
    for (int64_t r = 0; r < 150; ++r) {
      if (chance(random_, 40)) faulty_.insert(r);
    }
    options_.batch_size = 1 + static_cast<int64_t>(random_() % 9);
    options_.threads = 1 + static_cast<int>(random_() % 4);
    options_.world = 1 + static_cast<int64_t>(random_() % 3);
    options_.rank = static_cast<int64_t>(random_() % static_cast<uint64_t>(options_.world));
    options_.drop_last = chance(random_, 3);
    options_.sample_bytes = sizeof(Pixels);
    options_.prefetch_bytes = random_() % (1 << 14);
    options_.on_error = static_cast<ErrorPolicy>(random_() % 3);
    memory_.fails_one_in = chance(random_, 2) ? 20 : 0;
    memory_.random.seed(random_());
    options_.allocator = {[this](size_t bytes) { return memory_.allocate(bytes); },
                          [this](uint8_t* data) { memory_.free(data); }, chance(random_, 2)};
    const uint64_t reader_fails = chance(random_, 3) ? 200 : 0;
    auto readers = [this, reader_fails, seed = random_()]() mutable {
      return std::make_unique<Reader>(faulty_, reader_fails, seed++);
    };
    loader = std::make_unique<Loader>(options_, order_, subset_, std::move(readers));
  }
  ~Setting() {
    loader.reset();
    EXPECT_TRUE(memory_.in_use.empty());
  }

  // What a batch that begins at a position holds; nothing where it ought to throw.
  std::optional<std::vector<Pixels>> expected(uint32_t epoch, int64_t base, int64_t batch) const {
    const Partition share = loader->partition(base);
    const EpochOrder order(order_, epoch);
    const RecordList records(subset_);
    std::vector<Pixels> all;
    const int64_t begin = batch * options_.batch_size;
    const int64_t end = std::min(begin + options_.batch_size, share.samples());
    for (int64_t i = begin; i < end; ++i) {
      int64_t place = share.position(i);
      int64_t tries =
          options_.on_error == ErrorPolicy::kSubstitute ? std::min<int64_t>(64, order_.size - 1) : 0;
      while (faulty_.contains(records[order(place)].record) && tries > 0) {
        place = (place + 1) % order_.size;
        --tries;
      }
      const auto [record, occurrence] = records[order(place)];
      if (!faulty_.contains(record)) {
        const Stream stream(order_.seed, epoch, static_cast<uint64_t>(record), occurrence);
        all.push_back({record, occurrence, stream.block(0)[0]});
      } else if (options_.on_error != ErrorPolicy::kSkip) {
        return std::nullopt;
      }
    }
    return all;
  }

  std::unique_ptr<Loader> loader;

 private:
  Random random_;
  OrderSpec order_;
  std::vector<int64_t> subset_;
  std::set<int64_t> faulty_;
  LoaderOptions options_;
  Memory memory_;
};

std::vector<Pixels> pixels_of(const Batch& batch) {
  std::vector<Pixels> pixels(batch.samples.size());
  if (!pixels.empty()) std::memcpy(pixels.data(), batch.pixels.data(), pixels.size() * sizeof(Pixels));
  return pixels;
}

struct Kept {
  Batch batch;
  std::vector<Pixels> expected;
};

class Stress {
 public:
  explicit Stress(uint64_t seed) : random_(seed), setting_(random_()) {}

  // Some epochs of one loader, with a monitor and, at times, somebody who closes it.
  void run() {
    std::atomic<bool> stop{false};
    std::thread monitor([&] {
      while (!stop) {
        const std::lock_guard hold(gil);
        EXPECT_LE(setting_.loader->stats().delivered, int64_t{1} << 40);
        drop_one();
      }
    });
    std::thread closer;
    if (chance(random_, 4)) {
      closer = std::thread([this, after = std::chrono::microseconds(random_() % 20000)] {
        std::this_thread::sleep_for(after);
        setting_.loader->close();
      });
    }
    try {
      for (int epochs = 0; epochs < 8; ++epochs) epoch(static_cast<uint32_t>(random_() % 3));
    } catch (const Error& error) {
      EXPECT_STREQ(error.what(), "the loader is closed");
    }
    stop = true;
    monitor.join();
    if (closer.joinable()) closer.join();
    while (drop_one()) {
    }
  }

 private:
  // One epoch to its end or some way into it, resumed after each error that allows it.
  void epoch(uint32_t number) {
    Loader& loader = *setting_.loader;
    int64_t base = 0;
    int64_t batch = 0;
    int64_t run = start(number, base);
    const uint64_t breaks = random_() % 60;
    for (uint64_t calls = 0; calls < breaks; ++calls) {
      const auto expected = setting_.expected(number, base, batch);
      const int64_t share = loader.partition(base).batches();
      try {
        std::optional<Batch> taken = loader.next(run);
        ASSERT_EQ(taken.has_value(), batch < share);
        if (!taken) return;
        ASSERT_TRUE(expected.has_value());
        ASSERT_EQ(pixels_of(*taken), *expected);
        ++batch;
        if (chance(random_, 2)) keep({std::move(*taken), *expected});
      } catch (const NoMemory&) {  // nothing was taken: the next call gives the batch
        ASSERT_LT(batch, share);
      } catch (const std::bad_alloc&) {  // of a sample: the run is over, and the batch comes again
        expect_over(run);
        const Partition partition = loader.partition(base);
        base = partition.consumed(batch * partition.batch_size);
        batch = 0;
        run = start(number, base);
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::kDecode) throw;
        ASSERT_FALSE(expected.has_value());
        expect_over(run);
        return;
      }
    }
  }

  // A run that failed never says that it came to its end.
  void expect_over(int64_t run) {
    try {
      (void)setting_.loader->next(run);
      ADD_FAILURE() << "a failed run gave something";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kState);
      if (std::strcmp(error.what(), "the loader is closed") == 0) throw;
    }
  }

  int64_t start(uint32_t epoch, int64_t base) {
    for (;;) {
      try {
        return setting_.loader->start(epoch, base);
      } catch (const NoMemory&) {
      }
    }
  }

  void keep(Kept kept) {
    const std::lock_guard lock(mutex_);
    kept_.push_back(std::move(kept));
  }

  // Lets go of a batch, which must be as it was.
  bool drop_one() {
    Kept kept;
    {
      const std::lock_guard lock(mutex_);
      if (kept_.empty()) return false;
      kept = std::move(kept_.front());
      kept_.pop_front();
    }
    EXPECT_EQ(pixels_of(kept.batch), kept.expected);
    return true;
  }

  Random random_;
  std::mutex mutex_;
  std::deque<Kept> kept_;
  Setting setting_;  // the batches that are kept are gone before it is
};

TEST(LoaderStress, EveryEpochIsAPrefixOfTheRightBatches) {
  const uint64_t seconds = from_environment("FASTINET_STRESS_SECONDS", 3);
  const auto end = steady_clock::now() + std::chrono::seconds(seconds);
  alarm(static_cast<unsigned>(seconds + 120));  // a deadlock ends the program
  uint64_t seed = from_environment("FASTINET_STRESS_SEED", std::random_device()());
  int64_t rounds = 0;
  do {
    SCOPED_TRACE("FASTINET_STRESS_SEED=" + std::to_string(seed));
    Stress(seed).run();
    ++rounds;
    ++seed;
  } while (steady_clock::now() < end && !HasFailure());
  alarm(0);
  printf("%lld loaders, the last with FASTINET_STRESS_SEED=%llu\n", static_cast<long long>(rounds),
         static_cast<unsigned long long>(seed - 1));
}

}  // namespace
}  // namespace fastinet
