#include "loader/partition.h"

#include <gtest/gtest.h>

#include <vector>

namespace fastinet {
namespace {

TEST(Partition, GivesEveryRankTheSameNumberOfSamplesAndEveryPositionToSomeRank) {
  for (int64_t size : {1, 2, 7, 64, 101}) {
    for (int64_t base : {int64_t{0}, size / 3, size}) {
      for (int64_t world : {1, 2, 3, 8, 150}) {
        std::vector<int> hits(size);
        Partition p{size, base, 0, world, 4, false};
        int64_t total = 0;
        for (p.rank = 0; p.rank < world; ++p.rank) {
          for (int64_t i = 0; i < p.samples(); ++i, ++total) ++hits[p.position(i)];
        }
        for (int64_t k = base; k < size; ++k) EXPECT_GE(hits[k], 1) << size << " " << base << " " << world;
        EXPECT_EQ(total, size - base + p.padded());
        EXPECT_EQ(p.dropped(), 0);
        EXPECT_LT(p.padded(), world);
      }
    }
  }
}

TEST(Partition, DropsWhatDoesNotFillABatchOnEveryRank) {
  const Partition p{103, 0, 1, 4, 8, true};
  EXPECT_EQ(p.samples(), 24);
  EXPECT_EQ(p.batches(), 3);
  EXPECT_EQ(p.dropped(), 7);
  EXPECT_EQ(p.padded(), 0);
}

TEST(Partition, AllRanksTogetherConsumeAnUnbrokenRunOfPositions) {
  const Partition p{100, 10, 2, 3, 5, false};
  EXPECT_EQ(p.position(0), 12);
  EXPECT_EQ(p.position(1), 15);
  EXPECT_EQ(p.consumed(5), 25);
  EXPECT_EQ(p.consumed(p.samples()), 100);
}

}  // namespace
}  // namespace fastinet
