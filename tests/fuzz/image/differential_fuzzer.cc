// Holds our decoder to libjpeg-turbo: the same pixels, or both refuse, or ours leaves the file alone.
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "choices.h"
#include "image/codec/jpeg/baseline_decoder.h"
#include "image/codec/jpeg/scan.h"
// clang-format off: jpeglib.h needs <cstdio> before it
#include <jerror.h>
#include <jpeglib.h>
// clang-format on

namespace {

using fastinet::Planes;
using fastinet::Rect;
using fastinet::jpeg::EntryPointView;
using fastinet::jpeg::Outcome;

constexpr int kMaxPixels = 1 << 16;

struct Oracle {
  jpeg_error_mgr errors;  // first, as libjpeg's callbacks get it
  std::jmp_buf escape;
  long warnings = 0;
  char last[JMSG_LENGTH_MAX] = {};  // warning
  std::vector<uint8_t> rgb;
};

// False: libjpeg-turbo refuses the file. Warnings are counted, as Pillow accepts what comes with them.
bool decode(Oracle& oracle, const uint8_t* data, size_t size) {
  jpeg_decompress_struct cinfo;
  cinfo.err = jpeg_std_error(&oracle.errors);
  oracle.errors.error_exit = [](j_common_ptr info) {
    std::longjmp(reinterpret_cast<Oracle*>(info->err)->escape, 1);
  };
  oracle.warnings = 0;
  oracle.errors.emit_message = [](j_common_ptr info, int level) {
    const int code = info->err->msg_code;
    // these two only comment on metadata
    if (level < 0 && code != JWRN_JFIF_MAJOR && code != JWRN_ADOBE_XFORM) {
      ++reinterpret_cast<Oracle*>(info->err)->warnings;
      info->err->format_message(info, reinterpret_cast<Oracle*>(info->err)->last);
    }
  };
  oracle.errors.output_message = [](j_common_ptr) {};
  jpeg_create_decompress(&cinfo);
  if (setjmp(oracle.escape)) {
    jpeg_destroy_decompress(&cinfo);
    return false;
  }
  jpeg_mem_src(&cinfo, data, size);
  jpeg_read_header(&cinfo, TRUE);
  cinfo.out_color_space = JCS_RGB;
  jpeg_start_decompress(&cinfo);
  oracle.rgb.resize(size_t{3} * cinfo.output_width * cinfo.output_height);
  while (cinfo.output_scanline < cinfo.output_height) {
    JSAMPROW row = oracle.rgb.data() + size_t{3} * cinfo.output_width * cinfo.output_scanline;
    jpeg_read_scanlines(&cinfo, &row, 1);
  }
  jpeg_destroy_decompress(&cinfo);
  return true;
}

[[noreturn]] void finding(const char* what, const Rect& r) {
  std::fprintf(stderr, "%s: region top %d, left %d, height %d, width %d\n", what, r.top, r.left, r.height,
               r.width);
  std::abort();
}

void expect_same(const Planes& planes, const Oracle& oracle, int image_width) {
  const Rect& r = planes.region;
  for (int y = 0; y < r.height; ++y) {
    const uint8_t* expected = oracle.rgb.data() + 3 * (static_cast<size_t>(r.top + y) * image_width + r.left);
    for (int x = 0; x < r.width; ++x) {
      for (int c = 0; c < 3; ++c) {
        if (planes.plane[c][y * planes.stride + x] != expected[3 * x + c]) finding("pixels differ", r);
      }
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static fastinet::jpeg::BaselineDecoder decoder;
  const fastinet::Bytes bytes(data, size);
  fastinet::jpeg::Header header;
  if (fastinet::jpeg::parse_header(bytes, header) != fastinet::jpeg::Unsuited::kNone) return 0;
  if (int64_t{header.size.height} * header.size.width > kMaxPixels) return 0;

  fastinet::fuzz::Choices choices(data, size);
  choices.simd_level();
  static Oracle oracle;
  const bool decoded = decode(oracle, data, size);
  const auto entry_bytes = fastinet::jpeg::make_entry_points(header, bytes);
  const auto entries = EntryPointView::open(entry_bytes, header, size);
  const Rect whole{0, 0, header.size.height, header.size.width};
  if (!entry_bytes.empty() && entries.empty()) finding("entry points that do not open", whole);
  if (!entries.empty() && (!decoded || oracle.warnings))
    finding("complete, but libjpeg-turbo objects", whole);
  for (int round = 0; round < 4; ++round) {
    const Rect region = round ? choices.rectangle(header.size) : whole;
    Planes planes;
    const EntryPointView none;
    const Outcome outcome = decoder.decode(header, bytes, round % 2 ? entries : none, region, planes);
    if (round % 2 && !entries.empty() && (outcome == Outcome::kMismatch || outcome == Outcome::kCorrupt)) {
      finding("our own entry points do not serve", region);
    }
    if (outcome != Outcome::kDecoded) continue;
    if (!decoded) finding("decoded what libjpeg-turbo refuses", region);
    expect_same(planes, oracle, header.size.width);
  }
  return 0;
}
