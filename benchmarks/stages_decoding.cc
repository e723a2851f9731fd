#include <algorithm>
#include <memory>

#include "base/aligned_buffer.h"
#include "image/codec/blocks/color.h"
#include "image/codec/blocks/idct.h"
#include "image/codec/blocks/upsample.h"
#include "image/codec/jpeg/baseline_decoder.h"
#include "image/codec/jpeg/scan.h"
#include "simd/level.h"
#include "stages.h"

namespace fastinet {
namespace {

using jpeg::kMaxComponents;

// Scratch that every measurement uses in turn.
struct Scratch {
  jpeg::Scanner scanner;
  jpeg::EntropyDecoder entropy;
  jpeg::BaselineDecoder decoder;
  Planes planes;
  AlignedBuffer<uint8_t> samples;  // rows as wide as the widest image, their padding included
  ptrdiff_t stride = 0;

  explicit Scratch(const WorkItems& items) {
    int width = 0;
    for (const WorkItem& item : items) width = std::max(width, item.header.size.width);
    stride = (width + 4 * static_cast<int>(jpeg::kRowPadding)) / 64 * 64;
    std::fill_n(samples.reserve(static_cast<size_t>(stride) * 16), stride * 16, uint8_t{128});
  }
  uint8_t* row(int y) { return samples.data() + y * stride + jpeg::kRowPadding; }
};

void parse(const WorkItems& items) {
  for (const WorkItem& item : items) {
    jpeg::Header header;
    jpeg::parse_header(item.file, header);
    jpeg::EntryPointView::open(item.entry_bytes, header, item.file.size());
  }
}

// Entropy decoding; with `transform`, the inverse DCT of every row too.
void decode_rows(const WorkItems& items, Scratch& scratch, jpeg::McuWindow (WorkItem::*window)() const,
                 bool transform) {
  for (const WorkItem& item : items) {
    scratch.entropy.begin(item.header, item.file, item.entries, (item.*window)());
    while (scratch.entropy.next_row() == jpeg::Decoded::kRow) {
      for (int c = 0; transform && c < item.header.components; ++c) {
        const jpeg::CoefficientRows& coefficients = scratch.entropy.rows(c);
        for (int j = 0; j < item.header.component[c].v; ++j) {
          jpeg::idct_row(coefficients.row[j], coefficients.blocks, item.header.component[c].quant.data(),
                         scratch.row(8 * j), scratch.stride);
        }
      }
    }
  }
}

// As baseline_decoder.cc calls it; the samples do not matter to the time that it takes.
void upsample(const WorkItems& items, Scratch& scratch) {
  for (const WorkItem& item : items) {
    for (int c = 0; c < item.header.components; ++c) {
      const jpeg::Component& component = item.header.component[c];
      const int across = item.header.mcu_width / (8 * component.h);
      const int down = item.header.mcu_height / (8 * component.v);
      const size_t count = static_cast<size_t>((item.header.size.width + across - 1) / across);
      for (int y = 0; y < item.header.size.height; ++y) {
        if (across == 2 && down == 2)
          jpeg::upsample_h2v2(scratch.row(0), scratch.row(1), count, scratch.row(2));
        if (across == 2 && down == 1) jpeg::upsample_h2v1(scratch.row(0), count, scratch.row(2));
        if (across == 1 && down == 2) {
          jpeg::upsample_h1v2(scratch.row(0), scratch.row(1), y % 2 != 0, count, scratch.row(2));
        }
      }
    }
  }
}

void convert_colour(const WorkItems& items, Scratch& scratch) {
  for (const WorkItem& item : items) {
    if (item.header.color != jpeg::ColorSpace::kYCbCr) continue;
    for (int y = 0; y < item.header.size.height; ++y) {
      jpeg::ycc_to_rgb(scratch.row(0), scratch.row(1), scratch.row(2),
                       static_cast<size_t>(item.header.size.width), scratch.row(3), scratch.row(4),
                       scratch.row(5));
    }
  }
}

void decode(const WorkItems& items, Scratch& scratch, bool whole) {
  for (const WorkItem& item : items) {
    const Rect all{0, 0, item.header.size.height, item.header.size.width};
    scratch.decoder.decode(item.header, item.file, item.entries, whole ? all : item.geometry.crop,
                           scratch.planes);
  }
}

}  // namespace

void add_our_decoding(const WorkItems& items, Stopwatch& watch, StageRows& rows) {
  const auto scratch = std::make_shared<Scratch>(items);
  double pixels = 0, crop_pixels = 0;
  for (const WorkItem& item : items) {
    pixels += item.pixels();
    crop_pixels += item.crop_pixels();
  }
  const auto row = [&](const char* work, const char* stage, const char* by, size_t timed,
                       size_t less = SIZE_MAX) {
    rows.push_back({work, stage, by, work == kWholeImages ? pixels : crop_pixels, [&watch, timed, less] {
                      return watch.seconds(timed) - (less == SIZE_MAX ? 0 : watch.seconds(less));
                    }});
  };

  const size_t header = watch.add([&items] { parse(items); });
  row(kWholeImages, "header", "any", header);
  const size_t scan = watch.add([&items, scratch] {
    for (const WorkItem& item : items) scratch->scanner.scan(item.header, item.file);
  });
  row(kWholeImages, "scan for entry points (at conversion)", "any", scan);
  const size_t entropy =
      watch.add([&items, scratch] { decode_rows(items, *scratch, &WorkItem::whole, false); });
  row(kWholeImages, "entropy decoding", "any", entropy);
  for (const SimdLevel level : available_simd_levels()) {
    const char* const by = simd_level_name(level);
    const auto at_level = [&](auto work) {
      return watch.add([level, work] {
        set_simd_level(level);
        work();
      });
    };
    const size_t samples =
        at_level([&items, scratch] { decode_rows(items, *scratch, &WorkItem::whole, true); });
    row(kWholeImages, "dequantise and inverse DCT", by, samples, entropy);
    row(kWholeImages, "upsampling", by, at_level([&items, scratch] { upsample(items, *scratch); }));
    row(kWholeImages, "colour conversion", by,
        at_level([&items, scratch] { convert_colour(items, *scratch); }));
    row(kWholeImages, "the whole decoder", by,
        at_level([&items, scratch] { decode(items, *scratch, true); }));
  }

  const size_t crop_entropy =
      watch.add([&items, scratch] { decode_rows(items, *scratch, &WorkItem::window, false); });
  row(kCrops, "entropy decoding", "any", crop_entropy);
  for (const SimdLevel level : available_simd_levels()) {
    const size_t crops = watch.add([&items, scratch, level] {
      set_simd_level(level);
      decode(items, *scratch, false);
    });
    row(kCrops, "all behind it: IDCT, upsampling, colour", simd_level_name(level), crops, crop_entropy);
    row(kCrops, "the whole decoder", simd_level_name(level), crops);
  }
}

}  // namespace fastinet
