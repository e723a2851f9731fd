#include "image/codec/turbo/decoder.h"

#include <algorithm>
#include <csetjmp>
#include <new>
// Jpeglib.h needs stdio before it, jerror.h needs jpeglib.h.
// clang-format off
#include <cstdio>
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include "image/codec/interleaved.h"

namespace fastinet {
namespace {

// Fancy upsampling looks one chroma sample beyond the region, and libjpeg-turbo treats the edge of a cropped
// row as the edge of the image.
constexpr int kContextColumns = 2;

// With fewer columns jpeg_crop_scanline may choose the upsamplers anew, and then none that is fancy.
constexpr int kLeastColumns = 8;

// First member as libjpeg's error callbacks get it.
struct ErrorManager {
  jpeg_error_mgr base;
  std::jmp_buf escape;
  const char* reason = nullptr;
  bool out_of_memory = false;
};

[[noreturn]] void give_up(j_common_ptr cinfo, const char* reason) {
  auto* errors = reinterpret_cast<ErrorManager*>(cinfo->err);
  errors->reason = reason;
  std::longjmp(errors->escape, 1);
}

// Memory that the system refuses, or that the environment's JPEGMEM does.
bool is_out_of_memory(int code) {
  return code == JERR_OUT_OF_MEMORY || code == JERR_NO_BACKING_STORE || code == JERR_TFILE_CREATE;
}

void on_error(j_common_ptr cinfo) {
  reinterpret_cast<ErrorManager*>(cinfo->err)->out_of_memory = is_out_of_memory(cinfo->err->msg_code);
  give_up(cinfo, "libjpeg-turbo reports an error");
}

// Level -1 is a warning; others are traces. Pixels behind a warning are a matter of the library's version,
// but for two that only comment on metadata.
void on_message(j_common_ptr cinfo, int level) {
  const int code = cinfo->err->msg_code;
  if (level < 0 && code != JWRN_JFIF_MAJOR && code != JWRN_ADOBE_XFORM) {
    give_up(cinfo, "libjpeg-turbo reports a warning");
  }
}

void no_output(j_common_ptr) {}
void no_source_action(j_decompress_ptr) {}

boolean on_data_end(j_decompress_ptr cinfo) {
  give_up(reinterpret_cast<j_common_ptr>(cinfo), "the data end too early");
}

void skip_data(j_decompress_ptr cinfo, long count) {
  if (count <= 0) return;
  if (static_cast<size_t>(count) > cinfo->src->bytes_in_buffer) on_data_end(cinfo);
  cinfo->src->next_input_byte += count;
  cinfo->src->bytes_in_buffer -= static_cast<size_t>(count);
}

// libjpeg-turbo's state for one image. It starts anew for each: tables of another image must not serve this
// one where its own are missing.
struct Session {
  jpeg_decompress_struct cinfo;
  ErrorManager errors;
  jpeg_source_mgr source;
  Rect region;
  uint8_t* row;     // one interleaved row
  uint8_t* planes;  // one plane after the other
  ptrdiff_t stride;
  ptrdiff_t plane_bytes;
};

// Whether every coefficient of a progressive file arrived in full; libjpeg-turbo smooths the blocks of those
// that did not, each version in its own way.
bool all_scans_present(const jpeg_decompress_struct& cinfo) {
  if (cinfo.coef_bits == nullptr) return true;
  for (int c = 0; c < cinfo.num_components; ++c) {
    for (int i = 0; i < DCTSIZE2; ++i) {
      if (cinfo.coef_bits[c][i] != 0) return false;
    }
  }
  return true;
}

// Decodes the rows of the region. Nothing here has a destructor: errors leave by longjmp.
void decode_rows(Session& s) {
  jpeg_decompress_struct& cinfo = s.cinfo;
  jpeg_start_decompress(&cinfo);
  if (cinfo.progressive_mode && !all_scans_present(cinfo)) {
    give_up(reinterpret_cast<j_common_ptr>(&cinfo), "the progressive scans are incomplete");
  }
  const int image_width = static_cast<int>(cinfo.output_width);
  int begin = std::max(0, s.region.left - kContextColumns);
  int end = std::min(image_width, s.region.right() + kContextColumns);
  begin = std::max(0, std::min(begin, end - kLeastColumns));
  end = std::min(image_width, std::max(end, begin + kLeastColumns));
  JDIMENSION left = static_cast<JDIMENSION>(begin);
  JDIMENSION width = static_cast<JDIMENSION>(end - begin);
  if (width < cinfo.output_width) {
    jpeg_crop_scanline(&cinfo, &left, &width);
  } else {
    left = 0;
  }
  if (s.region.top > 0) jpeg_skip_scanlines(&cinfo, static_cast<JDIMENSION>(s.region.top));

  const int channels = cinfo.output_components;
  const uint8_t* const first = s.row + (s.region.left - static_cast<int>(left)) * channels;
  for (int y = 0; y < s.region.height; ++y) {
    JSAMPROW rows[1] = {s.row};
    jpeg_read_scanlines(&cinfo, rows, 1);
    uint8_t* const out = s.planes + y * s.stride;
    const size_t count = static_cast<size_t>(s.region.width);
    switch (channels) {
      case 1:
        std::copy_n(first, count, out);
        break;
      case 3:
        split_rgb(first, count, out, out + s.plane_bytes, out + 2 * s.plane_bytes);
        break;
      default:
        split_inverted_cmyk(first, count, out, out + s.plane_bytes, out + 2 * s.plane_bytes);
    }
  }
}

}  // namespace

const char* TurboDecoder::decode(std::span<const uint8_t> data, const JpegSurvey& survey, const Rect& region,
                                 Planes* planes, int scale) {
  if (survey.single_scan && !ends_with_eoi(data, survey)) {
    return "the scan does not end with EOI";
  }
  const int channels = survey.components == 1 ? 1 : 3;
  Session s{};
  s.region = region;
  s.stride = region.width + static_cast<ptrdiff_t>(Planes::kReadPadding);
  s.plane_bytes = s.stride * region.height;
  planes_.resize(static_cast<size_t>(s.plane_bytes * channels));
  row_.resize(static_cast<size_t>(survey.size.width) * 4);
  s.planes = planes_.data();
  s.row = row_.data();

  s.cinfo.err = jpeg_std_error(&s.errors.base);
  s.errors.base.error_exit = on_error;
  s.errors.base.emit_message = on_message;
  s.errors.base.output_message = no_output;
  s.source.init_source = no_source_action;
  s.source.fill_input_buffer = on_data_end;
  s.source.skip_input_data = skip_data;
  s.source.resync_to_restart = jpeg_resync_to_restart;
  s.source.term_source = no_source_action;
  s.source.next_input_byte = data.data();
  s.source.bytes_in_buffer = data.size();
  if (setjmp(s.errors.escape) == 0) {
    jpeg_create_decompress(&s.cinfo);
    s.cinfo.src = &s.source;
    jpeg_read_header(&s.cinfo, TRUE);
    if (s.cinfo.image_width != static_cast<JDIMENSION>(survey.size.width) ||
        s.cinfo.image_height != static_cast<JDIMENSION>(survey.size.height) ||
        s.cinfo.num_components != survey.components) {
      give_up(reinterpret_cast<j_common_ptr>(&s.cinfo), "the header was changed while it was read");
    }
    s.cinfo.out_color_space = survey.components == 1   ? JCS_GRAYSCALE
                              : survey.components == 3 ? JCS_RGB
                                                       : JCS_CMYK;
    s.cinfo.scale_denom = static_cast<unsigned>(scale);
    decode_rows(s);
  }
  jpeg_destroy_decompress(&s.cinfo);
  if (s.errors.out_of_memory) throw std::bad_alloc();
  if (s.errors.reason != nullptr) return s.errors.reason;

  planes->channels = channels;
  planes->region = region;
  planes->scale = scale;
  planes->stride = s.stride;
  for (int c = 0; c < 3; ++c) planes->plane[c] = s.planes + (channels == 3 ? c * s.plane_bytes : 0);
  return nullptr;
}

}  // namespace fastinet
