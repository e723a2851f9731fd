// Planes, geometries and formats for the tests of the stages behind the decoder.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <string>

#include "image/geometry.h"
#include "image/output/format.h"
#include "image/planes.h"
#include "simd/level.h"

namespace fastinet {

// Random pixels of a region. The padding of the last row ends where its allocation does, so that the address
// sanitizer reports a read beyond it.
struct RandomPlanes {
  RandomPlanes(const Rect& region, int channels, uint32_t seed) {
    planes.region = region;
    planes.channels = channels;
    planes.stride = region.width + static_cast<ptrdiff_t>(Planes::kReadPadding);
    const size_t size = planes.stride * region.height;
    std::mt19937 random(seed);
    for (int c = 0; c < channels; ++c) {
      samples[c] = std::make_unique<uint8_t[]>(size);
      for (size_t i = 0; i < size; ++i) samples[c][i] = static_cast<uint8_t>(std::min(random() % 320, 255ul));
    }
    for (int c = 0; c < 3; ++c) planes.plane[c] = samples[c < channels ? c : 0].get();
  }
  std::unique_ptr<uint8_t[]> samples[3];
  Planes planes;
};

inline size_t sample_bytes(const OutputFormat& format, const Geometry& g) {
  return itemsize(format.dtype) * g.view.height * g.view.width * 3;
}

inline OutputFormat format_of(DType dtype, Layout layout) {
  OutputFormat format{
      dtype, layout, dtype != DType::kUint8, {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}};
  return format;
}

inline Geometry random_geometry(std::mt19937& random) {
  const auto up_to = [&](int n) { return 1 + static_cast<int>(random() % n); };
  Geometry g;
  g.crop = {up_to(20), up_to(20), up_to(random() % 8 == 0 ? 1500 : 180),
            up_to(random() % 8 == 0 ? 1500 : 180)};
  g.size = {random() % 6 == 0 ? g.crop.height : up_to(90), random() % 6 == 0 ? g.crop.width : up_to(140)};
  g.view = {0, 0, g.size.height, g.size.width};
  if (random() % 2 == 0) {
    g.view = {up_to(g.size.height + 8) - 5, up_to(g.size.width + 8) - 5, up_to(g.size.height),
              up_to(g.size.width)};
  }
  g.flip = random() % 2 == 0;
  g.interpolation = random() % 2 == 0 ? Interpolation::kBilinear : Interpolation::kBicubic;
  return g;
}

// Runs a test at each SIMD level that this machine has, which is the test's parameter.
class AtSimdLevel : public testing::TestWithParam<SimdLevel> {
 protected:
  void SetUp() override { set_simd_level(GetParam()); }
  void TearDown() override { set_simd_level(available_simd_levels().back()); }
};

inline std::string level_name(const testing::TestParamInfo<SimdLevel>& info) {
  return simd_level_name(info.param);
}

}  // namespace fastinet
