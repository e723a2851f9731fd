#include <gtest/gtest.h>

#include "image/codec/jpeg/entropy_decoder.h"
#include "image/codec/jpeg/entry_points.h"
#include "image/codec/jpeg/scan.h"
#include "image/jpeg_oracle.h"
#include "image/jpeg_samples.h"

namespace fastinet::jpeg {
namespace {

struct Sample {
  explicit Sample(const oracle::Encoding& encoding = {}, int width = 211, int height = 133, uint32_t seed = 1)
      : file(oracle::encode(oracle::make_picture(width, height, 3, seed), encoding)) {
    EXPECT_EQ(parse_header(file, header), Unsuited::kNone);
    scan = Scanner().scan(header, file);
    EXPECT_TRUE(scan.complete);
  }
  std::vector<uint8_t> file;
  Header header;
  ScanResult scan;
};

Decoded decode_all(const Sample& sample, const EntryPointView& entries, const McuWindow& window) {
  EntropyDecoder decoder;
  EXPECT_EQ(decoder.begin(sample.header, sample.file, entries, window), Unsuited::kNone);
  Decoded result;
  while ((result = decoder.next_row()) == Decoded::kRow) {
  }
  return result;
}

TEST(EntryPoints, GiveBackWhatWasPackedAtEverySpacing) {
  const Sample sample({.h = 2, .v = 2, .restart_interval = 7});
  for (int spacing : {1, 2, 3, 13, 14, 15, 1000}) {
    const auto bytes = pack_entry_points(sample.header, sample.file.size(), sample.scan.entries, spacing);
    const EntryPointView view = EntryPointView::open(bytes, sample.header, sample.file.size());
    ASSERT_FALSE(view.empty());
    EXPECT_EQ(view.spacing(), spacing);
    for (int row = 0; row < sample.header.mcu_rows; ++row) {
      for (int i = 0; i < view.per_row(); ++i) {
        EXPECT_EQ(view.at(row, i),
                  sample.scan.entries[static_cast<size_t>(row * sample.header.mcu_columns + i * spacing)]);
      }
    }
  }
}

TEST(EntryPoints, TakeAtMostTheirShareOfTheFile) {
  const Sample sample({}, 800, 600);
  for (double share : {0.01, 0.03, 0.1}) {
    const auto bytes = pack_entry_points(sample.header, sample.file.size(), sample.scan.entries, share);
    EXPECT_LE(static_cast<double>(bytes.size()), share * static_cast<double>(sample.file.size()));
    EXPECT_GE(static_cast<double>(bytes.size()), share * static_cast<double>(sample.file.size()) / 3);
  }
}

TEST(EntryPoints, OfAnotherImageOrVersionAreNotOpened) {
  const Sample sample;
  const auto bytes = pack_entry_points(sample.header, sample.file.size(), sample.scan.entries, 4);
  const auto opens = [&](Bytes b, const Header& header, size_t file_size) {
    return !EntryPointView::open(b, header, file_size).empty();
  };
  EXPECT_TRUE(opens(bytes, sample.header, sample.file.size()));
  EXPECT_FALSE(opens({}, sample.header, sample.file.size()));
  EXPECT_FALSE(opens(bytes, sample.header, sample.file.size() + 1)) << "a file of another size";
  EXPECT_FALSE(opens(bytes, Sample({.h = 2}).header, sample.file.size())) << "other MCUs";
  EXPECT_FALSE(opens(Bytes(bytes).first(bytes.size() - 1), sample.header, sample.file.size())) << "too short";
  auto longer = bytes;
  longer.push_back(0);
  EXPECT_FALSE(opens(longer, sample.header, sample.file.size())) << "too long";
  for (size_t at : {0, 1, 2, 3, 7, 12, 14, 16}) {
    auto changed = bytes;
    changed[at] ^= 0x40;
    EXPECT_FALSE(opens(changed, sample.header, sample.file.size())) << "byte " << at;
  }
}

TEST(EntryPoints, WithAnyByteChangedAreRefusedOrFoundOutOrHarmless) {
  const Sample sample({.h = 2, .v = 2}, 90, 70);
  const McuWindow window{
      .top = 0, .bottom = sample.header.mcu_rows, .left = 0, .right = sample.header.mcu_columns};
  const auto bytes = pack_entry_points(sample.header, sample.file.size(), sample.scan.entries, 1);
  int found = 0;
  for (size_t at = EntryPointView::kHeaderSize; at + EntryPointView::kPadding < bytes.size(); ++at) {
    auto changed = bytes;
    changed[at] ^= 0x11;
    const EntryPointView view = EntryPointView::open(changed, sample.header, sample.file.size());
    ASSERT_FALSE(view.empty());
    found += decode_all(sample, view, window) == Decoded::kMismatch;
  }
  EXPECT_GT(found, 0);
}

TEST(EntryPoints, ThatDisagreeWithTheDataAreReportedWhereDecodingPassesThem) {
  const Sample sample;
  auto entries = sample.scan.entries;
  const McuWindow window{.top = 1, .bottom = 2, .left = 0, .right = 9};
  const auto verdict = [&] {
    const auto bytes = pack_entry_points(sample.header, sample.file.size(), entries, 8);
    return decode_all(sample, EntryPointView::open(bytes, sample.header, sample.file.size()), window);
  };
  EXPECT_EQ(verdict(), Decoded::kEnd);
  EntryPoint& passed = entries[static_cast<size_t>(sample.header.mcu_columns + 8)];
  passed.dc[1] = static_cast<int16_t>(passed.dc[1] + 1);
  EXPECT_EQ(verdict(), Decoded::kMismatch) << "another predictor";
  passed.dc[1] = static_cast<int16_t>(passed.dc[1] - 1);
  passed.bit += 1;
  EXPECT_EQ(verdict(), Decoded::kMismatch) << "another position";
}

TEST(Scan, IsNotCompleteForAnyTruncationOrForBytesBeforeEoi) {
  const Sample sample({.h = 2, .v = 2}, 60, 50);
  for (size_t size = sample.header.scan_offset; size < sample.file.size(); ++size) {
    const Bytes cut = Bytes(sample.file).first(size);
    EXPECT_FALSE(Scanner().scan(sample.header, cut).complete) << size;
    EXPECT_TRUE(make_entry_points(sample.header, cut).empty());
  }
  auto longer = sample.file;
  longer.insert(longer.end() - 2, 0x12);
  EXPECT_FALSE(Scanner().scan(sample.header, longer).complete);
  longer.erase(longer.end() - 3);
  longer.push_back(0x12);  // behind EOI: nobody reads it
  EXPECT_TRUE(Scanner().scan(sample.header, longer).complete);
}

TEST(Scan, IsNotCompleteWhenARestartMarkerIsMissingOrMisnumbered) {
  const Sample sample({.restart_interval = 4});
  auto file = sample.file;
  size_t at = sample.header.scan_offset;
  while (!(file[at] == 0xFF && file[at + 1] == 0xD0)) ++at;
  file[at + 1] = 0xD1;
  EXPECT_FALSE(Scanner().scan(sample.header, file).complete);
  file.erase(file.begin() + static_cast<ptrdiff_t>(at), file.begin() + static_cast<ptrdiff_t>(at) + 2);
  EXPECT_FALSE(Scanner().scan(sample.header, file).complete);
}

TEST(Scan, KeepsEntryPointsOfRealImagesWithinTheirShare) {
  const auto files = oracle::files_under("imagenet-samples");
  if (files.empty()) GTEST_SKIP() << "no sample images here";
  size_t payload = 0, entry_points = 0, complete = 0;
  for (size_t i = 0; i < files.size(); i += 5) {
    const auto file = oracle::read_file(files[i]);
    Header header;
    ASSERT_EQ(parse_header(file, header), Unsuited::kNone);
    const auto bytes = make_entry_points(header, file);
    complete += !bytes.empty();
    payload += file.size();
    entry_points += bytes.size();
  }
  EXPECT_EQ(complete, (files.size() + 4) / 5);
  EXPECT_LE(static_cast<double>(entry_points), kEntryPointShare * static_cast<double>(payload));
}

}  // namespace
}  // namespace fastinet::jpeg
