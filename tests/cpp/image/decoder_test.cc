#include "image/codec/decoder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/error.h"
#include "image/codec/probe.h"
#include "jpeg_files.h"
#include "jpeg_samples.h"

namespace fastinet {
namespace {

using jpeg::oracle::files_under;
using jpeg::oracle::read_file;
using testing::JpegOptions;
using testing::make_jpeg;

RgbImage refuse(const EncodedImage&) { throw Error(ErrorKind::kDecode, "refused by the foreign decoder"); }

Geometry resized(const Rect& crop, Size size) {
  return {.crop = crop, .size = size, .view = {0, 0, size.height, size.width}};
}

// Decodes the whole image and some windows, upright and as stored, with and without its entry points.
// Returns whether the core could decode it itself. Anything but pixels or a decode error fails the test.
bool decode_in_every_way(Bytes data, ImageDecoder& decoder, std::mt19937& random) {
  const ProbeResult probed = probe(data);
  bool decoded = false;
  std::vector<uint8_t> out(3 * 32 * 32);
  for (int i = 0; i < 8; ++i) {
    EncodedImage image{data, {}, i % 2 == 1};
    if (i % 4 >= 2) image.entry_points = probed.entry_points;
    try {
      const Size size = decoder.info(image).size;
      Rect crop{0, 0, size.height, size.width};
      if (i >= 4) {
        crop.height = 1 + static_cast<int>(random() % static_cast<uint32_t>(size.height));
        crop.width = 1 + static_cast<int>(random() % static_cast<uint32_t>(size.width));
        crop.top = static_cast<int>(random() % static_cast<uint32_t>(size.height - crop.height + 1));
        crop.left = static_cast<int>(random() % static_cast<uint32_t>(size.width - crop.width + 1));
      }
      decoder.decode(image, resized(crop, {32, 32}), out.data());
      decoded = true;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kDecode) << error.what();
    }
  }
  return decoded;
}

TEST(ImageDecoder, HostileFilesGiveADecodeErrorOrPixels) {
  const auto files = files_under("hostile-jpegs");
  if (files.empty()) GTEST_SKIP() << "no hostile files in FASTINET_SHARED or ../shared";
  ImageDecoder decoder(OutputFormat{}, refuse);
  std::mt19937 random(1);
  int decoded = 0;
  for (const auto& file : files) {
    SCOPED_TRACE(file.string());
    decoded += decode_in_every_way(read_file(file), decoder, random);
  }
  EXPECT_GT(decoded, 0);
}

TEST(ImageDecoder, DamagedFilesGiveADecodeErrorOrPixels) {
  std::vector<std::vector<uint8_t>> intact;
  for (const bool progressive : {false, true}) {
    for (const int components : {1, 3, 4}) {
      for (const int factor : {1, 2}) {
        intact.push_back(make_jpeg({.size = {45, 61},
                                    .components = components,
                                    .h = {factor, 1, 1, factor},
                                    .v = {factor, 1, 1, factor},
                                    .progressive = progressive,
                                    .restart_rows = factor - 1}));
      }
    }
  }
  ImageDecoder decoder(OutputFormat{}, refuse);
  std::mt19937 random(2);
  int decoded = 0;
  constexpr int kFiles = 600;
  for (int i = 0; i < kFiles; ++i) {
    std::vector<uint8_t> file = intact[static_cast<size_t>(i) % intact.size()];
    for (uint32_t flips = 1 + random() % 4; flips > 0; --flips) {
      file[random() % file.size()] = static_cast<uint8_t>(random() % 4 == 0 ? 0xFF : random());
    }
    if (random() % 4 == 0) file.resize(random() % file.size());
    // An exact allocation, so that the address sanitizer sees a read one byte beyond the end.
    const std::vector<uint8_t> exact(file.begin(), file.end());
    decoded += decode_in_every_way(exact, decoder, random);
  }
  EXPECT_GT(decoded, 0);
  EXPECT_LT(decoded, kFiles);
}

TEST(ImageDecoder, CountsTheDecoderThatDeliveredThePixels) {
  ImageDecoder decoder(OutputFormat{}, [](const EncodedImage&) {
    return RgbImage{{2, 2}, std::vector<uint8_t>(12, 7)};
  });
  std::vector<uint8_t> out(3 * 4);
  const Geometry geometry = resized({0, 0, 2, 2}, {2, 2});
  const auto baseline = make_jpeg({});
  const auto progressive = make_jpeg({.progressive = true});
  const std::vector<uint8_t> other = {'o', 't', 'h', 'e', 'r'};
  decoder.decode({baseline, {}, false}, geometry, out.data());
  decoder.decode({progressive, {}, false}, geometry, out.data());
  decoder.decode({other, {}, false}, geometry, out.data());
  EXPECT_EQ(out, std::vector<uint8_t>(12, 7));
  EXPECT_EQ(decoder.counts().fast, 1);
  EXPECT_EQ(decoder.counts().turbo, 1);
  EXPECT_EQ(decoder.counts().foreign, 1);
}

TEST(ImageDecoder, AFileWithoutItsOwnTablesNeverUsesThoseOfTheImageBefore) {
  const auto first = make_jpeg({.progressive = true, .restart_rows = 0});
  std::vector<uint8_t> bare = first;
  const auto is_marker = [&](uint8_t marker) {
    const uint8_t bytes[] = {0xFF, marker};
    return std::search(bare.begin(), bare.end(), std::begin(bytes), std::end(bytes));
  };
  for (auto at = is_marker(0xDB); at != bare.end(); at = is_marker(0xDB)) {
    bare.erase(at, at + 2 + (at[2] << 8 | at[3]));
  }
  ImageDecoder decoder(OutputFormat{}, refuse);
  std::vector<uint8_t> out(3 * 64 * 64);
  const Geometry whole = resized({0, 0, 64, 64}, {64, 64});
  decoder.decode({first, {}, false}, whole, out.data());
  EXPECT_THROW(decoder.decode({bare, {}, false}, whole, out.data()), Error);
}

TEST(ImageDecoder, ACropOutsideOfTheImageIsAnArgumentErrorWithBoth) {
  ImageDecoder decoder(OutputFormat{}, refuse);
  const auto file = make_jpeg({.size = {20, 30}});
  std::vector<uint8_t> out(3);
  for (const Rect crop : {Rect{0, 0, 21, 30}, Rect{-1, 0, 5, 5}, Rect{19, 29, 1, 2}, Rect{0, 0, 0, 1},
                          Rect{2147483647, 0, 2, 2}}) {
    try {
      decoder.decode({file, {}, false}, resized(crop, {1, 1}), out.data());
      ADD_FAILURE() << "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kArgument);
      EXPECT_EQ(error.context().expected, "a rectangle of pixels in an image of 20x30");
      EXPECT_EQ(error.context().found.substr(0, 4), "top ");
    }
  }
}

TEST(Probe, TellsABaselineFileFromAProgressiveAndACutOne) {
  const auto file = make_jpeg({.size = {20, 30}});
  const ProbeResult whole = probe(file);
  EXPECT_EQ(whole.encoding, Encoding::kJpeg);
  EXPECT_EQ(whole.size, (Size{20, 30}));
  EXPECT_TRUE(whole.regular && whole.baseline && whole.complete && !whole.progressive);
  EXPECT_FALSE(whole.entry_points.empty());
  EXPECT_TRUE(whole.sound);
  const ProbeResult cut = probe(Bytes(file).first(file.size() - 2));
  EXPECT_TRUE(cut.regular);
  EXPECT_FALSE(cut.complete);
  EXPECT_TRUE(cut.entry_points.empty());
  EXPECT_FALSE(cut.sound);
  const ProbeResult progressive = probe(make_jpeg({.progressive = true}));
  EXPECT_TRUE(progressive.progressive && progressive.complete && progressive.entry_points.empty());
  EXPECT_FALSE(progressive.sound);
}

TEST(Probe, WalkingTheScanTellsASoundFileAlsoWhereNoEntryPointsAreWanted) {
  const auto file = make_jpeg({.size = {200, 300}});
  EXPECT_TRUE(probe(file, Scanning::kWalk).sound);
  EXPECT_TRUE(probe(file, Scanning::kWalk).entry_points.empty());
  EXPECT_FALSE(probe(file, Scanning::kNone).sound);
  auto short_of_rows = file;
  short_of_rows.erase(short_of_rows.end() - 400, short_of_rows.end() - 2);
  const ProbeResult probed = probe(short_of_rows, Scanning::kWalk);
  EXPECT_TRUE(probed.complete);
  EXPECT_FALSE(probed.sound);
}

TEST(ImageDecoder, VouchesForWhatItDecodesToTheLastRowAndAsksNobodyElse) {
  ImageDecoder decoder(OutputFormat{}, {});
  const auto baseline = make_jpeg({.size = {200, 300}});
  EXPECT_TRUE(decoder.decodes_cleanly({.data = baseline, .entry_points = {}}));
  const auto progressive = make_jpeg({.size = {200, 300}, .progressive = true});
  EXPECT_TRUE(decoder.decodes_cleanly({.data = progressive, .entry_points = {}}));
  for (auto file : {baseline, progressive}) {
    file.erase(file.end() - 400, file.end() - 2);
    EXPECT_FALSE(decoder.decodes_cleanly({.data = file, .entry_points = {}}));
  }
  EXPECT_FALSE(
      decoder.decodes_cleanly({.data = Bytes(baseline).first(baseline.size() - 2), .entry_points = {}}));
  const std::vector<uint8_t> no_jpeg(100);
  EXPECT_FALSE(decoder.decodes_cleanly({.data = no_jpeg, .entry_points = {}}));
}

}  // namespace
}  // namespace fastinet
