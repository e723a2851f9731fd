#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <random>

#include "image/codec/turbo/decoder.h"
#include "jpeg_files.h"

namespace fastinet {
namespace {

using testing::decode_fully;
using testing::describe;
using testing::FullDecode;
using testing::JpegOptions;
using testing::make_jpeg;

constexpr int kWindowsPerFile = 12;

Rect random_window(Size size, std::mt19937& random) {
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<uint32_t>(n)); };
  const int height = 1 + below(size.height);
  const int width = 1 + below(random() % 3 == 0 ? std::min(size.width, 3) : size.width);
  return {below(size.height - height + 1), below(size.width - width + 1), height, width};
}

// Whether libjpeg-turbo's region equals that part of its full decode; a refusal is allowed where
// `may_refuse`.
void expect_windows_equal_full_decode(const JpegOptions& options, TurboDecoder& decoder) {
  SCOPED_TRACE(describe(options));
  const std::vector<uint8_t> file = make_jpeg(options);
  const FullDecode full = decode_fully(file);
  ASSERT_EQ(full.size, options.size);
  const JpegSurvey survey = survey_jpeg(file);
  ASSERT_EQ(survey.irregular, "");
  std::mt19937 random(options.seed);
  for (int i = 0; i < kWindowsPerFile; ++i) {
    const Rect window =
        i == 0 ? Rect{0, 0, options.size.height, options.size.width} : random_window(options.size, random);
    SCOPED_TRACE(::testing::Message() << "window " << window.top << " " << window.left << " " << window.height
                                      << " " << window.width);
    Planes planes;
    const char* refusal = decoder.decode(file, survey, window, &planes);
    ASSERT_EQ(refusal, nullptr) << refusal;
    ASSERT_EQ(planes.region, window);
    for (int y = 0; y < window.height; ++y) {
      for (int x = 0; x < window.width; ++x) {
        for (int c = 0; c < planes.channels && full.channels != 4; ++c) {
          const size_t at =
              (static_cast<size_t>(window.top + y) * full.size.width + window.left + x) * full.channels + c;
          ASSERT_EQ(planes.plane[c][y * planes.stride + x], full.samples[at])
              << "row " << y << " column " << x;
        }
      }
    }
  }
}

TEST(TurboDecoder, ARegionEqualsThatPartOfTheFullDecodeForEverySampling) {
  TurboDecoder decoder;
  const std::vector<std::pair<std::vector<int>, std::vector<int>>> samplings = {
      {{1, 1, 1, 1}, {1, 1, 1, 1}}, {{2, 1, 1, 2}, {1, 1, 1, 1}}, {{1, 1, 1, 1}, {2, 1, 1, 2}},
      {{2, 1, 1, 2}, {2, 1, 1, 2}}, {{4, 1, 1, 4}, {1, 1, 1, 1}}, {{1, 1, 1, 1}, {4, 1, 1, 4}},
      {{4, 1, 1, 4}, {2, 1, 1, 2}}, {{2, 2, 1, 2}, {2, 1, 2, 2}}, {{2, 1, 2, 2}, {1, 1, 1, 1}},
      {{1, 2, 1, 1}, {1, 2, 1, 1}}, {{2, 2, 2, 1}, {2, 1, 1, 1}}, {{3, 1, 1, 3}, {1, 1, 1, 1}},
      {{1, 2, 2, 1}, {2, 1, 1, 2}}, {{4, 2, 1, 4}, {1, 1, 1, 1}},
  };
  uint32_t seed = 1;
  for (const auto& [h, v] : samplings) {
    for (const Size size :
         {Size{1, 1}, Size{7, 33}, Size{33, 7}, Size{16, 16}, Size{67, 93}, Size{120, 161}}) {
      for (const bool progressive : {false, true}) {
        for (const int restart_rows : {0, 1}) {
          expect_windows_equal_full_decode({.size = size,
                                            .h = h,
                                            .v = v,
                                            .progressive = progressive,
                                            .restart_rows = restart_rows,
                                            .seed = seed++},
                                           decoder);
        }
      }
      expect_windows_equal_full_decode({.size = size, .h = h, .v = v, .interleaved = false, .seed = seed++},
                                       decoder);
    }
  }
}

TEST(TurboDecoder, ALackOfMemoryIsNoRefusal) {
  const auto file = make_jpeg({.size = {200, 300}, .progressive = true});
  TurboDecoder decoder;
  Planes planes;
  setenv("JPEGMEM", "1", 1);  // kilobytes that libjpeg-turbo may take
  EXPECT_THROW(decoder.decode(file, survey_jpeg(file), {0, 0, 200, 300}, &planes), std::bad_alloc);
  unsetenv("JPEGMEM");
  EXPECT_EQ(decoder.decode(file, survey_jpeg(file), {0, 0, 200, 300}, &planes), nullptr);
}

}  // namespace
}  // namespace fastinet
