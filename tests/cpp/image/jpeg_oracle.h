// libjpeg-turbo as the tests' oracle: makes JPEG files in memory and takes them apart at each stage.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "image/codec/jpeg/entropy_decoder.h"
#include "simd/level.h"

namespace fastinet::jpeg::oracle {

struct Picture {
  int width = 0, height = 0, channels = 3;  // interleaved
  std::vector<uint8_t> samples;
};

// Smooth shades, edges and noise: all that a coder finds hard.
Picture make_picture(int width, int height, int channels, uint32_t seed);

struct Encoding {
  int h = 1, v = 1;  // luma sampling factors; chroma is 1x1
  int quality = 90;
  int restart_interval = 0;  // in MCUs
  bool progressive = false;
  bool rgb = false;  // store the samples as they are
};
std::vector<uint8_t> encode(const Picture& picture, const Encoding& encoding);

// A gray file with these quantised coefficients, 64 a block in natural order, one row of blocks.
std::vector<uint8_t> encode_coefficients(const std::vector<int16_t>& coefficients, const uint16_t* quant);

enum class As { kNative, kYcc, kRgb };
Picture decode(const std::vector<uint8_t>& file, As as, int scale_denom = 1);

// One component before upsampling, as libjpeg-turbo's entropy decoder and IDCT leave it.
struct Plane {
  int width = 0, height = 0;  // of the samples that count ("downsampled" size)
  int blocks = 0;             // in a row
  int block_rows = 0;
  uint16_t quant[64] = {};
  struct alignas(64) Group {
    int16_t value[kGroupStride];
  };
  int groups_per_row = 0;
  std::vector<Group> groups;     // block row by block row
  std::vector<uint8_t> samples;  // 8 * block_rows rows of 8 * blocks
  int stride() const { return 8 * blocks; }
};
std::vector<Plane> take_apart(const std::vector<uint8_t>& file);

// Calls `check` with the name of each dispatch level that this machine can run, while that is the level in
// use.
template <class Check>
void at_every_level(const Check& check) {
  const SimdLevel before = simd_level();
  for (const SimdLevel level : available_simd_levels()) {
    set_simd_level(level);
    check(simd_level_name(level));
  }
  set_simd_level(before);
}

}  // namespace fastinet::jpeg::oracle
