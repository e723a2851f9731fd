#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "image/codec/jpeg/huffman.h"

namespace fastinet::jpeg {
namespace {

// Counts by code length from 1 on, then the symbols 0, 1, 2, ...
std::vector<uint8_t> spec(std::vector<uint8_t> counts) {
  counts.resize(16);
  const int symbols = std::accumulate(counts.begin(), counts.end(), 0);
  for (int i = 0; i < symbols; ++i) counts.push_back(static_cast<uint8_t>(i));
  return counts;
}

uint64_t window(uint64_t bits, int length) { return bits << (64 - length); }

TEST(HuffmanTable, RefusesWhatLibjpegRefuses) {
  HuffmanTable table;
  EXPECT_TRUE(table.build(spec({0, 3}), TableKind::kDc));
  EXPECT_TRUE(table.build(spec({}), TableKind::kDc));
  EXPECT_FALSE(table.build(spec({2}), TableKind::kDc)) << "a code of ones only";
  EXPECT_FALSE(table.build(spec({3}), TableKind::kDc)) << "three codes of one bit";
  EXPECT_FALSE(table.build(spec({1, 1, 4}), TableKind::kAc)) << "too many codes";
  EXPECT_TRUE(table.build(spec({0, 0, 0, 0, 16}), TableKind::kDc));
  EXPECT_FALSE(table.build(spec({0, 0, 0, 0, 17}), TableKind::kDc)) << "a DC size of 16";
  EXPECT_TRUE(table.build(spec({0, 0, 0, 0, 17}), TableKind::kAc));
}

TEST(HuffmanTable, FoldsTheValueIntoTheLookUpWhereItFits) {
  HuffmanTable table;
  ASSERT_TRUE(table.build(spec({0, 0, 0, 0, 0, 12}), TableKind::kDc));  // codes 0 to 11: sizes 0 to 11
  HuffmanEntry e = table.lookup(window(0b000011'101, 9));               // size 3, bits 101
  EXPECT_EQ(entry_bits(e), 9U);
  EXPECT_EQ(entry_value(e), 5);
  e = table.lookup(window(0b000011'010, 9));
  EXPECT_EQ(entry_value(e), -5);
  e = table.lookup(window(0b001001, 6));  // size 9 does not fit
  EXPECT_TRUE(e & kPartial);
  EXPECT_EQ(entry_size(e), 9);
  EXPECT_EQ(entry_bits(e), 6U);
  EXPECT_TRUE(table.lookup(window(0b111111, 6)) & kLong);
  EXPECT_EQ(table.find(window(0b111111, 6)), 0U) << "no such code";
}

TEST(HuffmanTable, FindsCodesLongerThanTheLookUp) {
  HuffmanTable table;
  std::vector<uint8_t> counts(16, 1);
  ASSERT_TRUE(table.build(spec(counts), TableKind::kAc));  // 0, 10, 110, ... with symbols 0, 1, 2, ...
  for (int length = 1; length <= 16; ++length) {
    const uint64_t code = (uint64_t{1} << length) - 2;
    const HuffmanEntry e = table.find(window(code, length));
    EXPECT_EQ(entry_bits(e), static_cast<uint32_t>(length));
    EXPECT_EQ((table.lookup(window(code, length)) & kLong) != 0, length > HuffmanTable::kLookupBits);
    if (length > 1) {
      EXPECT_EQ(entry_size(e), length - 1);
    }
  }
}

// A valid table of random code lengths, with any symbols at all.
std::vector<uint8_t> random_spec(std::mt19937& random) {
  std::vector<uint8_t> counts(16), symbols(256);
  std::iota(symbols.begin(), symbols.end(), uint8_t{0});
  std::shuffle(symbols.begin(), symbols.end(), random);
  const int skew = static_cast<int>(random() % 8);
  int used = 0, free = 1;  // codes of the length at hand
  for (uint8_t& count : counts) {
    free = std::min(2 * free, 256);
    count =
        static_cast<uint8_t>(std::min<int>({free - 1, static_cast<int>(random() % (1 << skew)), 162 - used}));
    used += count;
    free -= count;
  }
  counts.insert(counts.end(), symbols.begin(), symbols.begin() + used);
  return counts;
}

// What `window` shows of whole codes, found one at a time; bits and advance, as SkipTable counts them.
std::pair<uint32_t, uint32_t> codes_in(const HuffmanTable& table, uint64_t window) {
  uint32_t bits = 0, advance = 0;
  for (;;) {
    if (bits >= SkipTable::kLookupBits) break;
    const HuffmanEntry e = table.find(window << bits);
    const uint32_t size = e & kPartial ? static_cast<uint32_t>(entry_size(e)) : 0;
    if (e == 0 || bits + entry_bits(e) > SkipTable::kLookupBits || size > kMaxAcSize) break;
    bits += entry_bits(e) + size;
    if (entry_advance(e) == kEndOfBlock) return {bits, advance + SkipTable::kEndOfBlock};
    advance += entry_advance(e);
  }
  return {bits, bits == 0 ? SkipTable::kNone : advance};
}

TEST(SkipTable, PassesOverTheCodesThatFindFindsOneAtATime) {
  std::mt19937 random(1);
  HuffmanTable table;
  SkipTable skip;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(table.build(random_spec(random), TableKind::kAc));
    skip.build(table.spec());
    for (uint64_t w = 0; w < 1 << SkipTable::kLookupBits; ++w) {
      const uint32_t e = skip.lookup(window(w, SkipTable::kLookupBits));
      const auto [bits, advance] = codes_in(table, window(w, SkipTable::kLookupBits));
      ASSERT_EQ(e & 63, bits) << "table " << i << ", window " << w;
      ASSERT_EQ(SkipTable::advance(e), advance) << "table " << i << ", window " << w;
    }
  }
}

TEST(SkipTable, DoesNotTakeManyRunsOfSixteenForTheEndOfABlock) {
  std::vector<uint8_t> one_bit(17);
  one_bit[0] = 1;
  one_bit[16] = 0xF0;
  SkipTable skip;
  skip.build(one_bit);
  EXPECT_EQ(SkipTable::advance(skip.lookup(0)), 16U * SkipTable::kLookupBits);
  EXPECT_LT(16U * SkipTable::kLookupBits + 63, SkipTable::kEndOfBlock);
}

TEST(HuffmanCache, KeepsTheTablesOfAnImageWhileOthersComeAndGo) {
  HuffmanCache cache;
  std::vector<std::vector<uint8_t>> specs;
  for (uint8_t i = 1; i < 60; ++i) specs.push_back(spec({0, 0, 0, 0, 0, i}));
  for (const auto& kept : specs) {
    const HuffmanTable* table = cache.get(kept, TableKind::kAc);
    ASSERT_TRUE(table);
    EXPECT_TRUE(table->same(kept, TableKind::kAc));
    for (int other = 0; other < 5; ++other) cache.get(specs[other], TableKind::kAc);
    EXPECT_TRUE(table->same(kept, TableKind::kAc)) << "overwritten while in use";
    EXPECT_EQ(cache.get(kept, TableKind::kAc), table) << "built twice";
  }
}

TEST(HuffmanCache, DoesNotTakeADcTableForAnAcTableOfTheSameBytes) {
  HuffmanCache cache;
  const auto bytes = spec({0, 3});
  EXPECT_NE(cache.get(bytes, TableKind::kDc), cache.get(bytes, TableKind::kAc));
}

}  // namespace
}  // namespace fastinet::jpeg
