#include "image/jpeg_oracle.h"

#include <jpeglib.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

namespace fastinet::jpeg::oracle {
namespace {

struct ErrorManager : jpeg_error_mgr {
  ErrorManager() {
    jpeg_std_error(this);
    error_exit = [](j_common_ptr info) {
      char text[JMSG_LENGTH_MAX];
      info->err->format_message(info, text);
      throw std::runtime_error(text);
    };
    output_message = [](j_common_ptr) {};
  }
};

struct Compressor : jpeg_compress_struct {
  Compressor() {
    err = &errors;
    jpeg_create_compress(this);
    jpeg_mem_dest(this, &buffer, &size);
  }
  ~Compressor() {
    jpeg_destroy_compress(this);
    std::free(buffer);
  }
  std::vector<uint8_t> bytes() const { return {buffer, buffer + size}; }
  ErrorManager errors;
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
};

struct Decompressor : jpeg_decompress_struct {
  explicit Decompressor(const std::vector<uint8_t>& file) {
    err = &errors;
    jpeg_create_decompress(this);
    jpeg_mem_src(this, file.data(), file.size());
    jpeg_read_header(this, TRUE);
  }
  ~Decompressor() { jpeg_destroy_decompress(this); }
  ErrorManager errors;
};

void read_coefficients(const std::vector<uint8_t>& file, std::vector<Plane>& planes) {
  Decompressor d(file);
  jvirt_barray_ptr* arrays = jpeg_read_coefficients(&d);
  for (int c = 0; c < d.num_components; ++c) {
    Plane& plane = planes[c];
    plane.groups_per_row = (plane.blocks + kBlocksPerGroup - 1) / kBlocksPerGroup;
    plane.groups.assign(static_cast<size_t>(plane.groups_per_row) * plane.block_rows, {});
    for (int k = 0; k < 64; ++k) plane.quant[k] = d.comp_info[c].quant_table->quantval[k];
    for (int row = 0; row < plane.block_rows; ++row) {
      JBLOCKARRAY blocks =
          d.mem->access_virt_barray(reinterpret_cast<j_common_ptr>(&d), arrays[c], row, 1, FALSE);
      for (int b = 0; b < plane.blocks; ++b) {
        int16_t* group = plane.groups[row * plane.groups_per_row + b / kBlocksPerGroup].value;
        for (int k = 0; k < 64; ++k) {
          group[k / 8 * 8 * kBlocksPerGroup + b % kBlocksPerGroup * 8 + k % 8] = blocks[0][b][k];
        }
      }
    }
  }
  jpeg_finish_decompress(&d);
}

void read_samples(const std::vector<uint8_t>& file, std::vector<Plane>& planes) {
  Decompressor d(file);
  d.raw_data_out = TRUE;
  d.dct_method = JDCT_ISLOW;
  jpeg_start_decompress(&d);
  std::vector<std::vector<uint8_t>> band(planes.size());
  std::vector<std::vector<JSAMPROW>> rows(planes.size());
  std::vector<JSAMPARRAY> arrays(planes.size());
  for (int c = 0; c < d.num_components; ++c) {
    const int height = 8 * d.comp_info[c].v_samp_factor;
    // libjpeg writes whole MCUs
    const size_t stride = (planes[c].blocks + d.comp_info[c].h_samp_factor) * size_t{8};
    band[c].resize(stride * height);
    for (int y = 0; y < height; ++y) rows[c].push_back(band[c].data() + y * stride);
    arrays[c] = rows[c].data();
  }
  while (d.output_scanline < d.output_height) {
    jpeg_read_raw_data(&d, arrays.data(), 8 * d.max_v_samp_factor);
    for (size_t c = 0; c < planes.size(); ++c) {
      for (const JSAMPROW row : rows[c]) {
        planes[c].samples.insert(planes[c].samples.end(), row, row + planes[c].stride());
      }
    }
  }
  jpeg_finish_decompress(&d);
}

}  // namespace

Picture make_picture(int width, int height, int channels, uint32_t seed) {
  std::mt19937 random(seed);
  Picture picture{width, height, channels, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < channels; ++c) {
        double value = 128 + 90 * std::sin((x * (c + 1) + y * 0.7) / 23) + 40 * std::cos(y * (3 - c) / 11.0);
        if ((x / 13 + y / 9 + c) % 5 == 0) value = 255 - value;
        value += static_cast<double>(random() % 41) - 20;
        picture.samples.push_back(static_cast<uint8_t>(std::min(255.0, std::max(0.0, value))));
      }
    }
  }
  return picture;
}

std::vector<uint8_t> encode(const Picture& picture, const Encoding& encoding) {
  Compressor c;
  c.image_width = picture.width;
  c.image_height = picture.height;
  c.input_components = picture.channels;
  c.in_color_space = picture.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&c);
  if (encoding.rgb) jpeg_set_colorspace(&c, JCS_RGB);
  jpeg_set_quality(&c, encoding.quality, TRUE);
  c.comp_info[0].h_samp_factor = encoding.h;
  c.comp_info[0].v_samp_factor = encoding.v;
  c.restart_interval = encoding.restart_interval;
  if (encoding.progressive) jpeg_simple_progression(&c);
  jpeg_start_compress(&c, TRUE);
  while (c.next_scanline < c.image_height) {
    JSAMPROW row = const_cast<JSAMPROW>(picture.samples.data()) +
                   static_cast<size_t>(c.next_scanline) * picture.width * picture.channels;
    jpeg_write_scanlines(&c, &row, 1);
  }
  jpeg_finish_compress(&c);
  return c.bytes();
}

std::vector<uint8_t> encode_coefficients(const std::vector<int16_t>& coefficients, const uint16_t* quant) {
  Compressor c;
  c.image_width = static_cast<JDIMENSION>(coefficients.size() / 8);
  c.image_height = 8;
  c.input_components = 1;
  c.in_color_space = JCS_GRAYSCALE;
  jpeg_set_defaults(&c);
  unsigned table[64];
  for (int k = 0; k < 64; ++k) table[k] = quant[k];
  jpeg_add_quant_table(&c, 0, table, 100, FALSE);
  c.optimize_coding = TRUE;
  const JDIMENSION blocks = static_cast<JDIMENSION>(coefficients.size() / 64);
  jvirt_barray_ptr array =
      c.mem->request_virt_barray(reinterpret_cast<j_common_ptr>(&c), JPOOL_IMAGE, TRUE, blocks, 1, 1);
  jpeg_write_coefficients(&c, &array);
  JBLOCKARRAY rows = c.mem->access_virt_barray(reinterpret_cast<j_common_ptr>(&c), array, 0, 1, TRUE);
  for (size_t i = 0; i < coefficients.size(); ++i) rows[0][i / 64][i % 64] = coefficients[i];
  jpeg_finish_compress(&c);
  return c.bytes();
}

Picture decode(const std::vector<uint8_t>& file, As as, int scale_denom) {
  Decompressor d(file);
  d.scale_denom = static_cast<unsigned>(scale_denom);
  if (as == As::kYcc) d.out_color_space = JCS_YCbCr;
  if (as == As::kRgb) d.out_color_space = JCS_RGB;
  d.dct_method = JDCT_ISLOW;
  jpeg_start_decompress(&d);
  Picture picture{
      static_cast<int>(d.output_width), static_cast<int>(d.output_height), d.output_components, {}};
  const size_t stride = static_cast<size_t>(picture.width) * picture.channels;
  picture.samples.resize(stride * picture.height);
  while (d.output_scanline < d.output_height) {
    JSAMPROW row = picture.samples.data() + stride * d.output_scanline;
    jpeg_read_scanlines(&d, &row, 1);
  }
  jpeg_finish_decompress(&d);
  return picture;
}

std::vector<Plane> take_apart(const std::vector<uint8_t>& file) {
  std::vector<Plane> planes;
  {
    Decompressor d(file);
    jpeg_start_decompress(&d);
    for (int c = 0; c < d.num_components; ++c) {
      const jpeg_component_info& info = d.comp_info[c];
      Plane plane;
      plane.width = static_cast<int>(info.downsampled_width);
      plane.height = static_cast<int>(info.downsampled_height);
      plane.blocks = static_cast<int>(info.width_in_blocks);
      plane.block_rows = static_cast<int>(info.height_in_blocks);
      planes.push_back(plane);
    }
    jpeg_abort_decompress(&d);
  }
  read_coefficients(file, planes);
  read_samples(file, planes);
  return planes;
}

}  // namespace fastinet::jpeg::oracle
