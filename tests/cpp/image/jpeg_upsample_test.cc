#include <algorithm>
#include <random>

#include "gtest/gtest.h"
#include "image/codec/blocks/upsample.h"
#include "image/jpeg_oracle.h"

namespace fastinet::jpeg {
namespace {

using oracle::As;
using oracle::Picture;
using oracle::Plane;

// A component's samples with the padding that the functions read, edges repeated as upsample.h asks.
class PaddedRow {
 public:
  PaddedRow(const Plane& plane, int y) : bytes_(plane.width + 2 * kRowPadding) {
    const uint8_t* row =
        plane.samples.data() + static_cast<size_t>(std::clamp(y, 0, plane.height - 1)) * plane.stride();
    std::copy_n(row, plane.width, bytes_.begin() + kRowPadding);
    bytes_[kRowPadding - 1] = row[0];
    bytes_[kRowPadding + plane.width] = row[plane.width - 1];
  }
  const uint8_t* data() const { return bytes_.data() + kRowPadding; }

 private:
  std::vector<uint8_t> bytes_;
};

std::vector<uint8_t> upsampled_row(const Plane& plane, int h, int v, int y) {
  std::vector<uint8_t> out(2 * plane.width + kRowPadding);
  const size_t count = static_cast<size_t>(plane.width);
  const PaddedRow near(plane, y / v), far(plane, y % 2 ? y / 2 + 1 : y / 2 - 1);
  if (v == 1) {
    upsample_h2v1(near.data(), count, out.data());
  } else if (h == 1) {
    upsample_h1v2(near.data(), far.data(), y % 2, count, out.data());
  } else {
    upsample_h2v2(near.data(), far.data(), count, out.data());
  }
  return out;
}

void expect_libjpeg_turbos_pixels(int h, int v, int width, int height) {
  const auto picture = oracle::make_picture(width, height, 3, static_cast<uint32_t>(width * 1000 + height));
  const auto file = oracle::encode(picture, {.h = h, .v = v});
  const auto planes = oracle::take_apart(file);
  const Picture expected = oracle::decode(file, As::kYcc);
  oracle::at_every_level([&](const char* level) {
    for (int y = 0; y < height; ++y) {
      for (int c = 1; c < 3; ++c) {
        const auto row = upsampled_row(planes[c], h, v, y);
        for (int x = 0; x < width; ++x) {
          ASSERT_EQ(row[x], expected.samples[(static_cast<size_t>(y) * width + x) * 3 + c])
              << level << ": " << width << "x" << height << " row " << y << " column " << x << " component "
              << c;
        }
      }
    }
  });
}

TEST(Upsample, DoublesWidthsAsLibjpegTurboDoes) {
  for (int width = 5; width < 150; width += 1 + width / 16) expect_libjpeg_turbos_pixels(2, 1, width, 9);
}

TEST(Upsample, DoublesHeightsAsLibjpegTurboDoes) {
  for (int width = 1; width < 150; width += 1 + width / 8)
    expect_libjpeg_turbos_pixels(1, 2, width, 1 + width);
}

TEST(Upsample, DoublesBothAsLibjpegTurboDoes) {
  for (int width = 5; width < 150; width += 1 + width / 16)
    expect_libjpeg_turbos_pixels(2, 2, width, 1 + width % 40);
}

TEST(Upsample, AgreesWithItsReferencesAtEveryLevel) {
  std::mt19937 random(3);
  for (size_t count = 1; count < 200; ++count) {
    std::vector<uint8_t> near(count + 2 * kRowPadding), far(near.size());
    // mostly extremes, where the arithmetic could overflow
    for (auto* row : {&near, &far}) {
      for (uint8_t& value : *row)
        value = random() % 4 ? (random() % 2 ? 255 : 0) : static_cast<uint8_t>(random());
    }
    const uint8_t *n = near.data() + kRowPadding, *f = far.data() + kRowPadding;
    std::vector<uint8_t> expected(2 * count + kRowPadding), found(expected.size());
    const auto expect_same = [&](size_t length, const char* what, const char* level) {
      EXPECT_TRUE(std::equal(found.begin(), found.begin() + static_cast<ptrdiff_t>(length), expected.begin()))
          << what << " at " << level << ", " << count << " samples";
    };
    oracle::at_every_level([&](const char* level) {
      upsample_h2v1_scalar(n, count, expected.data());
      upsample_h2v1(n, count, found.data());
      expect_same(2 * count, "h2v1", level);
      for (const bool below : {false, true}) {
        upsample_h1v2_scalar(n, f, below, count, expected.data());
        upsample_h1v2(n, f, below, count, found.data());
        expect_same(count, "h1v2", level);
      }
      upsample_h2v2_scalar(n, f, count, expected.data());
      upsample_h2v2(n, f, count, found.data());
      expect_same(2 * count, "h2v2", level);
    });
  }
}

TEST(Upsample, WritesNoFurtherThanItsPadding) {
  for (size_t count = 1; count < 130; ++count) {
    const std::vector<uint8_t> in(count + 2 * kRowPadding, 9);
    const uint8_t* row = in.data() + kRowPadding;
    oracle::at_every_level([&](const char* level) {
      std::vector<uint8_t> out(2 * count + kRowPadding + 1, 77);
      upsample_h2v1(row, count, out.data());
      upsample_h2v2(row, row, count, out.data());
      EXPECT_EQ(out.back(), 77) << level;
      out[count + kRowPadding] = 77;
      upsample_h1v2(row, row, true, count, out.data());
      EXPECT_EQ(out[count + kRowPadding], 77) << level;
    });
  }
}

}  // namespace
}  // namespace fastinet::jpeg
