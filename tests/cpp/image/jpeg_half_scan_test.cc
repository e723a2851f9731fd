#include <gtest/gtest.h>

#include <random>

#include "image/codec/jpeg/half_scan.h"
#include "image/codec/jpeg/scan.h"
#include "image/jpeg_oracle.h"
#include "image/jpeg_samples.h"

namespace fastinet::jpeg {
namespace {

// What the two halves find is what is found in order; returns whether they found it.
bool agrees(const Header& header, Bytes file, HalfScanner& halves) {
  std::vector<EntryPoint> entries;
  if (!halves.scan(header, file, entries)) return false;
  const ScanResult in_order = Scanner().scan_in_order(header, file);
  EXPECT_TRUE(in_order.complete);
  EXPECT_EQ(entries, in_order.entries);
  return true;
}

TEST(HalfScanner, FindsWhatIsFoundInOrder) {
  HalfScanner halves;
  uint32_t seed = 0;
  for (int channels : {1, 3}) {
    for (int h : {1, 2}) {
      for (int v : {1, 2}) {
        for (int quality : {30, 75, 95}) {
          for (int width : {97, 400, 900}) {
            const auto file = oracle::encode(oracle::make_picture(width, width * 2 / 3, channels, ++seed),
                                             {.h = h, .v = v, .quality = quality});
            Header header;
            ASSERT_EQ(parse_header(file, header), Unsuited::kNone);
            EXPECT_TRUE(agrees(header, file, halves)) << channels << " channels, " << h << "x" << v
                                                      << ", quality " << quality << ", width " << width;
          }
        }
      }
    }
  }
}

TEST(HalfScanner, FindsWhatIsFoundInOrderInTheSmallestImages) {
  HalfScanner halves;
  int found = 0;
  for (int width = 1; width <= 40; ++width) {
    const auto file = oracle::encode(oracle::make_picture(width, 9, 3, 1), {.h = 2, .v = 2});
    Header header;
    ASSERT_EQ(parse_header(file, header), Unsuited::kNone);
    found += agrees(header, file, halves);
  }
  EXPECT_EQ(found, 40);
}

TEST(HalfScanner, FindsWhatIsFoundInOrderInRealImages) {
  const auto files = oracle::files_under("imagenet-samples");
  if (files.empty()) GTEST_SKIP() << "no sample images here";
  HalfScanner halves;
  size_t found = 0, tried = 0;
  for (size_t i = 0; i < files.size(); i += 5, ++tried) {
    const auto file = oracle::read_file(files[i]);
    Header header;
    ASSERT_EQ(parse_header(file, header), Unsuited::kNone);
    found += agrees(header, file, halves);
  }
  EXPECT_EQ(found, tried);
}

TEST(HalfScanner, NeverTakesDamagedDataForWhole) {
  const auto file = oracle::encode(oracle::make_picture(300, 200, 3, 7), {.h = 2, .v = 1});
  Header header;
  ASSERT_EQ(parse_header(file, header), Unsuited::kNone);
  HalfScanner halves;
  std::mt19937 random(1);
  int refused = 0;
  for (int i = 0; i < 2000; ++i) {
    auto damaged = file;
    const size_t data = damaged.size() - header.scan_offset;
    for (auto n = random() % 3; n < 3; ++n) {
      damaged[header.scan_offset + random() % data] ^= static_cast<uint8_t>(1 + random() % 255);
    }
    refused += !agrees(header, damaged, halves);
  }
  EXPECT_GT(refused, 0);
  for (size_t size = header.scan_offset; size < file.size(); size += 1 + size / 100) {
    EXPECT_FALSE(agrees(header, Bytes(file).first(size), halves)) << size;
  }
}

TEST(HalfScanner, LeavesScansWithRestartIntervals) {
  const auto file = oracle::encode(oracle::make_picture(300, 200, 3, 7), {.restart_interval = 8});
  Header header;
  ASSERT_EQ(parse_header(file, header), Unsuited::kNone);
  std::vector<EntryPoint> entries;
  EXPECT_FALSE(HalfScanner().scan(header, file, entries));
  EXPECT_TRUE(Scanner().scan(header, file).complete);
}

}  // namespace
}  // namespace fastinet::jpeg
