// Resampling and the last write of 224 x 224 samples, per SIMD level and output format. The samples go to the
// slots of a whole batch, as in a loader, since a single slot would stay in the cache. Every crop has a size
// of its own, so that coefficient tables are computed for each.
#include <cstdint>
#include <cstdio>
#include <random>
#include <string_view>
#include <vector>

#include "image/dispatch.h"
#include "image/resample.h"
#include "stopwatch.h"

namespace {

using namespace fastinet;

constexpr int kSlots = 128;
constexpr int kSide = 224;
constexpr int kRepeats = 7;

struct Workload {
  const char* name;
  int height, width, spread;  // mean size of the crops, and how far they vary
};

constexpr Workload kWorkloads[] = {
    {"crop 300 x 270", 300, 270, 60},
    {"crop 150 x 140", 150, 140, 40},
    {"crop 1000 x 1100", 1000, 1100, 100},
};

struct Format {
  const char* name;
  OutputFormat format;
};

const Format kFormats[] = {
    {"uint8 NHWC", {DType::kUint8, Layout::kNHWC, false, {}, {}}},
    {"uint8 NCHW", {DType::kUint8, Layout::kNCHW, false, {}, {}}},
    {"float32 NCHW normalised",
     {DType::kFloat32, Layout::kNCHW, true, {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}}},
    {"float32 NHWC normalised",
     {DType::kFloat32, Layout::kNHWC, true, {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}}},
    {"float16 NCHW normalised",
     {DType::kFloat16, Layout::kNCHW, true, {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}}},
};

std::vector<Geometry> geometries(const Workload& w) {
  std::mt19937 random(1);
  std::uniform_int_distribution<int> vary(-w.spread, w.spread);
  std::vector<Geometry> result(kSlots);
  for (int i = 0; i < kSlots; ++i) {
    result[i].crop = {0, 0, w.height + vary(random), w.width + vary(random)};
    result[i].size = {kSide, kSide};
    result[i].view = {0, 0, kSide, kSide};
    result[i].flip = i % 2 == 1;
  }
  return result;
}

}  // namespace

// With an argument: only the workloads whose name begins with it.
int main(int argc, char** argv) {
  const std::string_view chosen = argc > 1 ? argv[1] : "";
  std::printf("%-18s %-26s %-10s %12s %16s %16s\n", "source", "output", "level", "us / sample",
              "ns / output px", "ns / source px");
  for (const Workload& w : kWorkloads) {
    if (!std::string_view(w.name).starts_with(chosen)) continue;
    const std::vector<Geometry> work = geometries(w);
    const Rect region{0, 0, w.height + w.spread, w.width + w.spread};
    Planes planes;
    planes.region = region;
    planes.stride = region.width + static_cast<ptrdiff_t>(Planes::kReadPadding);
    std::vector<uint8_t> pixels(planes.stride * region.height * 3);
    std::mt19937 random(2);
    for (uint8_t& p : pixels) p = static_cast<uint8_t>(random());
    for (int c = 0; c < 3; ++c) planes.plane[c] = &pixels[c * planes.stride * region.height];
    double source_pixels = 0;
    for (const Geometry& g : work) source_pixels += double(g.crop.height) * g.crop.width;

    for (const Format& f : kFormats) {
      const size_t slot = itemsize(f.format.dtype) * kSide * kSide * 3;
      std::vector<uint8_t> storage(slot * kSlots + 64);
      uint8_t* const batch = storage.data() + (64 - reinterpret_cast<uintptr_t>(storage.data()) % 64);
      for (SimdLevel level : available_simd_levels()) {
        set_simd_level(level);
        Resampler resampler(f.format);
        const double seconds = best_seconds(kRepeats, [&] {
          for (int i = 0; i < kSlots; ++i) resampler.run(planes, work[i], &batch[slot * i]);
        });
        std::printf("%-18s %-26s %-10s %12.1f %16.2f %16.2f\n", w.name, f.name, simd_level_name(level),
                    1e6 * seconds / kSlots, 1e9 * seconds / (kSlots * kSide * kSide),
                    1e9 * seconds / source_pixels);
      }
    }
  }
}
