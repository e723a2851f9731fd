// The last write: rows of pixels become rows of a sample in the dtype and layout of the batch.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/aligned_buffer.h"
#include "image/geometry.h"
#include "image/output/format.h"
#include "image/output/kernels.h"
#include "image/planes.h"

namespace fastinet {

// For one thread; reused from sample to sample.
class OutputWriter {
 public:
  // Throws Error{kArgument} for a mean or standard deviation that is not finite, a standard deviation of
  // zero, or a normalisation to uint8.
  explicit OutputWriter(const OutputFormat& format);

  // Begins a sample of `size` at `out`, which must have room for it: the following rows belong to it.
  void start(Size size, void* out);

  // Writes row y of the sample.
  void write_row(int y, const RgbRow& row);

  // The same for a row of interleaved pixels: r0 g0 b0 r1 g1 b1 ...
  void write_interleaved_row(int y, const uint8_t* rgb);

  // Completes the sample. REQUIRED after the last row, before another thread may read the sample: some rows
  // are written with non-temporal stores.
  void finish();

 private:
  void convert(const uint8_t* in, size_t n, int conversion, size_t at);

  OutputFormat format_;
  const OutputKernels* kernels_;
  const OutputKernels* convert_;         // kernels_, or the reference if kernels_ are not exact
  std::vector<float> tables_;            // 3 x 256
  std::vector<Conversion> conversions_;  // one a channel, then one for interleaved rows
  AlignedBuffer<uint8_t> row_;           // one row, as interleaved pixels or as planes
  Size size_;
  void* out_ = nullptr;
};

}  // namespace fastinet
