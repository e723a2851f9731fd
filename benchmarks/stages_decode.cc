// Decoding of training crops (torchvision's RandomResizedCrop) of the JPEG files named as arguments, per SIMD
// level: microseconds of CPU time an image for the whole decoder, its entropy decoder alone, and
// libjpeg-turbo's decoding of the same region.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include "image/dispatch.h"
#include "image/jpeg/baseline_decoder.h"
#include "image/jpeg/entropy_decoder.h"
#include "image/jpeg/scan.h"
#include "image/turbo_decoder.h"
#include "stopwatch.h"

namespace {

using namespace fastinet;

constexpr int kRepeats = 3;

struct Item {
  std::vector<uint8_t> file, entry_bytes;
  jpeg::Header header;
  jpeg::EntryPointView entries;
  JpegSurvey survey;
  Rect region;
};

// torchvision.transforms.RandomResizedCrop.get_params with its defaults.
Rect random_resized_crop(std::mt19937& random, Size image) {
  std::uniform_real_distribution<double> scale(0.08, 1.0), log_ratio(std::log(3.0 / 4), std::log(4.0 / 3));
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double area = scale(random) * image.height * image.width, ratio = std::exp(log_ratio(random));
    const int width = static_cast<int>(std::lround(std::sqrt(area * ratio)));
    const int height = static_cast<int>(std::lround(std::sqrt(area / ratio)));
    if (width < 1 || height < 1 || width > image.width || height > image.height) continue;
    return {std::uniform_int_distribution<int>(0, image.height - height)(random),
            std::uniform_int_distribution<int>(0, image.width - width)(random), height, width};
  }
  return {0, 0, image.height, image.width};
}

jpeg::McuWindow window_of(const Item& item) {
  const jpeg::Header& h = item.header;
  const Rect& r = item.region;
  return {r.top / h.mcu_height, (r.bottom() - 1) / h.mcu_height + 1, r.left / h.mcu_width,
          (r.right() - 1) / h.mcu_width + 1};
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<Item> items(static_cast<size_t>(argc - 1));
  std::mt19937 random(1);
  size_t count = 0;
  for (int i = 1; i < argc; ++i) {
    Item& item = items[count];
    std::ifstream in(argv[i], std::ios::binary);
    item.file.assign(std::istreambuf_iterator<char>(in), {});
    if (jpeg::parse_header(item.file, item.header) != jpeg::Unsuited::kNone) continue;
    item.entry_bytes = jpeg::make_entry_points(item.header, item.file);
    item.entries = jpeg::EntryPointView::open(item.entry_bytes, item.header, item.file.size());
    if (item.entries.empty()) continue;
    item.survey = survey_jpeg(item.file);
    item.region = random_resized_crop(random, item.header.size);
    ++count;
  }
  items.resize(count);
  if (items.empty()) {
    std::fprintf(stderr,
                 "usage: stages_decode FILE.jpg ...: no baseline JPEG files with entry points given\n");
    return 2;
  }
  jpeg::BaselineDecoder decoder;
  jpeg::EntropyDecoder entropy;
  TurboDecoder turbo;
  Planes planes;
  const auto report = [&](const char* level, const char* what, const auto& work) {
    const double best = best_seconds(kRepeats, [&] {
      for (const Item& item : items) work(item);
    });
    std::printf("%-10s %-28s %8.1f us / image\n", level, what,
                1e6 * best / static_cast<double>(items.size()));
  };
  std::printf("%zu images\n", items.size());
  report("-", "libjpeg-turbo, region",
         [&](const Item& item) { turbo.decode(item.file, item.survey, item.region, &planes); });
  report("-", "entropy decoder", [&](const Item& item) {
    entropy.begin(item.header, item.file, item.entries, window_of(item));
    while (entropy.next_row() == jpeg::Decoded::kRow) {
    }
  });
  for (const SimdLevel level : available_simd_levels()) {
    set_simd_level(level);
    report(simd_level_name(level), "whole decoder", [&](const Item& item) {
      decoder.decode(item.header, item.file, item.entries, item.region, planes);
    });
  }
}
