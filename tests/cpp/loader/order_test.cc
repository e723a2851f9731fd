#include "loader/order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"

namespace fastinet {
namespace {

OrderSpec sequential(int64_t size) { return {OrderKind::kSequential, size, 0, {}, 1}; }
OrderSpec shuffled(int64_t size, uint64_t seed) { return {OrderKind::kShuffled, size, seed, {}, 1}; }

std::vector<int64_t> epoch_of(const OrderSpec& spec, uint32_t epoch) {
  const EpochOrder order(spec, epoch);
  std::vector<int64_t> records;
  for (int64_t p = 0; p < spec.size; ++p) records.push_back(order(p));
  return records;
}

bool is_permutation_of_all(std::vector<int64_t> records) {
  std::sort(records.begin(), records.end());
  for (size_t i = 0; i < records.size(); ++i) {
    if (records[i] != static_cast<int64_t>(i)) return false;
  }
  return true;
}

TEST(Order, SequentialIsTheIdentity) {
  EXPECT_EQ(epoch_of(sequential(4), 7), (std::vector<int64_t>{0, 1, 2, 3}));
}

TEST(Order, ShuffledGivesEveryRecordOnceForEverySize) {
  for (int64_t n = 1; n <= 600; ++n) {
    EXPECT_TRUE(is_permutation_of_all(epoch_of(shuffled(n, 5), 1))) << n;
  }
  EXPECT_TRUE(is_permutation_of_all(epoch_of(shuffled(65537, 5), 1)));
}

TEST(Order, ReachesRecordsBeyondFourBillion) {
  const int64_t n = (int64_t{1} << 40) + 3;
  const EpochOrder order(shuffled(n, 1), 0);
  std::set<int64_t> seen;
  int64_t highest = 0;
  for (int64_t p = 0; p < 1000; ++p) {
    const int64_t record = order(p);
    ASSERT_GE(record, 0);
    ASSERT_LT(record, n);
    seen.insert(record);
    highest = std::max(highest, record);
  }
  EXPECT_EQ(seen.size(), 1000U);
  EXPECT_GT(highest, n / 2);
}

TEST(Order, DiffersByEpochAndBySeedInEveryBit) {
  const OrderSpec spec = shuffled(1000, 3);
  EXPECT_EQ(epoch_of(spec, 2), epoch_of(spec, 2));
  std::set<std::vector<int64_t>> distinct{epoch_of(spec, 0)};
  for (int bit = 0; bit < 64; ++bit) {
    OrderSpec other = spec;
    other.seed ^= uint64_t{1} << bit;
    distinct.insert(epoch_of(other, 0));
  }
  for (int bit = 0; bit < 32; ++bit) distinct.insert(epoch_of(spec, uint32_t{1} << bit));
  EXPECT_EQ(distinct.size(), 1U + 64 + 32);
}

// Chi-squared over many epochs: any record is equally likely at any position.
TEST(Order, PutsEveryRecordEverywhereEquallyOften) {
  constexpr int kEpochs = 20000;
  for (const int n : {2, 3, 7, 16, 23}) {
    std::vector<int> hits(n * n);
    const OrderSpec spec = shuffled(n, 11);
    for (uint32_t e = 0; e < kEpochs; ++e) {
      const EpochOrder order(spec, e);
      for (int p = 0; p < n; ++p) ++hits[p * n + order(p)];
    }
    double chi2 = 0;
    const double expected = static_cast<double>(kEpochs) / n;
    for (const int h : hits) chi2 += (h - expected) * (h - expected) / expected;
    const double freedom = (n - 1.0) * (n - 1.0);
    chi2 *= (n - 1.0) / n;  // rows and columns both have fixed sums
    EXPECT_LT(chi2, freedom + 4 * std::sqrt(2 * freedom)) << n;
  }
}

// Neighbours in one epoch are no nearer to each other than chance has it.
TEST(Order, SeparatesNeighbours) {
  const OrderSpec spec = shuffled(100000, 2);
  const auto records = epoch_of(spec, 0);
  double distance = 0;
  for (size_t i = 1; i < records.size(); ++i)
    distance += std::abs(static_cast<double>(records[i] - records[i - 1]));
  EXPECT_NEAR(distance / 1e5 / 1e5, 1.0 / 3, 0.005);
}

TEST(Order, WindowedGivesEveryRecordOnceAndStaysWithinItsWindow) {
  const OrderSpec spec{OrderKind::kWindowed, 110, 9, {10, 20, 0, 5, 15, 30, 30}, 2};
  const auto records = epoch_of(spec, 4);
  EXPECT_TRUE(is_permutation_of_all(records));
  EXPECT_NE(records, epoch_of(spec, 5));
  // Walking the epoch, no record of a block comes after two windows later have begun: at any time at most
  // `window` blocks are begun and unfinished.
  const std::vector<int64_t> ends{10, 30, 30, 35, 50, 80, 110};
  std::vector<int> left{10, 20, 0, 5, 15, 30, 30};
  const std::vector<int> whole = left;
  bool mixed = false;
  for (const int64_t r : records) {
    --left[std::upper_bound(ends.begin(), ends.end(), r) - ends.begin()];
    int open = 0;
    for (size_t b = 0; b < left.size(); ++b) open += left[b] > 0 && left[b] < whole[b];
    EXPECT_LE(open, 2);
    mixed = mixed || open == 2;
  }
  EXPECT_TRUE(mixed);
}

TEST(Order, WindowedRefusesBlocksThatDoNotAddUp) {
  const OrderSpec spec{OrderKind::kWindowed, 10, 0, {4, 5}, 2};
  try {
    EpochOrder(spec, 0);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kArgument);
    EXPECT_STREQ(
        e.what(),
        "windowed order: expected 10 records in blocks, in windows of at least 1 block, found 9 records "
        "in windows of 2");
  }
}

}  // namespace
}  // namespace fastinet
