#include <algorithm>
#include <memory>
#include <random>

#include "image/output/writer.h"
#include "image/resample/coefficients.h"
#include "image/resample/kernels.h"
#include "simd/level.h"
#include "stage_formats.h"
#include "stages.h"

namespace fastinet {
namespace {

constexpr int kBatchRows = 16;  // as resampler.cc takes them

// Pixels to work on, as they lie behind the decoder: three planes. Their values do not matter to the time.
struct Source {
  std::vector<uint8_t> pixels;
  ptrdiff_t stride = 0;
  std::vector<uint8_t> narrow;  // the crop between the two passes: channels side by side
  ptrdiff_t narrow_stride = 3 * kSide + kRowPadding;

  explicit Source(const WorkItems& items) {
    Size most;
    for (const WorkItem& item : items) {
      most = {std::max(most.height, item.geometry.crop.height),
              std::max(most.width, item.geometry.crop.width)};
    }
    stride = most.width + kRowPadding;
    pixels.resize(stride * most.height * 3 + kRowPadding);
    std::mt19937 random(2);
    for (uint8_t& p : pixels) p = static_cast<uint8_t>(random());
    narrow.assign(pixels.begin(), pixels.begin() + std::min<ptrdiff_t>(pixels.size(), kRowPadding));
    narrow.resize(narrow_stride * (most.height + kBatchRows) + kRowPadding, 128);
  }
};

// One pass over every item, kernel by kernel.
struct Passes {
  explicit Passes(const ResampleKernels& set) : kernels(&set) {}

  const ResampleKernels* kernels;
  Coefficients coefficients;
  PackedCoefficients packed;
  std::vector<const uint8_t*> taps;
  AlignedBuffer<uint8_t> out;

  void prepare_columns(const WorkItem& item) {
    compute_coefficients(
        {.in = item.geometry.crop.width, .out = kSide, .last = kSide, .reversed = item.geometry.flip},
        &coefficients);
    kernels->pack_horizontal(coefficients, &packed);
  }

  void prepare_rows(const WorkItem& item) {
    compute_coefficients({.in = item.geometry.crop.height, .out = kSide, .last = kSide}, &coefficients);
    kernels->pack_vertical(coefficients, &packed);
  }

  void columns(const WorkItem& item, const Source& source) {
    prepare_columns(item);
    const ptrdiff_t stride = 3 * kSide + kRowPadding;
    uint8_t* const to = out.reserve(stride * kBatchRows + kRowPadding);
    const int height = item.geometry.crop.height;
    for (int y = 0; y < height; y += kBatchRows) {
      for (int c = 0; c < 3; ++c) {
        kernels->horizontal(packed, &source.pixels[(c * height + y) * source.stride], source.stride,
                            std::min(kBatchRows, height - y), to + c * kSide, stride);
      }
    }
  }

  void rows(const WorkItem& item, const Source& source) {
    prepare_rows(item);
    uint8_t* const to = out.reserve(3 * kSide + kRowPadding);
    for (int y = 0; y < kSide; ++y) {
      const int begin = coefficients.begin[y], last = coefficients.count[y] - 1;
      taps.resize(coefficients.stride + kRowsBeyond);
      for (int k = 0; k < static_cast<int>(taps.size()); ++k) {
        taps[k] = &source.narrow[(begin + std::min(k, last)) * source.narrow_stride];
      }
      kernels->vertical(packed, y, taps.data(), 3 * kSide, to);
    }
  }
};

void write(OutputWriter& writer, const Source& source, size_t images, Slots& slots) {
  for (size_t i = 0; i < images; ++i) {
    writer.start({kSide, kSide}, slots.next());
    for (int y = 0; y < kSide; ++y) {
      const uint8_t* row = &source.narrow[y % kBatchRows * source.narrow_stride];
      writer.write_row(y, {row, row + kSide, row + 2 * kSide});
    }
    writer.finish();
  }
}

}  // namespace

void add_resampling(const WorkItems& items, Stopwatch& watch, StageRows& rows) {
  const auto source = std::make_shared<Source>(items);
  double crop_pixels = 0;
  for (const WorkItem& item : items) crop_pixels += item.crop_pixels();
  const double sample_pixels = static_cast<double>(items.size()) * kSide * kSide;
  const auto row = [&](const char* work, const std::string& stage, SimdLevel level, double pixels,
                       std::function<void()> what) {
    const size_t timed = watch.add(std::move(what));
    rows.push_back(
        {work, stage, simd_level_name(level), pixels, [&watch, timed] { return watch.seconds(timed); }});
  };
  for (const SimdLevel level : available_simd_levels()) {
    set_simd_level(level);
    const auto passes = std::make_shared<Passes>(resample_kernels());
    row(kResampling, "coefficients of both passes", level, crop_pixels, [&items, passes] {
      for (const WorkItem& item : items) passes->prepare_columns(item), passes->prepare_rows(item);
    });
    row(kResampling, "horizontal pass, its coefficients included", level, crop_pixels,
        [&items, passes, source] {
          for (const WorkItem& item : items) passes->columns(item, *source);
        });
    row(kResampling, "vertical pass, its coefficients included", level, crop_pixels,
        [&items, passes, source] {
          for (const WorkItem& item : items) passes->rows(item, *source);
        });
  }
  for (const NamedFormat& named : kFormats) {
    for (const SimdLevel level : available_simd_levels()) {
      set_simd_level(level);
      const auto writer = std::make_shared<OutputWriter>(named.format);
      const auto slots = std::make_shared<Slots>(named.format);
      row(kOutput, named.name, level, sample_pixels,
          [&items, writer, source, slots] { write(*writer, *source, items.size(), *slots); });
    }
  }
}

}  // namespace fastinet
