// Decoding at 1/2 and 1/4: libjpeg-turbo's own scaled decode is the oracle.
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "image/codec/blocks/idct_reduced.h"
#include "image/codec/jpeg/baseline_decoder.h"
#include "image/codec/jpeg/scan.h"
#include "image/codec/turbo/decoder.h"
#include "image/jpeg_oracle.h"

namespace fastinet::jpeg {
namespace {

Rect random_region(std::mt19937& random, int height, int width) {
  const auto below = [&](int limit) { return static_cast<int>(random() % static_cast<uint32_t>(limit)); };
  const int h = 1 + below(height), w = 1 + below(width);
  return {below(height - h + 1), below(width - w + 1), h, w};
}

void expect_same(const Planes& planes, const oracle::Picture& expected) {
  const Rect& r = planes.region;
  for (int y = r.top; y < r.bottom(); ++y) {
    for (int x = r.left; x < r.right(); ++x) {
      for (int c = 0; c < expected.channels; ++c) {
        const size_t at = (static_cast<size_t>(y) * expected.width + x) * expected.channels + c;
        ASSERT_EQ(planes.plane[c][(y - r.top) * planes.stride + x - r.left], expected.samples[at])
            << "region " << r.top << "," << r.left << " " << r.height << "x" << r.width << ", row " << y
            << " column " << x << " channel " << c;
      }
    }
  }
}

TEST(DctScaling, BothDecodersGiveTheRegionOfLibjpegTurbosScaledDecode) {
  std::mt19937 random(3);
  BaselineDecoder baseline;
  TurboDecoder turbo;
  for (const int scale : {2, 4}) {
    for (const int kind : {0, 1, 2, 3, 4}) {  // 4:4:4, 4:2:2, 4:4:0, 4:2:0, gray
      for (const auto& [width, height] : {std::pair{64, 48}, {131, 97}, {57, 203}, {30, 33}}) {
        const int channels = kind == 4 ? 1 : 3;
        const oracle::Encoding encoding{.h = 1 + (kind & 1), .v = 1 + (kind >> 1 & 1)};
        const auto file = oracle::encode(
            oracle::make_picture(width, height, channels, static_cast<uint32_t>(width)), encoding);
        SCOPED_TRACE(::testing::Message() << "scale " << scale << ", kind " << kind << ", " << width);
        const oracle::Picture expected = oracle::decode(file, oracle::As::kNative, scale);
        ASSERT_EQ(expected.width, scaled_down({height, width}, scale).width);
        Header header;
        ASSERT_EQ(parse_header(file, header), Unsuited::kNone);
        const auto entry_bytes = make_entry_points(header, file);
        const auto entries = EntryPointView::open(entry_bytes, header, file.size());
        for (int round = 0; round < 12; ++round) {
          const Rect region = round == 0 ? Rect{0, 0, expected.height, expected.width}
                                         : random_region(random, expected.height, expected.width);
          Planes planes;
          ASSERT_EQ(baseline.decode(header, file, entries, region, planes, scale), Outcome::kDecoded);
          expect_same(planes, expected);
          const char* refusal = turbo.decode(file, survey_jpeg(file), region, &planes, scale);
          ASSERT_EQ(refusal, nullptr) << refusal;
          expect_same(planes, expected);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST(DctScaling, ReducedTransformsAgreeWithTheirReferenceAtEveryLevel) {
  std::mt19937 random(11);
  for (int round = 0; round < 1000; ++round) {
    const int blocks = 1 + static_cast<int>(random() % 9), side = round % 2 ? 4 : 2;
    std::vector<oracle::Plane::Group> groups((blocks + kBlocksPerGroup - 1) / kBlocksPerGroup);
    const int bits = 1 + static_cast<int>(random() % 16);
    for (auto& group : groups) {
      for (int16_t& value : group.value)
        value = static_cast<int16_t>(static_cast<int16_t>(random()) >> (16 - bits));
    }
    uint16_t quant[64];
    for (uint16_t& q : quant) q = static_cast<uint16_t>(random() >> (random() % 16));
    const size_t stride = groups.size() * kBlocksPerGroup * side;
    std::vector<uint8_t> expected(stride * side), found(stride * side);
    idct_row_reduced_scalar(side, groups[0].value, blocks, quant, expected.data(),
                            static_cast<ptrdiff_t>(stride));
    oracle::at_every_level([&](const char* level) {
      idct_row_reduced(side, groups[0].value, blocks, quant, found.data(), static_cast<ptrdiff_t>(stride));
      for (int y = 0; y < side; ++y) {
        ASSERT_EQ(std::memcmp(found.data() + y * stride, expected.data() + y * stride, blocks * side), 0)
            << level << ", round " << round << ", side " << side << ", row " << y;
      }
    });
  }
}

TEST(DctScaling, IsUsedOnlyWhereTheCropIsAsManyTimesLargerInBothDirections) {
  const auto scale = [](int height, int width, bool wanted = true) {
    Geometry g;
    g.crop = {0, 0, height, width};
    g.size = {100, 200};
    g.dct_scaling = wanted;
    return dct_scale(g);
  };
  EXPECT_EQ(scale(199, 800), 1);
  EXPECT_EQ(scale(400, 399), 1);
  EXPECT_EQ(scale(200, 400), 2);
  EXPECT_EQ(scale(399, 2000), 2);
  EXPECT_EQ(scale(400, 800), 4);
  EXPECT_EQ(scale(4000, 8000), 4);
  EXPECT_EQ(scale(4000, 8000, false), 1);
}

}  // namespace
}  // namespace fastinet::jpeg
