#include "shard/shard_pool.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "shard/support.h"

namespace fastinet {
namespace {

using namespace test;

size_t mappings_of(const TempFolder& folder) {
  std::ifstream maps("/proc/self/maps");
  size_t count = 0;
  for (std::string line; std::getline(maps, line);) count += line.find(folder.path().string()) != line.npos;
  return count;
}

class ShardPool : public testing::Test {
 protected:
  ~ShardPool() override { set_max_mapped_shards(before_); }

  std::vector<ShardSpec> shards(int count) {
    std::vector<ShardSpec> specs;
    for (int i = 0; i < count; ++i) specs.push_back(make_shard(folder_, "s" + std::to_string(i), 4, i * 4));
    return specs;
  }

  const TempFolder folder_;

 private:
  const size_t before_ = max_mapped_shards();
};

TEST_F(ShardPool, DatasetsOfTheSameShardsShareTheirMappings) {
  const std::vector<ShardSpec> specs = shards(3);
  const ShardedDataset a(specs), b(specs);
  for (int64_t i = 0; i < a.size(); ++i) EXPECT_EQ(a.record(i).owner, b.record(i).owner);
  EXPECT_EQ(mappings_of(folder_), 6u) << "a tar and a sidecar each";
}

TEST_F(ShardPool, AShardIsUnmappedWhenTheLastDatasetAndHandleAreGone) {
  const std::vector<ShardSpec> specs = shards(2);
  ShardedDataset::Handle handle;
  {
    const ShardedDataset dataset(specs);
    handle = dataset.record(0);
    dataset.record(4);
    EXPECT_EQ(mappings_of(folder_), 4u);
  }
  EXPECT_EQ(mappings_of(folder_), 2u);
  ShardedDataset::check_payload(handle);
  handle = {};
  EXPECT_EQ(mappings_of(folder_), 0u);
  EXPECT_EQ(mapped_shards(), 0u);
}

TEST_F(ShardPool, AShardThatWasReplacedIsNotSharedWithWhoReadsTheOldOne) {
  const std::vector<ShardSpec> specs = shards(1);
  const ShardedDataset old(specs);
  const auto first = old.record(0);
  for (const std::string& path : {specs[0].tar_path, specs[0].index_path}) {
    std::filesystem::copy_file(path, path + ".new");
    std::filesystem::rename(path + ".new", path);
    const ShardedDataset anew(specs);
    EXPECT_NE(anew.record(0).owner, first.owner);
    EXPECT_EQ(old.record(1).owner, first.owner);
    EXPECT_EQ(anew.record(1).owner, ShardedDataset(specs).record(0).owner);
  }
}

TEST_F(ShardPool, NoMoreShardsStayMappedThanAllowedAndEveryRecordIsStillRead) {
  set_max_mapped_shards(5);
  const std::vector<ShardSpec> specs = shards(20);
  const ShardedDataset a(specs), b({specs.begin() + 10, specs.end()});
  for (int round = 0; round < 3; ++round) {
    for (int64_t i = 0; i < a.size(); ++i) {
      const int64_t record = i * 7 % a.size();
      EXPECT_EQ(a.record(record).record.label, record);
      EXPECT_EQ(b.record(i % b.size()).record.label, 40 + i % b.size());
      EXPECT_LE(mappings_of(folder_), 10u);
    }
  }
  EXPECT_EQ(mapped_shards(), 5u);
}

TEST_F(ShardPool, WhatIsHeldStaysMapped) {
  set_max_mapped_shards(2);
  const ShardedDataset dataset(shards(6));
  std::vector<ShardedDataset::Handle> held;
  for (int64_t i = 0; i < dataset.size(); i += 4) held.push_back(dataset.record(i));
  for (const auto& handle : held) {
    ShardedDataset::check_payload(handle);
    EXPECT_EQ(handle.owner, dataset.record(handle.record.label).owner);
  }
  EXPECT_EQ(mappings_of(folder_), 12u);
  held.clear();
  set_max_mapped_shards(2);
  EXPECT_EQ(mappings_of(folder_), 4u);
}

TEST_F(ShardPool, ShardsThatAreReadAgainStayInPreferenceToOthers) {
  set_max_mapped_shards(3);
  const ShardedDataset dataset(shards(9));
  std::weak_ptr<const Shard> often;
  for (int64_t i = 4; i < dataset.size(); ++i) {
    dataset.record(i);
    const auto shard = dataset.record(0).owner;
    if (i == 16) often = shard;  // the first round of the clock knows nobody yet
  }
  EXPECT_FALSE(often.expired());
}

TEST_F(ShardPool, ThreadsReadRightRecordsWhileShardsComeAndGo) {
  set_max_mapped_shards(3);
  const std::vector<ShardSpec> specs = shards(12);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int round = 0; round < 10; ++round) {
        const ShardedDataset dataset(specs);
        for (int64_t i = 0; i < 3 * dataset.size(); ++i) {
          const int64_t record = (i * 5 + t) % dataset.size();
          const auto handle = dataset.record(record);
          ShardedDataset::check_payload(handle);
          if (handle.record.label != record) ++wrong;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(mapped_shards(), 0u);
}

TEST_F(ShardPool, AChildThatIsForkedWhileThreadsReadMayReadTheSameShards) {
  set_max_mapped_shards(2);
  const std::vector<ShardSpec> specs = shards(6);
  const ShardedDataset dataset(specs);
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    for (int64_t i = 0; !stop; ++i) dataset.record(i * 5 % dataset.size());
  });
  for (int round = 0; round < 30; ++round) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(20);
      const ShardedDataset anew(specs);
      for (int64_t i = 0; i < anew.size(); ++i) {
        if (anew.record(i).record.label != i || dataset.record(i).record.label != i) _exit(1);
      }
      _exit(0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  stop = true;
  reader.join();
}

}  // namespace
}  // namespace fastinet
