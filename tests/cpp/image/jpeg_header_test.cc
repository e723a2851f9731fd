#include <gtest/gtest.h>

#include "image/codec/jpeg/header.h"
#include "image/jpeg_oracle.h"
#include "image/jpeg_samples.h"

namespace fastinet::jpeg {
namespace {

std::vector<uint8_t> sample(const oracle::Encoding& encoding = {}, int channels = 3) {
  return oracle::encode(oracle::make_picture(37, 21, channels, 1), encoding);
}

// The offset of the first segment with this marker, of its 0xFF.
size_t find_marker(const std::vector<uint8_t>& file, uint8_t marker) {
  for (size_t at = 2; at + 4 <= file.size(); at += 2 + (file[at + 2] << 8 | file[at + 3])) {
    if (file[at + 1] == marker) return at;
  }
  ADD_FAILURE() << "no marker " << static_cast<int>(marker);
  return 0;
}

Unsuited parse(const std::vector<uint8_t>& file) {
  Header header;
  return parse_header(file, header);
}

TEST(Header, SaysWhatLibjpegWroteIntoTheFile) {
  const auto file = sample({.h = 2, .v = 1, .restart_interval = 5});
  Header header;
  ASSERT_EQ(parse_header(file, header), Unsuited::kNone);
  EXPECT_EQ(header.size, (Size{.height = 21, .width = 37}));
  EXPECT_EQ(header.components, 3);
  EXPECT_EQ(header.color, ColorSpace::kYCbCr);
  EXPECT_EQ(header.mcu_width, 16);
  EXPECT_EQ(header.mcu_height, 8);
  EXPECT_EQ(header.mcu_columns, 3);
  EXPECT_EQ(header.mcu_rows, 3);
  EXPECT_EQ(header.restart_interval, 5);
  const auto planes = oracle::take_apart(file);
  for (int c = 0; c < 3; ++c) {
    for (int k = 0; k < 64; ++k) EXPECT_EQ(header.component[c].quant[k], planes[c].quant[k]);
  }
}

TEST(Header, DecidesTheColourSpaceAsLibjpegDoes) {
  Header header;
  ASSERT_EQ(parse_header(sample({}, 1), header), Unsuited::kNone);
  EXPECT_EQ(header.color, ColorSpace::kGray);
  auto rgb = sample({.rgb = true});  // libjpeg writes an Adobe marker with transform 0
  ASSERT_EQ(parse_header(rgb, header), Unsuited::kNone);
  EXPECT_EQ(header.color, ColorSpace::kRgb);
  const size_t adobe = find_marker(rgb, 0xEE);
  rgb[adobe + 15] = 1;
  ASSERT_EQ(parse_header(rgb, header), Unsuited::kNone);
  EXPECT_EQ(header.color, ColorSpace::kYCbCr);
  rgb[adobe + 4] = 'X';  // no Adobe marker any more: component ids R, G, B remain
  ASSERT_EQ(parse_header(rgb, header), Unsuited::kNone);
  EXPECT_EQ(header.color, ColorSpace::kRgb);
}

TEST(Header, TreatsGrayAsOneByOneWhateverItDeclares) {
  auto file = sample({}, 1);
  file[find_marker(file, 0xC0) + 11] = 0x22;
  Header header;
  ASSERT_EQ(parse_header(file, header), Unsuited::kNone);
  EXPECT_EQ(header.mcu_width, 8);
  EXPECT_EQ(header.mcu_columns, 5);
}

TEST(Header, NamesTheReasonAgainstTheFastPath) {
  const auto good = sample();
  const auto changed = [&](uint8_t marker, size_t offset, uint8_t value) {
    auto file = good;
    file[find_marker(file, marker) + offset] = value;
    return parse(file);
  };
  EXPECT_EQ(parse(good), Unsuited::kNone);
  EXPECT_EQ(parse({}), Unsuited::kNotJpeg);
  EXPECT_EQ(parse({0x89, 'P', 'N', 'G'}), Unsuited::kNotJpeg);
  EXPECT_EQ(parse(sample({.progressive = true})), Unsuited::kProcess);
  EXPECT_EQ(changed(0xC0, 1, 0xC9), Unsuited::kProcess);  // arithmetic
  EXPECT_EQ(changed(0xC0, 1, 0xC1), Unsuited::kNone);     // extended sequential
  EXPECT_EQ(changed(0xC0, 4, 12), Unsuited::kPrecision);
  EXPECT_EQ(changed(0xC0, 5, 0xFF), Unsuited::kNone);  // 65301 rows
  EXPECT_EQ(changed(0xC0, 9, 4), Unsuited::kComponents);
  EXPECT_EQ(changed(0xC0, 11, 0x41), Unsuited::kSampling);
  EXPECT_EQ(changed(0xC0, 14, 0x21), Unsuited::kSampling);
  EXPECT_EQ(changed(0xC0, 12, 3), Unsuited::kTables);  // no such quantisation table
  EXPECT_EQ(changed(0xC0, 3, 16), Unsuited::kMarkers);
  EXPECT_EQ(changed(0xDA, 4, 2), Unsuited::kScan);
  EXPECT_EQ(changed(0xDA, 11, 5), Unsuited::kScan);      // not all coefficients
  EXPECT_EQ(changed(0xDA, 6, 0x22), Unsuited::kTables);  // no such Huffman table
  EXPECT_EQ(changed(0xDB, 4, 0x05), Unsuited::kTables);
  EXPECT_EQ(changed(0xC4, 1, 0xD0), Unsuited::kMarkers);
}

TEST(Header, RefusesEveryTruncation) {
  const auto file = sample();
  Header header;
  ASSERT_EQ(parse_header(file, header), Unsuited::kNone);
  for (size_t size = 0; size < header.scan_offset; ++size) {
    const std::vector<uint8_t> cut(file.begin(), file.begin() + static_cast<ptrdiff_t>(size));
    EXPECT_NE(parse(cut), Unsuited::kNone) << size;
  }
}

TEST(Header, TakesEverySampleImage) {
  const auto files = oracle::files_under("imagenet-samples");
  if (files.empty()) GTEST_SKIP() << "no sample images here";
  for (const auto& path : files) {
    const auto file = oracle::read_file(path);
    Header header;
    EXPECT_STREQ(name(parse_header(file, header)), "none") << path;
  }
}

}  // namespace
}  // namespace fastinet::jpeg
