#include <gtest/gtest.h>

#include "image/codec/jpeg/entry_point_check.h"
#include "image/codec/jpeg/entry_points.h"
#include "image/codec/jpeg/scan.h"
#include "image/jpeg_files.h"

namespace fastinet::jpeg {
namespace {

struct Sample {
  explicit Sample(const testing::JpegOptions& options = {}) : file(testing::make_jpeg(options)) {
    if (parse_header(file, header) == Unsuited::kNone) scan = Scanner().scan(header, file);
  }
  std::vector<uint8_t> packed(int spacing) const {
    return pack_entry_points(header, file.size(), scan.entries, spacing);
  }
  std::vector<uint8_t> file;
  Header header;
  ScanResult scan;
};

TEST(EntryPointCheck, TrueOnesPassAtEverySpacing) {
  for (const int components : {1, 3}) {
    const Sample sample({.size = {97, 130}, .components = components});
    for (const int spacing : {1, 2, 5, 1000})
      EXPECT_EQ(find_entry_point_fault(sample.file, sample.packed(spacing), true).problem, "");
  }
}

TEST(EntryPointCheck, EveryFalseBitOfAnEntryIsFoundByAScanAndByNothingLess) {
  const Sample sample;
  const std::vector<uint8_t> sound = sample.packed(2);
  ASSERT_GT(sound.size(), EntryPointView::kHeaderSize + EntryPointView::kPadding + 1);
  for (size_t at = EntryPointView::kHeaderSize; at + EntryPointView::kPadding + 1 < sound.size(); ++at) {
    std::vector<uint8_t> bytes = sound;
    bytes[at] = static_cast<uint8_t>(bytes[at] ^ (1u << (at % 8)));
    const EntryPointFault fault = find_entry_point_fault(sample.file, bytes, true);
    EXPECT_TRUE(fault.problem.ends_with("is false")) << at;
    EXPECT_TRUE(fault.expected.starts_with("bit ")) << fault.expected;
    EXPECT_NE(fault.expected, fault.found);
    EXPECT_EQ(find_entry_point_fault(sample.file, bytes, false).problem, "");
  }
}

TEST(EntryPointCheck, ThoseOfAnotherImageAreMalformedAndThoseOfAnotherVersionPass) {
  const Sample sample;
  std::vector<uint8_t> bytes = Sample({.size = {80, 64}}).packed(2);
  EXPECT_EQ(find_entry_point_fault(sample.file, bytes, false).problem,
            "entry points are malformed or were made for another image");
  bytes[0] = EntryPointView::kVersion + 1;
  EXPECT_EQ(find_entry_point_fault(sample.file, bytes, true).problem, "");
}

TEST(EntryPointCheck, AFileThatCanHaveNoneHasNone) {
  const std::vector<uint8_t> bytes = Sample().packed(2);
  const Sample progressive({.progressive = true});
  EXPECT_EQ(find_entry_point_fault(progressive.file, bytes, false).problem,
            "entry points are of a file that can have none");
  EXPECT_EQ(find_entry_point_fault({}, bytes, true).problem, "entry points are of a file that can have none");
  EXPECT_EQ(find_entry_point_fault(progressive.file, {}, true).problem, "");
}

TEST(EntryPointCheck, ADamagedScanVouchesForNoEntry) {
  Sample sample;
  const std::vector<uint8_t> bytes = sample.packed(2);
  std::vector<uint8_t>& file = sample.file;
  file[file.size() - 2] = 0;  // no EOI
  EXPECT_EQ(find_entry_point_fault(file, bytes, true).problem, "entry points are of a scan that is damaged");
}

}  // namespace
}  // namespace fastinet::jpeg
