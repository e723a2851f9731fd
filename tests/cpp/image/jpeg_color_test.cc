#include <vector>

#include "gtest/gtest.h"
#include "image/codec/blocks/color.h"
#include "image/codec/blocks/upsample.h"
#include "image/jpeg_oracle.h"

namespace fastinet::jpeg {
namespace {

using Rows = std::vector<std::vector<uint8_t>>;  // three rows, padded
using Convert = void (*)(const uint8_t*, const uint8_t*, const uint8_t*, size_t, uint8_t*, uint8_t*,
                         uint8_t*);

Rows convert(Convert function, const Rows& in, size_t count) {
  Rows out(3, std::vector<uint8_t>(count + kRowPadding));
  function(in[0].data(), in[1].data(), in[2].data(), count, out[0].data(), out[1].data(), out[2].data());
  for (auto& row : out) row.resize(count);
  return out;
}

TEST(ColorConvert, GivesLibjpegTurbosRgb) {
  for (const int quality : {5, 60, 100}) {
    const auto picture = oracle::make_picture(300, 50, 3, static_cast<uint32_t>(quality));
    const auto file = oracle::encode(picture, {.quality = quality});
    const auto ycc = oracle::decode(file, oracle::As::kYcc), rgb = oracle::decode(file, oracle::As::kRgb);
    const size_t count = ycc.samples.size() / 3;
    Rows in(3, std::vector<uint8_t>(count + kRowPadding)), expected(3, std::vector<uint8_t>(count));
    for (size_t i = 0; i < count; ++i) {
      for (size_t c = 0; c < 3; ++c) {
        in[c][i] = ycc.samples[3 * i + c];
        expected[c][i] = rgb.samples[3 * i + c];
      }
    }
    EXPECT_EQ(convert(ycc_to_rgb_scalar, in, count), expected);
    oracle::at_every_level(
        [&](const char* level) { EXPECT_EQ(convert(ycc_to_rgb, in, count), expected) << level; });
  }
}

TEST(ColorConvert, AgreesWithItsReferenceForEveryColour) {
  constexpr size_t kCount = 1 << 16;
  Rows in(3, std::vector<uint8_t>(kCount + kRowPadding));
  for (size_t i = 0; i < kCount; ++i) {
    in[1][i] = static_cast<uint8_t>(i);
    in[2][i] = static_cast<uint8_t>(i >> 8);
  }
  for (int y = 0; y < 256; ++y) {
    in[0].assign(in[0].size(), static_cast<uint8_t>(y));
    const Rows expected = convert(ycc_to_rgb_scalar, in, kCount);
    oracle::at_every_level([&](const char* level) {
      ASSERT_EQ(convert(ycc_to_rgb, in, kCount), expected) << level << ", luma " << y;
    });
  }
}

TEST(ColorConvert, WorksInPlaceAndWritesNoFurtherThanItsPadding) {
  for (size_t count = 1; count < 200; ++count) {
    oracle::at_every_level([&](const char* level) {
      Rows rows(3, std::vector<uint8_t>(count + kRowPadding + 1));
      for (size_t c = 0; c < 3; ++c) {
        for (size_t i = 0; i < rows[c].size(); ++i) rows[c][i] = static_cast<uint8_t>(i * (c + 3) * 37);
      }
      Rows expected = convert(ycc_to_rgb_scalar, rows, count);
      const uint8_t after[3] = {rows[0].back(), rows[1].back(), rows[2].back()};
      ycc_to_rgb(rows[0].data(), rows[1].data(), rows[2].data(), count, rows[0].data(), rows[1].data(),
                 rows[2].data());
      for (size_t c = 0; c < 3; ++c) {
        EXPECT_EQ(rows[c].back(), after[c]) << level;
        rows[c].resize(count);
      }
      EXPECT_EQ(rows, expected) << level << ", " << count << " pixels";
    });
  }
}

}  // namespace
}  // namespace fastinet::jpeg
