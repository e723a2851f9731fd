#include <cstring>
#include <random>

#include "gtest/gtest.h"
#include "image/codec/blocks/idct.h"
#include "image/jpeg_oracle.h"

namespace fastinet::jpeg {
namespace {

using oracle::Plane;

using IdctRow = bool (*)(const int16_t*, int, const uint16_t*, uint8_t*, ptrdiff_t);

// All samples of a component, in rows of whole groups.
std::vector<uint8_t> transform(const Plane& plane, IdctRow idct, bool* in_range = nullptr) {
  const int stride = plane.groups_per_row * kBlocksPerGroup * 8;
  std::vector<uint8_t> samples(static_cast<size_t>(stride) * 8 * plane.block_rows);
  for (int row = 0; row < plane.block_rows; ++row) {
    const bool ok = idct(plane.groups[row * plane.groups_per_row].value, plane.blocks, plane.quant,
                         samples.data() + static_cast<size_t>(stride) * 8 * row, stride);
    if (in_range) *in_range = *in_range && ok;
  }
  std::vector<uint8_t> result;
  for (int y = 0; y < 8 * plane.block_rows; ++y) {
    result.insert(result.end(), samples.begin() + y * stride, samples.begin() + y * stride + plane.stride());
  }
  return result;
}

TEST(Idct, GivesTheSamplesOfLibjpegTurboForEncodedPictures) {
  for (const int quality : {1, 10, 50, 75, 90, 96, 100}) {
    for (const int sampling : {1, 2}) {
      const auto picture = oracle::make_picture(231, 77, 3, static_cast<uint32_t>(quality));
      const auto file = oracle::encode(picture, {.h = sampling, .v = sampling, .quality = quality});
      for (const Plane& plane : oracle::take_apart(file)) {
        // libjpeg leaves the rows of dummy blocks below the last block row alone, hence the sizes agree
        std::vector<uint8_t> expected = plane.samples;
        expected.resize(static_cast<size_t>(plane.stride()) * 8 * plane.block_rows);
        EXPECT_EQ(transform(plane, idct_row_scalar), expected) << "quality " << quality;
        oracle::at_every_level([&](const char* level) {
          bool in_range = true;
          EXPECT_EQ(transform(plane, idct_row, &in_range), expected) << level << ", quality " << quality;
          EXPECT_TRUE(in_range);
        });
      }
    }
  }
}

#if defined(__x86_64__)  // elsewhere libjpeg-turbo's vector code computes other values for coefficients out
                         // of range
TEST(Idct, WrapsAndSaturatesAsLibjpegTurboDoesForHostileCoefficientsOrSaysThatItCannot) {
  std::mt19937 random(7);
  int in_range_blocks = 0, refused_blocks = 0;
  for (int round = 0; round < 3000; ++round) {
    uint16_t quant[64];
    const uint32_t quant_limit = round % 3 == 0 ? 32767 : round % 3 == 1 ? 255 : 16;
    for (uint16_t& q : quant) q = static_cast<uint16_t>(1 + random() % quant_limit);
    if (round % 2) quant[0] = static_cast<uint16_t>(1 + random() % 8);
    std::vector<int16_t> coefficients(64);
    const uint32_t density = 1 + random() % 64;
    for (int16_t& value : coefficients) {
      if (random() % 64 < density) value = static_cast<int16_t>(static_cast<int>(random() % 2047) - 1023);
    }
    const auto planes = oracle::take_apart(oracle::encode_coefficients(coefficients, quant));
    bool in_range = true;
    const auto samples = transform(planes[0], idct_row_scalar, &in_range);
    in_range ? ++in_range_blocks : ++refused_blocks;
    if (in_range) {
      ASSERT_EQ(samples, planes[0].samples) << "round " << round;
    }
  }
  EXPECT_GT(in_range_blocks, 300);
  EXPECT_GT(refused_blocks, 300);
}
#endif

TEST(Idct, AgreesWithItsReferenceAtEveryLevelForArbitraryCoefficients) {
  std::mt19937 random(11);
  for (int round = 0; round < 2000; ++round) {
    const int blocks = 1 + static_cast<int>(random() % 9);
    std::vector<Plane::Group> groups((blocks + kBlocksPerGroup - 1) / kBlocksPerGroup);
    const int bits = 1 + static_cast<int>(random() % 16);
    for (auto& group : groups) {
      for (int16_t& value : group.value)
        value = static_cast<int16_t>(static_cast<int16_t>(random()) >> (16 - bits));
    }
    for (int b = blocks; b % kBlocksPerGroup; ++b) {
      for (int v = 0; v < 8; ++v) std::memset(groups.back().value + v * 32 + b % kBlocksPerGroup * 8, 0, 16);
    }
    uint16_t quant[64];
    for (uint16_t& q : quant) q = static_cast<uint16_t>(random() >> (random() % 16));
    const size_t stride = groups.size() * kBlocksPerGroup * 8;
    std::vector<uint8_t> expected(stride * 8), found(stride * 8);
    const bool in_range =
        idct_row_scalar(groups[0].value, blocks, quant, expected.data(), static_cast<int>(stride));
    oracle::at_every_level([&](const char* level) {
      EXPECT_EQ(idct_row(groups[0].value, blocks, quant, found.data(), static_cast<int>(stride)), in_range)
          << level;
      for (int y = 0; y < 8; ++y) {
        ASSERT_EQ(std::memcmp(found.data() + y * stride, expected.data() + y * stride, blocks * 8), 0)
            << level << ", round " << round << ", row " << y;
      }
    });
  }
}

}  // namespace
}  // namespace fastinet::jpeg
