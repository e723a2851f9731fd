#include <cstdio>  // before jpeglib.h, which needs size_t and FILE
// jpeglib.h includes nothing itself.
#include <jpeglib.h>

#include <algorithm>
#include <memory>

#include "image/codec/turbo/decoder.h"
#include "stages.h"

namespace fastinet {
namespace {

constexpr const char* kName = "libjpeg-turbo";

enum class Until { kHeader, kCoefficients, kSamples, kYCbCr, kRgb };

// libjpeg's default error handler ends the program, which is right for files that were decoded before.
class Decompressor {
 public:
  Decompressor() {
    info_.err = jpeg_std_error(&error_);
    jpeg_create_decompress(&info_);
  }
  ~Decompressor() { jpeg_destroy_decompress(&info_); }
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;

  void run(const WorkItem& item, Until until) {
    jpeg_mem_src(&info_, item.file.data(), item.file.size());
    jpeg_read_header(&info_, TRUE);
    switch (until) {
      case Until::kHeader:
        break;
      case Until::kCoefficients:
        jpeg_read_coefficients(&info_);
        break;
      case Until::kSamples:
        read_samples();
        break;
      case Until::kYCbCr:
        read_rows(info_.jpeg_color_space == JCS_YCbCr ? JCS_YCbCr : info_.jpeg_color_space);
        break;
      case Until::kRgb:
        read_rows(info_.jpeg_color_space == JCS_GRAYSCALE ? JCS_GRAYSCALE : JCS_RGB);
        break;
    }
    jpeg_abort_decompress(&info_);
  }

 private:
  // Components as the inverse DCT leaves them, an MCU row at a time.
  void read_samples() {
    info_.raw_data_out = TRUE;
    info_.do_fancy_upsampling = FALSE;  // raw data are not upsampled
    jpeg_start_decompress(&info_);
    JSAMPROW rows[MAX_COMPONENTS][2 * DCTSIZE];
    JSAMPARRAY planes[MAX_COMPONENTS];
    size_t used = 0;
    for (int c = 0; c < info_.num_components; ++c) {
      const size_t stride = info_.comp_info[c].width_in_blocks * DCTSIZE + 2 * DCTSIZE;
      const int height = info_.comp_info[c].v_samp_factor * DCTSIZE;
      if (memory_.size() < used + stride * height) memory_.resize(2 * (used + stride * height));
      used += stride * height;
    }
    used = 0;
    for (int c = 0; c < info_.num_components; ++c) {
      const size_t stride = info_.comp_info[c].width_in_blocks * DCTSIZE + 2 * DCTSIZE;
      for (int y = 0; y < info_.comp_info[c].v_samp_factor * DCTSIZE; ++y, used += stride) {
        rows[c][y] = &memory_[used];
      }
      planes[c] = rows[c];
    }
    const auto height = static_cast<JDIMENSION>(info_.max_v_samp_factor * DCTSIZE);
    while (info_.output_scanline < info_.output_height) jpeg_read_raw_data(&info_, planes, height);
  }

  void read_rows(J_COLOR_SPACE space) {
    info_.out_color_space = space;
    jpeg_start_decompress(&info_);
    memory_.resize(std::max<size_t>(memory_.size(), info_.output_width * size_t{4}));
    JSAMPROW row = memory_.data();
    while (info_.output_scanline < info_.output_height) jpeg_read_scanlines(&info_, &row, 1);
  }

  jpeg_error_mgr error_{};
  jpeg_decompress_struct info_{};
  std::vector<uint8_t> memory_;
};

}  // namespace

void add_turbo_decoding(const WorkItems& items, Stopwatch& watch, StageRows& rows) {
  const auto decompressor = std::make_shared<Decompressor>();
  double pixels = 0, crop_pixels = 0;
  for (const WorkItem& item : items) {
    pixels += item.pixels();
    crop_pixels += item.crop_pixels();
  }
  const auto until = [&](Until stage) {
    return watch.add([&items, decompressor, stage] {
      for (const WorkItem& item : items) decompressor->run(item, stage);
    });
  };
  const auto row = [&](const char* stage, size_t timed, size_t less = SIZE_MAX) {
    rows.push_back({kWholeImages, stage, kName, pixels, [&watch, timed, less] {
                      return watch.seconds(timed) - (less == SIZE_MAX ? 0 : watch.seconds(less));
                    }});
  };
  const size_t header = until(Until::kHeader), coefficients = until(Until::kCoefficients),
               samples = until(Until::kSamples), ycbcr = until(Until::kYCbCr), rgb = until(Until::kRgb);
  row("header", header);
  row("entropy decoding", coefficients, header);
  row("dequantise and inverse DCT", samples, coefficients);
  row("upsampling", ycbcr, samples);
  row("colour conversion", rgb, ycbcr);
  row("the whole decoder", rgb);

  const auto turbo = std::make_shared<TurboDecoder>();
  const size_t crops = watch.add([&items, turbo] {
    Planes planes;
    for (const WorkItem& item : items) turbo->decode(item.file, item.survey, item.geometry.crop, &planes);
  });
  rows.push_back({kCrops, "the whole decoder, only the region", kName, crop_pixels,
                  [&watch, crops] { return watch.seconds(crops); }});
}

}  // namespace fastinet
