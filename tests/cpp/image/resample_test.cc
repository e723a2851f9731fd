// The vector kernels against the scalar reference, the memory that they may touch, and the source regions.
// tests/python/test_resample.py compares with Pillow and torch.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "base/error.h"
#include "image/pixel_pipeline.h"
#include "image/pixel_samples.h"
#include "image/resample/coefficients.h"
#include "image/resample/resampler.h"
#include "simd/level.h"

namespace fastinet {
namespace {

class ResamplerAtLevel : public AtSimdLevel {};

TEST_P(ResamplerAtLevel, GivesTheBytesOfTheScalarReferenceAndWritesNothingElse) {
  constexpr size_t kGuard = 256;
  constexpr size_t kLine = 64;
  std::mt19937 random(7);
  for (DType dtype : {DType::kUint8, DType::kFloat16, DType::kFloat32}) {
    for (Layout layout : {Layout::kNCHW, Layout::kNHWC}) {
      const OutputFormat format = format_of(dtype, layout);
      set_simd_level(SimdLevel::kScalar);
      PixelPipeline reference(format);
      set_simd_level(GetParam());
      PixelPipeline pipeline(format);
      for (int round = 0; round < 60; ++round) {
        const Geometry g = random_geometry(random);
        const RandomPlanes source(source_region(g), round % 4 == 0 ? 1 : 3, static_cast<uint32_t>(random()));
        const size_t bytes = sample_bytes(format, g);
        std::vector<uint8_t> expected(bytes + kGuard, 0x5A);
        reference.run(source.planes, g, {}, expected.data());
        // Aligned to a cache line or not: the kernels store in different ways.
        std::vector<uint8_t> buffer(expected.size() + 2 * kLine, 0x5A);
        uint8_t* const out = buffer.data() + kLine - reinterpret_cast<uintptr_t>(buffer.data()) % kLine +
                             (round % 2 == 0 ? 0 : itemsize(dtype));
        pipeline.run(source.planes, g, {}, out);
        ASSERT_EQ(std::vector<uint8_t>(out, out + bytes + kGuard), expected)
            << "round " << round << ", crop " << g.crop.height << " x " << g.crop.width << ", size "
            << g.size.height << " x " << g.size.width;
      }
    }
  }
}

TEST_P(ResamplerAtLevel, AResamplerUsedBeforeGivesWhatANewOneGives) {
  std::mt19937 random(3);
  const OutputFormat format = format_of(DType::kUint8, Layout::kNHWC);
  PixelPipeline used(format);
  for (int round = 0; round < 50; ++round) {
    const Geometry g = random_geometry(random);
    const RandomPlanes source(source_region(g), 3, static_cast<uint32_t>(random()));
    std::vector<uint8_t> expected(sample_bytes(format, g));
    std::vector<uint8_t> found(expected.size());
    PixelPipeline(format).run(source.planes, g, {}, expected.data());
    used.run(source.planes, g, {}, found.data());
    ASSERT_EQ(found, expected) << "round " << round;
  }
}

TEST_P(ResamplerAtLevel, DoesNotDependOnPixelsOutsideOfTheSourceRegion) {
  std::mt19937 random(5);
  const OutputFormat format = format_of(DType::kUint8, Layout::kNCHW);
  PixelPipeline pipeline(format);
  for (int round = 0; round < 50; ++round) {
    const Geometry g = random_geometry(random);
    const Rect region = source_region(g);
    if (region == Rect{}) continue;
    const Rect wider{region.top - 1, region.left - 1, region.height + 2, region.width + 2};
    const RandomPlanes tight(region, 3, 1);
    RandomPlanes wide(wider, 3, 2);  // other values around the same ones
    for (int c = 0; c < 3; ++c) {
      for (int y = 0; y < region.height; ++y) {
        std::memcpy(&wide.samples[c][(y + 1) * wide.planes.stride + 1],
                    tight.planes.plane[c] + y * tight.planes.stride, region.width);
      }
    }
    std::vector<uint8_t> expected(sample_bytes(format, g));
    std::vector<uint8_t> found(expected.size());
    pipeline.run(tight.planes, g, {}, expected.data());
    pipeline.run(wide.planes, g, {}, found.data());
    ASSERT_EQ(found, expected) << "round " << round;
  }
}

INSTANTIATE_TEST_SUITE_P(Simd, ResamplerAtLevel, testing::ValuesIn(available_simd_levels()), level_name);

TEST(SourceRegion, HoldsTheSupportOfTheFilterAndNoMore) {
  // 400 -> 100 bilinear: the support of output 50, centred at 202, is four source samples to either side.
  const Geometry g{{10, 20, 400, 400}, {100, 100}, {50, 50, 1, 1}, false, Interpolation::kBilinear};
  EXPECT_EQ(source_region(g), (Rect{10 + 198, 20 + 198, 8, 8}));
}

TEST(SourceRegion, IsTheViewItselfWhereNothingIsResampled) {
  const Geometry g{{10, 20, 50, 60}, {50, 60}, {5, 6, 7, 8}, true, Interpolation::kBicubic};
  EXPECT_EQ(source_region(g), (Rect{15, 26, 7, 8}));
}

TEST(SourceRegion, StaysWithinTheCrop) {
  const Geometry g{{10, 20, 50, 60}, {200, 200}, {-9, -9, 400, 400}, false, Interpolation::kBicubic};
  EXPECT_EQ(source_region(g), g.crop);
}

TEST(SourceRegion, IsEmptyForAViewOutsideOfTheResizedCrop) {
  const Geometry g{{0, 0, 50, 60}, {20, 20}, {20, 0, 5, 5}, false, Interpolation::kBilinear};
  EXPECT_EQ(source_region(g), Rect{});
}

// Returns the weight of source sample i in output j, in rows of `in`.
std::vector<int32_t> dense_weights(int in, int out) {
  Coefficients c;
  compute_coefficients({.in = in, .out = out, .first = 0, .last = out}, &c);
  std::vector<int32_t> rows(static_cast<size_t>(in) * out);
  for (int j = 0; j < out; ++j) {
    std::copy_n(c.weight(j), c.count[j], rows.begin() + static_cast<ptrdiff_t>(in) * j + c.begin[j]);
  }
  return rows;
}

TEST(BilinearWeights, OfAMirroredAxisAreTheMirroredWeights) {
  for (int in = 1; in < 120; ++in) {
    for (int out = 1; out < 120; ++out) {
      const std::vector<int32_t> rows = dense_weights(in, out);
      // Mirroring both the outputs and the sources turns the whole table around.
      ASSERT_TRUE(std::equal(rows.begin(), rows.end(), rows.rbegin())) << in << " to " << out;
    }
  }
}

std::string message_for(const OutputFormat& format) {
  try {
    PixelPipeline pipeline(format);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kArgument);
    return e.what();
  }
  return "";
}

TEST(OutputFormat, OfUint8CannotBeNormalised) {
  EXPECT_EQ(message_for({DType::kUint8, Layout::kNHWC, true, {0, 0, 0}, {1, 1, 1}}),
            "normalisation needs a floating-point dtype: expected float32 or float16, found uint8");
}

TEST(OutputFormat, WithAStandardDeviationOfZeroNamesTheChannel) {
  EXPECT_NE(message_for({DType::kFloat32, Layout::kNHWC, true, {0, 0, 0}, {1, 0, 1}})
                .find("standard deviation of channel 1"),
            std::string::npos);
}

}  // namespace
}  // namespace fastinet
