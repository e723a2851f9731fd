// Operations on the uint8 sample between resampling and the last write.
#include "image/pixel_pipeline.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "image/image_decoder.h"
#include "image/jpeg_oracle.h"
#include "image/pixel_samples.h"
#include "simd/level.h"

namespace fastinet {
namespace {

constexpr DType kDTypes[] = {DType::kUint8, DType::kFloat16, DType::kFloat32};
constexpr Layout kLayouts[] = {Layout::kNCHW, Layout::kNHWC};

class Invert final : public PixelOperation {
 public:
  void check(const OperationParameters&) const override {}
  void apply(const RgbView& sample, const OperationParameters&, AlignedBuffer<uint8_t>&) const override {
    for (size_t i = 0; i < sample.bytes(); ++i)
      sample.pixels[i] = static_cast<uint8_t>(255 - sample.pixels[i]);
  }
};

// Adds parameters[c] to channel c, modulo 256.
class Add final : public PixelOperation {
 public:
  void check(const OperationParameters&) const override {}
  void apply(const RgbView& sample, const OperationParameters& parameters,
             AlignedBuffer<uint8_t>&) const override {
    for (size_t i = 0; i < sample.bytes(); ++i) {
      sample.pixels[i] = static_cast<uint8_t>(sample.pixels[i] + static_cast<int>(parameters[i % 3]));
    }
  }
};

// Every pixel becomes the one below and to the right of it: cannot be done from the end in place.
class Roll final : public PixelOperation {
 public:
  void check(const OperationParameters&) const override {}
  void apply(const RgbView& sample, const OperationParameters&,
             AlignedBuffer<uint8_t>& scratch) const override {
    uint8_t* const before = scratch.reserve(sample.bytes());
    std::memcpy(before, sample.pixels, sample.bytes());
    for (int y = 0; y < sample.size.height; ++y) {
      for (int x = 0; x < sample.size.width; ++x) {
        const size_t from =
            (y + 1) % sample.size.height * sample.row_bytes() + 3 * ((x + 1) % sample.size.width);
        std::memcpy(sample.row(y) + 3 * x, before + from, 3);
      }
    }
  }
};

using Pixels = std::vector<uint8_t>;  // interleaved

// What the format says of a pixel, in the plain words of torchvision.
Pixels written(const Pixels& sample, Size size, const OutputFormat& format) {
  Pixels out(sample.size() * itemsize(format.dtype));
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x) {
      for (int c = 0; c < 3; ++c) {
        const size_t from = (size_t(y) * size.width + x) * 3 + c;
        const size_t to =
            format.layout == Layout::kNHWC ? from : (size_t(c) * size.height + y) * size.width + x;
        float value = static_cast<float>(sample[from]) / 255.0f;
        if (format.normalize) value = (value - format.mean[c]) / format.std[c];
        const uint16_t half = half_from_float(value);
        if (format.dtype == DType::kUint8) out[to] = sample[from];
        if (format.dtype == DType::kFloat16) std::memcpy(&out[2 * to], &half, 2);
        if (format.dtype == DType::kFloat32) std::memcpy(&out[4 * to], &value, 4);
      }
    }
  }
  return out;
}

Pixels run(PixelPipeline& pipeline, const OutputFormat& format, const Planes& planes,
           const Geometry& geometry, std::span<const OperationCall> operations) {
  constexpr size_t kGuard = 128;
  const size_t bytes = sample_bytes(format, geometry);
  Pixels out(bytes + kGuard, 0x5A);
  pipeline.run(planes, geometry, operations, out.data());
  EXPECT_EQ(Pixels(out.begin() + bytes, out.end()), Pixels(kGuard, 0x5A));
  out.resize(bytes);
  return out;
}

Pixels resampled(const Planes& planes, const Geometry& geometry) {
  const OutputFormat uint8{DType::kUint8, Layout::kNHWC};
  PixelPipeline pipeline(uint8);
  return run(pipeline, uint8, planes, geometry, {});
}

class PipelineAtLevel : public AtSimdLevel {};

TEST_P(PipelineAtLevel, AnOperationSeesTheResampledPixelsAndItsResultIsWrittenInEveryFormat) {
  std::mt19937 random(1);
  const Invert invert;
  const std::vector<OperationCall> operations{{&invert}};
  for (const DType dtype : kDTypes) {
    for (const Layout layout : kLayouts) {
      const OutputFormat format = format_of(dtype, layout);
      PixelPipeline pipeline(format);
      for (int round = 0; round < 40; ++round) {
        const Geometry g = random_geometry(random);
        const RandomPlanes source(source_region(g), round % 4 == 0 ? 1 : 3, static_cast<uint32_t>(random()));
        Pixels sample = resampled(source.planes, g);
        for (uint8_t& p : sample) p = static_cast<uint8_t>(255 - p);
        ASSERT_EQ(run(pipeline, format, source.planes, g, operations),
                  written(sample, {g.view.height, g.view.width}, format))
            << "round " << round << ", view " << g.view.height << " x " << g.view.width;
      }
    }
  }
}

TEST_P(PipelineAtLevel, WithoutOperationsTheRowsAreWrittenAsTheyAreAndNothingIsBuffered) {
  std::mt19937 random(2);
  for (const DType dtype : kDTypes) {
    for (const Layout layout : kLayouts) {
      const OutputFormat format = format_of(dtype, layout);
      PixelPipeline pipeline(format);
      for (int round = 0; round < 20; ++round) {
        const Geometry g = random_geometry(random);
        const RandomPlanes source(source_region(g), 3, static_cast<uint32_t>(random()));
        ASSERT_EQ(run(pipeline, format, source.planes, g, {}),
                  written(resampled(source.planes, g), {g.view.height, g.view.width}, format));
      }
      EXPECT_EQ(pipeline.buffer_bytes(), 0u);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Simd, PipelineAtLevel, testing::ValuesIn(available_simd_levels()), level_name);

TEST(PixelPipeline, AppliesOperationsInOrderEachWithItsParameters) {
  const Geometry g{{0, 0, 50, 60}, {20, 30}, {0, 0, 20, 30}};
  const RandomPlanes source(source_region(g), 3, 5);
  const Invert invert;
  const Add add;
  const std::vector<OperationCall> operations{{&add, {1, 20, 200}}, {&invert}, {&add, {7, 0, 3}}};
  Pixels expected = resampled(source.planes, g);
  const int first[] = {1, 20, 200}, second[] = {7, 0, 3};
  for (size_t i = 0; i < expected.size(); ++i) {
    expected[i] =
        static_cast<uint8_t>(255 - static_cast<uint8_t>(expected[i] + first[i % 3]) + second[i % 3]);
  }
  const OutputFormat format{DType::kUint8, Layout::kNHWC};
  PixelPipeline pipeline(format);
  EXPECT_EQ(run(pipeline, format, source.planes, g, operations), expected);
}

TEST(PixelPipeline, AppliesOperationsToTheFlippedViewAndItsPadding) {
  // A view of 3 x 4 whose last row and first column lie outside of a resized crop of 2 x 3 of white.
  const Geometry g{{0, 0, 2, 3}, {2, 3}, {0, -1, 3, 4}, true};
  RandomPlanes source(source_region(g), 3, 1);
  for (auto& plane : source.samples) std::memset(plane.get(), 255, source.planes.stride * 2);
  const Invert invert;
  const std::vector<OperationCall> operations{{&invert}};
  const OutputFormat format{DType::kUint8, Layout::kNHWC};
  PixelPipeline pipeline(format);
  Pixels expected(3 * 4 * 3, 255);
  for (int y = 0; y < 2; ++y) std::memset(&expected[y * 4 * 3], 0, 3 * 3);
  EXPECT_EQ(run(pipeline, format, source.planes, g, operations), expected);
}

TEST(PixelPipeline, KeepsItsBuffersFromSampleToSampleAndMixesNothing) {
  std::mt19937 random(9);
  const Roll roll;
  const Invert invert;
  const OutputFormat format = format_of(DType::kFloat32, Layout::kNCHW);
  PixelPipeline used(format);
  size_t largest = 0;
  for (int round = 0; round < 40; ++round) {
    const Geometry g = random_geometry(random);
    const RandomPlanes source(source_region(g), 3, static_cast<uint32_t>(random()));
    std::vector<OperationCall> operations;
    if (round % 3 > 0) operations.push_back({&roll});
    if (round % 3 > 1) operations.push_back({&invert});
    PixelPipeline fresh(format);
    ASSERT_EQ(run(used, format, source.planes, g, operations),
              run(fresh, format, source.planes, g, operations))
        << "round " << round;
    if (!operations.empty()) largest = std::max(largest, size_t(g.view.height) * g.view.width * 3);
  }
  EXPECT_EQ(used.buffer_bytes(), largest);
}

TEST(PixelPipeline, OperationsOfTheDecoderRunOnWhatItDecodes) {
  const auto file = jpeg::oracle::encode(jpeg::oracle::make_picture(64, 48, 3, 1), {});
  const Geometry g{{4, 8, 40, 50}, {20, 25}, {0, 0, 20, 25}};
  ImageDecoder decoder({DType::kUint8, Layout::kNHWC}, nullptr);
  Pixels plain(20 * 25 * 3), inverted(plain.size());
  decoder.decode({.data = file, .entry_points = {}}, g, plain.data());
  const Invert invert;
  const std::vector<OperationCall> operations{{&invert}};
  decoder.decode({.data = file, .entry_points = {}}, g, inverted.data(), operations);
  for (uint8_t& p : plain) p = static_cast<uint8_t>(255 - p);
  EXPECT_EQ(inverted, plain);
}

}  // namespace
}  // namespace fastinet
