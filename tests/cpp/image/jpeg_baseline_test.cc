#include <random>
#include <string>

#include "gtest/gtest.h"
#include "image/codec/jpeg/baseline_decoder.h"
#include "image/codec/jpeg/scan.h"
#include "image/jpeg_oracle.h"
#include "image/jpeg_samples.h"

namespace fastinet::jpeg {
namespace {

using File = std::vector<uint8_t>;
using oracle::Picture;

Rect random_region(std::mt19937& random, int height, int width) {
  const auto below = [&](int limit) { return static_cast<int>(random() % static_cast<uint32_t>(limit)); };
  const int h = 1 + below(height), w = 1 + below(width);
  return {below(height - h + 1), below(width - w + 1), h, w};
}

std::string describe(const Rect& r) {
  return "region " + std::to_string(r.top) + "," + std::to_string(r.left) + " " + std::to_string(r.height) +
         "x" + std::to_string(r.width);
}

// The first pixel of the planes that differs from libjpeg-turbo's picture; empty: none.
std::string difference(const Planes& planes, const Picture& expected) {
  const Rect& r = planes.region;
  for (int y = r.top; y < r.bottom(); ++y) {
    for (int x = r.left; x < r.right(); ++x) {
      for (int c = 0; c < 3; ++c) {
        const int found = planes.plane[c][(y - r.top) * planes.stride + (x - r.left)];
        const int wanted = expected.samples[(static_cast<size_t>(y) * expected.width + x) * 3 + c];
        if (found != wanted) {
          return describe(r) + " row " + std::to_string(y) + " column " + std::to_string(x) + " channel " +
                 std::to_string(c) + ": " + std::to_string(found) + ", not " + std::to_string(wanted);
        }
      }
    }
  }
  return "";
}

struct Parsed {
  explicit Parsed(const File& file) : unsuited(parse_header(file, header)) {
    if (unsuited != Unsuited::kNone) return;
    entry_bytes = make_entry_points(header, file);
    entries = EntryPointView::open(entry_bytes, header, file.size());
  }
  Header header;
  Unsuited unsuited;
  File entry_bytes;
  EntryPointView entries;
};

// Compares the whole image and random regions, with and without entry points.
void expect_libjpeg_turbos_pixels(BaselineDecoder& decoder, const File& file, int regions, uint32_t seed) {
  const Parsed parsed(file);
  ASSERT_EQ(parsed.unsuited, Unsuited::kNone);
  ASSERT_FALSE(parsed.entries.empty());
  const Picture expected = oracle::decode(file, oracle::As::kRgb);
  std::mt19937 random(seed);
  for (int i = 0; i <= regions; ++i) {
    const Rect region = i ? random_region(random, expected.height, expected.width)
                          : Rect{0, 0, expected.height, expected.width};
    for (const EntryPointView& entries : {parsed.entries, EntryPointView()}) {
      Planes planes;
      ASSERT_EQ(decoder.decode(parsed.header, file, entries, region, planes), Outcome::kDecoded)
          << describe(region);
      ASSERT_EQ(planes.region, region);
      ASSERT_EQ(difference(planes, expected), "");
    }
  }
}

TEST(BaselineDecoder, GivesLibjpegTurbosPixelsForEverySamplingAndSize) {
  BaselineDecoder decoder;
  uint32_t seed = 0;
  for (const int h : {1, 2}) {
    for (const int v : {1, 2}) {
      for (int width = 5; width < 90; width += 1 + width / 9) {
        const int height = 1 + static_cast<int>(++seed * 7 % 60);
        const auto picture = oracle::make_picture(width, height, 3, seed);
        const auto file =
            oracle::encode(picture, {.h = h, .v = v, .restart_interval = seed % 4 == 0 ? 3 : 0});
        SCOPED_TRACE(std::to_string(width) + "x" + std::to_string(height) + ", luma " + std::to_string(h) +
                     "x" + std::to_string(v));
        expect_libjpeg_turbos_pixels(decoder, file, 6, seed);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(BaselineDecoder, GivesLibjpegTurbosPixelsAtEveryLevel) {
  for (const int h : {1, 2}) {
    for (const int v : {1, 2}) {
      const auto file = oracle::encode(oracle::make_picture(333, 211, 3, 5), {.h = h, .v = v, .quality = 75});
      oracle::at_every_level([&](const char* level) {
        SCOPED_TRACE(level);
        BaselineDecoder decoder;
        expect_libjpeg_turbos_pixels(decoder, file, 20, 1);
      });
    }
  }
}

TEST(BaselineDecoder, DecodesGrayOnceAndRgbWithoutConversion) {
  BaselineDecoder decoder;
  const auto gray = oracle::encode(oracle::make_picture(100, 70, 1, 1), {});
  expect_libjpeg_turbos_pixels(decoder, gray, 10, 1);
  expect_libjpeg_turbos_pixels(decoder, oracle::encode(oracle::make_picture(100, 70, 3, 1), {.rgb = true}),
                               10, 1);

  const Parsed parsed(gray);
  Planes planes;
  ASSERT_EQ(decoder.decode(parsed.header, gray, parsed.entries, {3, 5, 20, 30}, planes), Outcome::kDecoded);
  EXPECT_EQ(planes.channels, 1);
  EXPECT_EQ(planes.plane[0], planes.plane[1]);
  EXPECT_EQ(planes.plane[0], planes.plane[2]);
}

TEST(BaselineDecoder, LeavesSubsampledImagesUnderFivePixelsWideToLibjpegTurbo) {
  BaselineDecoder decoder;
  for (int width = 1; width < 8; ++width) {
    const auto file = oracle::encode(oracle::make_picture(width, 20, 3, 1), {.h = 2, .v = 2});
    const Parsed parsed(file);
    Planes planes;
    EXPECT_EQ(decoder.decode(parsed.header, file, parsed.entries, {0, 0, 1, 1}, planes),
              width < 5 ? Outcome::kUnsuited : Outcome::kDecoded);
  }
}

TEST(BaselineDecoder, LeavesCoefficientsThatNoEncoderMakesToLibjpegTurbo) {
  std::vector<int16_t> coefficients(64 * 5);
  coefficients[64 * 3] = 1000;
  uint16_t quant[64];
  for (uint16_t& q : quant) q = 20;
  const auto file = oracle::encode_coefficients(coefficients, quant);
  const Parsed parsed(file);
  BaselineDecoder decoder;
  Planes planes;
  EXPECT_EQ(decoder.decode(parsed.header, file, parsed.entries, {0, 0, 8, 40}, planes), Outcome::kOutOfRange);
}

TEST(BaselineDecoder, ReportsDamagedData) {
  auto file = oracle::encode(oracle::make_picture(200, 200, 3, 1), {});
  const Parsed sound(file);
  File damaged = file;
  for (size_t i = sound.header.scan_offset + 500; i < damaged.size(); ++i) damaged[i] = 0xFF;
  const Parsed parsed(damaged);
  BaselineDecoder decoder;
  Planes planes;
  EXPECT_EQ(decoder.decode(parsed.header, damaged, EntryPointView(), {0, 0, 200, 200}, planes),
            Outcome::kCorrupt);
  // the scratch is good for the next image
  expect_libjpeg_turbos_pixels(decoder, file, 3, 1);
}

TEST(BaselineDecoder, NoticesEntryPointsOfOtherData) {
  const auto file = oracle::encode(oracle::make_picture(200, 200, 3, 1), {});
  auto other = oracle::encode(oracle::make_picture(200, 200, 3, 2), {});
  const Parsed parsed(file), stale(other);
  Header header = parsed.header;
  const auto entries = EntryPointView::open(stale.entry_bytes, stale.header, other.size());
  ASSERT_FALSE(entries.empty());
  BaselineDecoder decoder;
  Planes planes;
  const Outcome outcome = decoder.decode(header, file, entries, {50, 50, 100, 100}, planes);
  EXPECT_TRUE(outcome == Outcome::kMismatch || outcome == Outcome::kCorrupt);
}

TEST(BaselineDecoder, GivesLibjpegTurbosPixelsForRealPhotographs) {
  BaselineDecoder decoder;
  const auto files = oracle::files_under("imagenet-samples/train");
  if (files.empty()) GTEST_SKIP() << "no sample images in FASTINET_SHARED or ../shared";
  int fast = 0;
  for (size_t i = 0; i < files.size(); ++i) {
    SCOPED_TRACE(files[i].string());
    const File file = oracle::read_file(files[i]);
    const Parsed parsed(file);
    if (parsed.unsuited != Unsuited::kNone || parsed.entries.empty()) continue;
    ++fast;
    if (i % 5 == 0) expect_libjpeg_turbos_pixels(decoder, file, 2, static_cast<uint32_t>(i));
    if (HasFatalFailure()) return;
  }
  EXPECT_GE(fast * 1000, static_cast<int>(files.size()) * 999);
}

TEST(BaselineDecoder, GivesLibjpegTurbosPixelsForOddFilesThatItTakes) {
  BaselineDecoder decoder;
  const auto files = oracle::files_under("odd-jpegs");
  if (files.empty()) GTEST_SKIP() << "no odd files in FASTINET_SHARED or ../shared";
  int taken = 0;
  for (const auto& path : files) {
    SCOPED_TRACE(path.string());
    const File file = oracle::read_file(path);
    const Parsed parsed(file);
    if (parsed.unsuited != Unsuited::kNone || parsed.entries.empty()) continue;
    if (parsed.header.size.width < 5) continue;  // see above
    ++taken;
    expect_libjpeg_turbos_pixels(decoder, file, 8, 1);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(taken, 10);
}

}  // namespace
}  // namespace fastinet::jpeg
