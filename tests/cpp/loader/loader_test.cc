#include "loader/loader.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include "base/error.h"

namespace fastinet {
namespace {

using std::chrono::milliseconds;

// Behaviour of the fake source, shared by the readers of a loader.
struct Fake {
  std::map<int64_t, ErrorKind> faults;  // by record; kIo stands for a fault of the shard
  std::atomic<int> reads{0};
  std::atomic<bool> hold{false};  // readers wait while it is set
};

// A sample's pixels are its record and the first word of its stream.
class FakeReader : public SampleReader {
 public:
  explicit FakeReader(Fake& fake) : fake_(fake) {}

  void read(const Stream& stream, Sample& sample, uint8_t* pixels) override {
    ++fake_.reads;
    while (fake_.hold) std::this_thread::sleep_for(milliseconds(1));
    if (const auto fault = fake_.faults.find(sample.record); fault != fake_.faults.end()) {
      if (fault->second == ErrorKind::kState) throw std::bad_alloc();
      ErrorContext context;
      if (fault->second != ErrorKind::kIo) context.record = sample.record;
      throw Error(fault->second, "broken", std::move(context));
    }
    sample.label = static_cast<int32_t>(sample.record * 10);
    if (pixels == nullptr) return;
    auto* words = reinterpret_cast<uint32_t*>(pixels);
    words[0] = static_cast<uint32_t>(sample.record);
    words[1] = stream.block(0)[0];
    ++made_;
  }
  void prefetch(int64_t) noexcept override {}
  Counts counts() const override { return {{made_, 0, 0}, made_ * 100}; }

 private:
  Fake& fake_;
  int64_t made_ = 0;
};

LoaderOptions options(int64_t batch_size, int threads) {
  LoaderOptions o;
  o.batch_size = batch_size;
  o.threads = threads;
  o.sample_bytes = 8;
  o.prefetch_bytes = 1 << 12;
  return o;
}

Loader make(Fake& fake, const LoaderOptions& o, int64_t size, std::vector<int64_t> subset = {}) {
  return Loader(o, {OrderKind::kShuffled, size, 1, {}, 1}, std::move(subset),
                [&fake] { return std::make_unique<FakeReader>(fake); });
}

using Words = std::vector<std::pair<uint32_t, uint32_t>>;

Words words_of(const Batch& batch) {
  Words words;
  const auto* data = reinterpret_cast<const uint32_t*>(batch.pixels.data());
  for (size_t i = 0; i < batch.samples.size(); ++i) {
    EXPECT_EQ(data[2 * i], static_cast<uint32_t>(batch.samples[i].record));
    EXPECT_EQ(batch.samples[i].label, batch.samples[i].record * 10);
    words.emplace_back(data[2 * i], data[2 * i + 1]);
  }
  return words;
}

Words run(Loader& loader, uint32_t epoch, int64_t base = 0) {
  Words all;
  const int64_t number = loader.start(epoch, base);
  while (auto batch = loader.next(number)) {
    const Words words = words_of(*batch);
    all.insert(all.end(), words.begin(), words.end());
  }
  return all;
}

std::vector<int64_t> records_of(const Words& words) {
  std::vector<int64_t> records;
  for (const auto& w : words) records.push_back(w.first);
  return records;
}

std::vector<int64_t> sorted(std::vector<int64_t> v) {
  std::sort(v.begin(), v.end());
  return v;
}

std::vector<int64_t> iota(int64_t n) {
  std::vector<int64_t> v(n);
  for (int64_t i = 0; i < n; ++i) v[i] = i;
  return v;
}

template <typename Call>
Error error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return Error(ErrorKind::kState, "none");
}

TEST(Loader, GivesTheSameSamplesWithAnyNumberOfThreads) {
  Fake fake;
  Loader one = make(fake, options(7, 1), 1000);
  const Words expected = run(one, 3);
  EXPECT_EQ(sorted(records_of(expected)), iota(1000));
  for (const int threads : {2, 8}) {
    Loader loader = make(fake, options(7, threads), 1000);
    EXPECT_EQ(run(loader, 3), expected);
    EXPECT_NE(run(loader, 4), expected);
    EXPECT_EQ(run(loader, 3), expected);
  }
}

TEST(Loader, ResumesUnderAnotherWorldSizeWithoutLosingOrRepeatingASample) {
  Fake fake;
  std::vector<int64_t> seen;
  int64_t position = 0;
  for (int64_t rank = 0; rank < 3; ++rank) {
    LoaderOptions o = options(8, 2);
    o.world = 3;
    o.rank = rank;
    Loader loader = make(fake, o, 1000);
    const int64_t number = loader.start(0, 0);
    for (int b = 0; b < 5; ++b) {
      const auto batch = loader.next(number);
      position = batch->position;
      for (const Sample& s : batch->samples) seen.push_back(s.record);
    }
  }
  EXPECT_EQ(position, 120);
  for (int64_t rank = 0; rank < 2; ++rank) {
    LoaderOptions o = options(5, 3);
    o.world = 2;
    o.rank = rank;
    Loader loader = make(fake, o, 1000);
    for (const int64_t r : records_of(run(loader, 0, position))) seen.push_back(r);
  }
  EXPECT_EQ(sorted(seen), iota(1000));
}

TEST(Loader, MapsTheOrderThroughASubset) {
  Fake fake;
  Loader loader = make(fake, options(2, 2), 4, {90, 70, 50, 30});
  EXPECT_EQ(sorted(records_of(run(loader, 0))), (std::vector<int64_t>{30, 50, 70, 90}));
}

TEST(Loader, TheErrorOfASampleIsRaisedByItsBatchAndTheLowestSampleDecides) {
  Fake fake;
  Loader probe = make(fake, options(10, 1), 100);
  const auto order = records_of(run(probe, 0));
  fake.faults = {{order[37], ErrorKind::kDecode}, {order[33], ErrorKind::kChecksum}};
  for (int repeat = 0; repeat < 20; ++repeat) {
    Loader loader = make(fake, options(10, 4), 100);
    const int64_t number = loader.start(0, 0);
    for (int b = 0; b < 3; ++b) EXPECT_EQ(loader.next(number)->samples.size(), 10U);
    const Error error = error_of([&] { loader.next(number); });
    EXPECT_EQ(error.kind(), ErrorKind::kChecksum);
    EXPECT_EQ(error.context().record, order[33]);
    EXPECT_STREQ(error_of([&] { loader.next(number); }).what(),
                 "this iterator has ended before its epoch: an error ended it");
    EXPECT_EQ(loader.stats().delivered, 30);
  }
}

TEST(Loader, SkipLeavesFaultyRecordsOutAndCountsThem) {
  Fake fake;
  fake.faults = {{3, ErrorKind::kDecode}, {4, ErrorKind::kChecksum}};
  LoaderOptions o = options(10, 4);
  o.on_error = ErrorPolicy::kSkip;
  Loader loader = make(fake, o, 100);
  std::vector<int64_t> expected = iota(100);
  expected.erase(expected.begin() + 3, expected.begin() + 5);
  EXPECT_EQ(sorted(records_of(run(loader, 0))), expected);
  EXPECT_EQ(loader.stats().skipped, 2);
  EXPECT_EQ(loader.stats().delivered, 98);
  ASSERT_EQ(loader.stats().reasons.size(), 2U);
}

TEST(Loader, SubstituteTakesTheRecordOfTheNextPosition) {
  Fake fake;
  Loader probe = make(fake, options(10, 1), 100);
  const Words clean = run(probe, 0);
  fake.faults = {{clean[5].first, ErrorKind::kDecode}, {clean[6].first, ErrorKind::kDecode}};
  LoaderOptions o = options(10, 4);
  o.on_error = ErrorPolicy::kSubstitute;
  Loader loader = make(fake, o, 100);
  Words expected = clean;
  expected[5] = expected[6] = clean[7];
  EXPECT_EQ(run(loader, 0), expected);
  EXPECT_EQ(loader.stats().substituted, 2);
  EXPECT_EQ(loader.stats().delivered, 100);
}

TEST(Loader, PoliciesDoNotHideFaultsOfShardsOrOfTheProgram) {
  for (const ErrorPolicy policy : {ErrorPolicy::kSkip, ErrorPolicy::kSubstitute}) {
    LoaderOptions o = options(10, 2);
    o.on_error = policy;
    Fake fake;
    fake.faults = {{42, ErrorKind::kIo}};
    Loader loader = make(fake, o, 100);
    EXPECT_EQ(error_of([&] { run(loader, 0); }).kind(), ErrorKind::kIo);
    fake.faults = {{42, ErrorKind::kState}};  // thrown as std::bad_alloc
    EXPECT_THROW(run(loader, 0), std::bad_alloc);
  }
}

TEST(Loader, SkipGivesAnEmptyBatchWhereNoSampleIsLeftSoThatRanksStayInStep) {
  Fake fake;
  Loader probe = make(fake, options(5, 1), 20);
  const auto order = records_of(run(probe, 0));
  for (int i = 5; i < 10; ++i) fake.faults[order[i]] = ErrorKind::kDecode;
  LoaderOptions o = options(5, 2);
  o.on_error = ErrorPolicy::kSkip;
  Loader loader = make(fake, o, 20);
  const int64_t number = loader.start(0, 0);
  std::vector<size_t> sizes;
  std::vector<int64_t> positions;
  while (auto batch = loader.next(number)) {
    sizes.push_back(batch->samples.size());
    positions.push_back(batch->position);
    EXPECT_NE(batch->pixels.data(), nullptr);
  }
  EXPECT_EQ(sizes, (std::vector<size_t>{5, 0, 5, 5}));
  EXPECT_EQ(positions, (std::vector<int64_t>{5, 10, 15, 20}));
  EXPECT_EQ(loader.stats().skipped, 5);
}

TEST(Loader, SubstituteRaisesWhenNoRecordNearbyIsGood) {
  Fake fake;
  for (int64_t r = 0; r < 20; ++r) fake.faults[r] = ErrorKind::kDecode;
  LoaderOptions o = options(10, 2);
  o.on_error = ErrorPolicy::kSubstitute;
  Loader loader = make(fake, o, 20);
  EXPECT_EQ(error_of([&] { run(loader, 0); }).kind(), ErrorKind::kDecode);
}

TEST(Loader, PrefetchIsBounded) {
  Fake fake;
  LoaderOptions o = options(10, 4);
  o.prefetch_bytes = 0;
  Loader loader = make(fake, o, 1000);
  const int64_t number = loader.start(0, 0);
  for (int b = 0; b < 10; ++b) {
    ASSERT_TRUE(loader.next(number));
    std::this_thread::sleep_for(milliseconds(2));
    EXPECT_LE(fake.reads.load(), (b + 1 + 2) * 10);
  }
}

TEST(Loader, WaitGivesUpAfterItsPatience) {
  Fake fake;
  fake.hold = true;
  Loader loader = make(fake, options(10, 2), 100);
  const int64_t number = loader.start(0, 0);
  EXPECT_FALSE(loader.wait(number, milliseconds(5)));
  EXPECT_GT(loader.stats().consumer_wait_seconds, 0.004);
  fake.hold = false;
  EXPECT_EQ(loader.next(number)->samples.size(), 10U);
}

TEST(Loader, ANewRunEndsTheOldOne) {
  Fake fake;
  Loader loader = make(fake, options(10, 4), 100);
  const Words expected = run(loader, 1);
  for (int repeat = 0; repeat < 50; ++repeat) {
    const int64_t old = loader.start(0, 0);
    if (repeat % 2 == 0) {
      ASSERT_TRUE(loader.next(old));
    }
    EXPECT_EQ(run(loader, 1), expected);
    EXPECT_EQ(error_of([&] { loader.next(old); }).kind(), ErrorKind::kState);
  }
}

TEST(Loader, CloseEndsAnEpochUnderWay) {
  Fake fake;
  Loader loader = make(fake, options(10, 4), 1000);
  const int64_t number = loader.start(0, 0);
  loader.next(number);
  loader.close();
  loader.close();
  EXPECT_STREQ(error_of([&] { loader.next(number); }).what(), "the loader is closed");
  EXPECT_STREQ(error_of([&] { loader.start(0, 0); }).what(), "the loader is closed");
}

TEST(Loader, BatchesOutliveTheLoader) {
  Fake fake;
  std::optional<Batch> batch;
  {
    Loader loader = make(fake, options(10, 2), 100);
    batch = loader.next(loader.start(0, 0));
  }
  EXPECT_EQ(words_of(*batch).size(), 10U);
}

TEST(Loader, ReusesBuffersThatCameBackAndAllocatesWhenBatchesAreKept) {
  Fake fake;
  LoaderOptions o = options(10, 2);
  o.prefetch_bytes = 0;
  Loader loader = make(fake, o, 1000);
  std::map<const uint8_t*, int> used;
  int64_t number = loader.start(0, 0);
  while (auto batch = loader.next(number)) ++used[batch->pixels.data()];
  EXPECT_LE(used.size(), 4U);
  std::map<const uint8_t*, Batch> kept;
  number = loader.start(0, 0);
  while (auto batch = loader.next(number)) {
    const uint8_t* data = batch->pixels.data();
    EXPECT_EQ(reinterpret_cast<uintptr_t>(data) % BufferPool::kAlignment, 0U);
    EXPECT_TRUE(kept.emplace(data, std::move(*batch)).second);
  }
  EXPECT_EQ(kept.size(), 100U);
  for (const auto& [data, batch] : kept) words_of(batch);
}

TEST(Loader, SeveralConsumersShareARun) {
  Fake fake;
  Loader loader = make(fake, options(7, 4), 1000);
  const int64_t number = loader.start(0, 0);
  std::vector<std::vector<int64_t>> parts(3);
  std::vector<std::thread> consumers;
  for (auto& part : parts) {
    consumers.emplace_back([&loader, &part, number] {
      while (auto batch = loader.next(number)) {
        for (const Sample& s : batch->samples) part.push_back(s.record);
        loader.stats();
      }
    });
  }
  for (auto& c : consumers) c.join();
  std::vector<int64_t> all;
  for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  EXPECT_EQ(sorted(all), iota(1000));
}

TEST(Loader, CountsWhatItsReadersCount) {
  Fake fake;
  Loader loader = make(fake, options(10, 3), 100);
  run(loader, 0);
  EXPECT_EQ(loader.stats().decode.fast, 100);
  EXPECT_EQ(loader.stats().payload_bytes, 10000);
  EXPECT_EQ(loader.stats().delivered, 100);
}

TEST(Loader, MakesNoPixelsWhereNoneAreAskedFor) {
  Fake fake;
  LoaderOptions o = options(10, 2);
  o.sample_bytes = 0;
  Loader loader = make(fake, o, 100);
  const auto batch = loader.next(loader.start(0, 0));
  EXPECT_EQ(batch->samples.size(), 10U);
  EXPECT_EQ(batch->pixels.data(), nullptr);
}

TEST(Loader, AnEpochResumedAtItsEndIsEmpty) {
  Fake fake;
  Loader loader = make(fake, options(10, 2), 100);
  EXPECT_FALSE(loader.next(loader.start(0, 100)));
  EXPECT_EQ(error_of([&] { loader.start(0, 101); }).kind(), ErrorKind::kArgument);
}

TEST(Loader, RefusesValuesOutsideOfItsContract) {
  Fake fake;
  LoaderOptions o = options(0, 1);
  EXPECT_STREQ(error_of([&] { make(fake, o, 10); }).what(), "batch_size: expected 1 to 2147483647, found 0");
  o = options(1, 1);
  o.rank = 2;
  o.world = 2;
  EXPECT_STREQ(error_of([&] { make(fake, o, 10); }).what(), "rank: expected 0 to 1, found 2");
  EXPECT_STREQ(error_of([&] { make(fake, options(1, 1), 0); }).what(),
               "records: expected 1 to 140737488355328, found 0");
}

TEST(Loader, RefusesArgumentsWhoseProductsWouldOverflow) {
  Fake fake;
  const auto message = [&](const LoaderOptions& o, int64_t size) {
    return std::string(error_of([&] { make(fake, o, size); }).what());
  };
  EXPECT_EQ(message(options(int64_t{1} << 56, 1), 10),
            "batch_size: expected 1 to 2147483647, found 72057594037927936");
  LoaderOptions o = options(1, 1);
  o.world = int64_t{1} << 62;
  EXPECT_EQ(message(o, 10), "world_size: expected 1 to 2147483647, found 4611686018427387904");
  o = options(LoaderOptions::kMaxBatch, 1);
  o.sample_bytes = size_t{3} * 65535 * 65535 * 4;
  EXPECT_EQ(message(o, LoaderOptions::kMaxBatch),
            "batch_size: expected at most 178962431 samples of 51538034700 bytes, found 2147483647");
}

TEST(Loader, ABatchLargerThanTheEpochTakesTheMemoryOfTheEpoch) {
  Fake fake;
  size_t asked = 0;
  LoaderOptions o = options(LoaderOptions::kMaxBatch, 2);
  o.allocator.allocate = [&](size_t bytes) {
    asked = bytes;
    return system_allocator().allocate(bytes);
  };
  Loader loader = make(fake, o, 30);
  EXPECT_EQ(sorted(records_of(run(loader, 0))), iota(30));
  EXPECT_EQ(asked, 240U);
}

#if !defined(__SANITIZE_THREAD__)  // the thread sanitizer cannot follow a fork of a threaded process
TEST(Loader, RefusesToWorkInAForkedChildAndDoesNotHangThere) {
  Fake fake;
  std::unique_ptr<Loader> loader(new Loader(make(fake, options(10, 2), 100)));
  const int64_t number = loader->start(0, 0);
  std::optional<Batch> batch = loader->next(number);
  const pid_t child = fork();
  if (child == 0) {
    int refused = 0;
    try {
      loader->next(number);
    } catch (const Error& e) {
      refused += e.kind() == ErrorKind::kState;
    }
    try {
      loader->start(1, 0);
    } catch (const Error& e) {
      refused += e.kind() == ErrorKind::kState;
    }
    batch.reset();
    loader.reset();
    _exit(refused == 2 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(loader->next(number));
}
#endif

}  // namespace
}  // namespace fastinet
