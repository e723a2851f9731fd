#include "loader/record_list.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <tuple>

#include "base/random.h"

namespace fastinet {
namespace {

std::vector<std::pair<int64_t, uint32_t>> entries(const std::vector<int64_t>& records) {
  const RecordList list(records);
  std::vector<std::pair<int64_t, uint32_t>> all;
  for (size_t i = 0; i < records.size(); ++i) {
    const auto [record, occurrence] = list[static_cast<int64_t>(i)];
    all.emplace_back(record, occurrence);
  }
  return all;
}

TEST(RecordList, WithoutAListIsEveryRecordOnce) {
  const RecordList all({});
  EXPECT_EQ(all[0].record, 0);
  EXPECT_EQ(all[int64_t{1} << 40].record, int64_t{1} << 40);
  EXPECT_EQ(all[7].occurrence, 0U);
}

TEST(RecordList, CountsHowOftenARecordCameBefore) {
  using Entries = std::vector<std::pair<int64_t, uint32_t>>;
  EXPECT_EQ(entries({5}), (Entries{{5, 0}}));
  EXPECT_EQ(entries({9, 2, 5}), (Entries{{9, 0}, {2, 0}, {5, 0}}));
  EXPECT_EQ(entries({3, 8, 3, 3, 8, 1}), (Entries{{3, 0}, {8, 0}, {3, 1}, {3, 2}, {8, 1}, {1, 0}}));
  std::mt19937 random(1);
  std::vector<int64_t> records(5000);
  for (int64_t& r : records) r = static_cast<int64_t>(random() % 300) << 33;
  std::map<int64_t, uint32_t> seen;
  for (const auto& [record, occurrence] : entries(records)) EXPECT_EQ(occurrence, seen[record]++);
}

TEST(Stream, DiffersInEachOfItsCoordinates) {
  std::set<std::array<uint32_t, 4>> blocks;
  size_t count = 0;
  for (const uint64_t seed : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 32}) {
    for (const uint32_t epoch : {0U, 1U}) {
      for (const uint64_t record : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 32, Stream::kMaxRecords - 1}) {
        for (const uint32_t occurrence : {0U, 1U, 0x7FFFU, 0x8000U, 0x10000U, 0xFFFFFFFFU}) {
          for (const uint32_t draw : {0U, 1U, Stream::kMaxDraws - 1}) {
            blocks.insert(Stream(seed, epoch, record, occurrence).block(draw));
            ++count;
          }
        }
      }
    }
  }
  EXPECT_EQ(blocks.size(), count);
}

TEST(Stream, OfAFirstOccurrenceIsPhiloxOfRecordEpochAndDraw) {
  const uint64_t seed = 0x0123456789ABCDEF;
  const uint64_t record = 0x123400000007;
  EXPECT_EQ(Stream(seed, 9, record).block(258), philox4x32({7, 0x1234, 9, 258}, {0x89ABCDEF, 0x01234567}));
  EXPECT_EQ(Stream(seed, 9, Stream::kOrder).block(70000),
            philox4x32({~0U, ~0U, 9, 70000}, {0x89ABCDEF, 0x01234567}));
}

}  // namespace
}  // namespace fastinet
