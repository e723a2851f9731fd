#include "jpeg_files.h"

#include <csetjmp>
#include <cstdlib>
#include <random>
#include <sstream>
// Jpeglib.h needs stdio before it.
// clang-format off
#include <cstdio>
#include <jpeglib.h>
// clang-format on

namespace fastinet::testing {
namespace {

std::vector<uint8_t> picture(const JpegOptions& o) {
  std::mt19937 random(o.seed);
  std::vector<uint8_t> pixels;
  pixels.reserve(static_cast<size_t>(o.size.height) * o.size.width * o.components);
  for (int y = 0; y < o.size.height; ++y) {
    for (int x = 0; x < o.size.width; ++x) {
      for (int c = 0; c < o.components; ++c) {
        const int gradient = (x * (c + 2) + y * (5 - c)) * 3;
        const int edge = (x / 5 + y / 7 + c) % 3 == 0 ? 120 : 0;
        pixels.push_back(static_cast<uint8_t>((gradient + edge + static_cast<int>(random() % 24)) & 0xFF));
      }
    }
  }
  return pixels;
}

struct Escape {
  jpeg_error_mgr base;
  std::jmp_buf buffer;
};

void escape(j_common_ptr cinfo) { std::longjmp(reinterpret_cast<Escape*>(cinfo->err)->buffer, 1); }

void escape_on_warning(j_common_ptr cinfo, int level) {
  if (level < 0) escape(cinfo);
}

}  // namespace

std::string describe(const JpegOptions& o) {
  std::ostringstream text;
  text << o.size.height << "x" << o.size.width;
  for (int c = 0; c < o.components; ++c) text << (c == 0 ? " " : ",") << o.h[c] << "x" << o.v[c];
  if (o.progressive) text << " progressive";
  if (!o.interleaved) text << " non-interleaved";
  if (o.restart_rows != 0) text << " restarts";
  return text.str();
}

std::vector<uint8_t> make_jpeg(const JpegOptions& o) {
  jpeg_compress_struct cinfo{};
  jpeg_error_mgr errors{};
  cinfo.err = jpeg_std_error(&errors);
  jpeg_create_compress(&cinfo);
  unsigned char* buffer = nullptr;
  unsigned long length = 0;
  jpeg_mem_dest(&cinfo, &buffer, &length);
  cinfo.image_height = static_cast<JDIMENSION>(o.size.height);
  cinfo.image_width = static_cast<JDIMENSION>(o.size.width);
  cinfo.input_components = o.components;
  cinfo.in_color_space = o.components == 1 ? JCS_GRAYSCALE : o.components == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_set_defaults(&cinfo);
  if (o.components == 4) jpeg_set_colorspace(&cinfo, JCS_YCCK);
  jpeg_set_quality(&cinfo, o.quality, TRUE);
  for (int c = 0; c < o.components; ++c) {
    cinfo.comp_info[c].h_samp_factor = o.h[c];
    cinfo.comp_info[c].v_samp_factor = o.v[c];
  }
  std::vector<jpeg_scan_info> scans;
  if (o.progressive) {
    jpeg_simple_progression(&cinfo);
  } else if (!o.interleaved) {
    for (int c = 0; c < o.components; ++c) scans.push_back({1, {c, 0, 0, 0}, 0, 63, 0, 0});
    cinfo.scan_info = scans.data();
    cinfo.num_scans = o.components;
  }
  cinfo.restart_in_rows = o.restart_rows;
  std::vector<uint8_t> pixels = picture(o);
  jpeg_start_compress(&cinfo, TRUE);
  while (cinfo.next_scanline < cinfo.image_height) {
    JSAMPROW row = pixels.data() + static_cast<size_t>(cinfo.next_scanline) * o.size.width * o.components;
    jpeg_write_scanlines(&cinfo, &row, 1);
  }
  jpeg_finish_compress(&cinfo);
  jpeg_destroy_compress(&cinfo);
  std::vector<uint8_t> file(buffer, buffer + length);
  std::free(buffer);
  return file;
}

FullDecode decode_fully(const std::vector<uint8_t>& file) {
  FullDecode result;
  jpeg_decompress_struct cinfo{};
  Escape errors{};
  cinfo.err = jpeg_std_error(&errors.base);
  errors.base.error_exit = escape;
  errors.base.emit_message = escape_on_warning;
  if (setjmp(errors.buffer) != 0) {
    jpeg_destroy_decompress(&cinfo);
    return {};
  }
  jpeg_create_decompress(&cinfo);
  jpeg_mem_src(&cinfo, file.data(), file.size());
  jpeg_read_header(&cinfo, TRUE);
  cinfo.out_color_space = cinfo.num_components == 1   ? JCS_GRAYSCALE
                          : cinfo.num_components == 3 ? JCS_RGB
                                                      : JCS_CMYK;
  jpeg_start_decompress(&cinfo);
  result.size = {static_cast<int>(cinfo.output_height), static_cast<int>(cinfo.output_width)};
  result.channels = cinfo.output_components;
  result.samples.resize(static_cast<size_t>(cinfo.output_height) * cinfo.output_width *
                        cinfo.output_components);
  while (cinfo.output_scanline < cinfo.output_height) {
    JSAMPROW row = result.samples.data() +
                   static_cast<size_t>(cinfo.output_scanline) * cinfo.output_width * cinfo.output_components;
    jpeg_read_scanlines(&cinfo, &row, 1);
  }
  jpeg_finish_decompress(&cinfo);
  jpeg_destroy_decompress(&cinfo);
  return result;
}

}  // namespace fastinet::testing
