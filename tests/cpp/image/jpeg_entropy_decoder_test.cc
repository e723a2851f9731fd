#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <stdexcept>

#include "image/codec/jpeg/entropy_decoder.h"
#include "image/codec/jpeg/scan.h"
#include "image/jpeg_oracle.h"
#include "image/jpeg_samples.h"

namespace fastinet::jpeg {
namespace {

using oracle::Encoding;

McuWindow whole(const Header& header) {
  return {.top = 0, .bottom = header.mcu_rows, .left = 0, .right = header.mcu_columns};
}

// Decodes the window and compares every block that lies within the image with libjpeg-turbo's.
testing::AssertionResult equals_libjpeg(EntropyDecoder& decoder, const Header& header,
                                        const std::vector<uint8_t>& file, const EntryPointView& entries,
                                        const std::vector<oracle::Plane>& planes, const McuWindow& window) {
  auto failure = testing::AssertionFailure() << "window rows " << window.top << " to " << window.bottom
                                             << ", columns " << window.left << " to " << window.right << ": ";
  if (decoder.begin(header, file, entries, window) != Unsuited::kNone) return failure << "refused";
  for (int row = window.top; row < window.bottom; ++row) {
    if (Decoded result = decoder.next_row(); result != Decoded::kRow) {
      return failure << "row " << row << " gives " << static_cast<int>(result);
    }
    for (int c = 0; c < header.components; ++c) {
      const Component& component = header.component[c];
      const CoefficientRows& rows = decoder.rows(c);
      if (rows.blocks != (window.right - window.left) * component.h) return failure << "block count";
      for (int down = 0; down < component.v; ++down) {
        const int block_row = row * component.v + down;
        if (block_row >= planes[c].block_rows) continue;
        for (int b = 0; b < rows.blocks; ++b) {
          const int block = window.left * component.h + b;
          if (block >= planes[c].blocks) continue;
          const int16_t* ours = rows.row[down] + b / kBlocksPerGroup * kGroupStride + b % kBlocksPerGroup * 8;
          const int16_t* theirs =
              planes[c].groups[block_row * planes[c].groups_per_row + block / kBlocksPerGroup].value +
              block % kBlocksPerGroup * 8;
          for (int u = 0; u < 8; ++u) {
            if (std::memcmp(ours + 32 * u, theirs + 32 * u, 16) != 0) {
              return failure << "component " << c << " block row " << block_row << " block " << block;
            }
          }
        }
      }
    }
  }
  if (decoder.next_row() != Decoded::kEnd) return failure << "does not end";
  return testing::AssertionSuccess();
}

McuWindow random_window(const Header& header, std::mt19937& random) {
  const auto pick = [&](int size, int& from, int& to) {
    from = static_cast<int>(random() % size);
    to = from + 1 + static_cast<int>(random() % (size - from));
  };
  McuWindow window;
  pick(header.mcu_rows, window.top, window.bottom);
  pick(header.mcu_columns, window.left, window.right);
  return window;
}

// The whole image and some windows, with and without entry points at several spacings.
void expect_equal(EntropyDecoder& decoder, const std::vector<uint8_t>& file, int windows) {
  Header header;
  ASSERT_EQ(parse_header(file, header), Unsuited::kNone);
  const auto planes = oracle::take_apart(file);
  const ScanResult scan = Scanner().scan(header, file);
  ASSERT_TRUE(scan.complete);
  const EntryPointView none;
  EXPECT_TRUE(equals_libjpeg(decoder, header, file, none, planes, whole(header)));
  std::mt19937 random(static_cast<uint32_t>(file.size()));
  for (int i = 0; i < windows; ++i) {
    const int spacing = 1 + static_cast<int>(random() % 12);
    const auto bytes = pack_entry_points(header, file.size(), scan.entries, spacing);
    const EntryPointView entries = EntryPointView::open(bytes, header, file.size());
    ASSERT_FALSE(entries.empty());
    ASSERT_EQ(entries.spacing(), spacing);
    EXPECT_TRUE(equals_libjpeg(decoder, header, file, entries, planes, whole(header)));
    const McuWindow window = random_window(header, random);
    EXPECT_TRUE(equals_libjpeg(decoder, header, file, entries, planes, window)) << "spacing " << spacing;
    EXPECT_TRUE(equals_libjpeg(decoder, header, file, none, planes, window));
  }
}

TEST(EntropyDecoder, GivesLibjpegsCoefficientsForEverySamplingSizeAndRestartInterval) {
  EntropyDecoder decoder;
  for (int size = 1; size <= 33; ++size) {
    for (const auto& [h, v] : {std::pair{1, 1}, {2, 1}, {1, 2}, {2, 2}}) {
      for (int restart : {0, 1, 3}) {
        SCOPED_TRACE(testing::Message() << size << " pixels, " << h << "x" << v << ", restart " << restart);
        const auto file = oracle::encode(oracle::make_picture(size, 34 - size, 3, size),
                                         {.h = h, .v = v, .quality = 60 + size, .restart_interval = restart});
        expect_equal(decoder, file, 2);
      }
    }
  }
}

TEST(EntropyDecoder, GivesLibjpegsCoefficientsForLargerFilesOfEveryQuality) {
  EntropyDecoder decoder;
  for (int quality : {1, 25, 50, 75, 95, 100}) {
    for (int channels : {1, 3}) {
      for (int restart : {0, 7, 1000}) {
        SCOPED_TRACE(testing::Message() << "quality " << quality << ", " << channels << " channels");
        const auto picture = oracle::make_picture(413, 259, channels, quality);
        const int h = channels == 1 ? 1 : 2;
        expect_equal(
            decoder,
            oracle::encode(picture, {.h = h, .v = h, .quality = quality, .restart_interval = restart}), 3);
      }
    }
  }
}

TEST(EntropyDecoder, GivesLibjpegsCoefficientsForEverySampleImage) {
  const auto files = oracle::files_under("imagenet-samples");
  if (files.empty()) GTEST_SKIP() << "no sample images here";
  EntropyDecoder decoder;
  for (const auto& path : files) {
    SCOPED_TRACE(path.string());
    expect_equal(decoder, oracle::read_file(path), 2);
  }
}

// A file that decodes to its end here must have libjpeg-turbo's coefficients, and one whose scan is complete
// must decode to its end.
TEST(EntropyDecoder, RefusesOrEqualsLibjpegForEveryOddAndHostileFile) {
  auto files = oracle::files_under("odd-jpegs");
  const auto hostile = oracle::files_under("hostile-jpegs");
  files.insert(files.end(), hostile.begin(), hostile.end());
  if (files.empty()) GTEST_SKIP() << "no odd files here";
  constexpr int64_t kMaxMcus = 1 << 16;
  EntropyDecoder decoder;
  int equal = 0;
  for (const auto& path : files) {
    SCOPED_TRACE(path.string());
    const auto file = oracle::read_file(path);
    Header header;
    if (parse_header(file, header) != Unsuited::kNone) continue;
    if (int64_t{header.mcu_rows} * header.mcu_columns > kMaxMcus) continue;
    const bool complete = Scanner().scan(header, file).complete;
    const EntryPointView none;
    const auto decodes = [&] {
      if (decoder.begin(header, file, none, whole(header)) != Unsuited::kNone) return false;
      Decoded result;
      while ((result = decoder.next_row()) == Decoded::kRow) {
      }
      return result == Decoded::kEnd;
    };
    if (!decodes()) {
      EXPECT_FALSE(complete);
      continue;
    }
    std::vector<oracle::Plane> planes;
    try {
      planes = oracle::take_apart(file);
    } catch (const std::runtime_error&) {
      EXPECT_FALSE(complete) << "libjpeg-turbo refuses it";
      continue;
    }
    EXPECT_TRUE(equals_libjpeg(decoder, header, file, none, planes, whole(header)));
    ++equal;
  }
  EXPECT_GT(equal, 0);
}

}  // namespace
}  // namespace fastinet::jpeg
