#include <memory>
#include <stdexcept>

#include "image/codec/turbo/decoder.h"
#include "image/image_decoder.h"
#include "image/pixel_pipeline.h"
#include "image/resample/resampler.h"
#include "simd/level.h"
#include "stage_formats.h"
#include "stages.h"

namespace fastinet {
namespace {

RgbImage no_foreign_decoder(const EncodedImage&) {
  throw std::logic_error("the fast path left a file that it took before");
}

}  // namespace

void add_whole(const WorkItems& items, Stopwatch& watch, StageRows& rows) {
  const double pixels = static_cast<double>(items.size()) * kSide * kSide;
  const auto row = [&](const std::string& stage, const std::string& by, std::function<void()> what) {
    const size_t timed = watch.add(std::move(what));
    rows.push_back({kWhole, stage, by, pixels, [&watch, timed] { return watch.seconds(timed); }});
  };
  for (const NamedFormat& named : kFormats) {
    const auto slots = std::make_shared<Slots>(named.format);
    for (const SimdLevel level : available_simd_levels()) {
      set_simd_level(level);
      const auto decoder = std::make_shared<ImageDecoder>(named.format, no_foreign_decoder);
      row(named.name, simd_level_name(level), [&items, decoder, slots, level] {
        set_simd_level(level);
        for (const WorkItem& item : items) {
          decoder->decode({item.file, item.entry_bytes}, item.geometry, slots->next());
        }
      });
    }
    const auto turbo = std::make_shared<TurboDecoder>();
    const auto stages = std::make_shared<PixelPipeline>(named.format);  // of the best level, the last one
    row(named.name, "libjpeg-turbo*", [&items, turbo, stages, slots] {
      Planes planes;
      for (const WorkItem& item : items) {
        turbo->decode(item.file, item.survey, source_region(item.geometry), &planes);
        stages->run(planes, item.geometry, {}, slots->next());
      }
    });
  }
}

}  // namespace fastinet
