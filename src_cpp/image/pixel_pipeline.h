// The stages behind the decoder: resampling, operations on the pixels, the last write.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/aligned_buffer.h"
#include "image/geometry.h"
#include "image/operation.h"
#include "image/output/format.h"
#include "image/output/kernels.h"
#include "image/output/writer.h"
#include "image/planes.h"
#include "image/resample/resampler.h"

namespace fastinet {

// Without operations, each row goes from the resampler to the writer while it is in the first-level cache.
// With operations, the rows are collected in a uint8 sample, the operations change that sample one after the
// other, and its rows are then written.
//
// Scratch for one thread; reused from sample to sample. Not safe for concurrent use.
class PixelPipeline {
 public:
  // Throws Error{kArgument} for a format that OutputWriter refuses.
  explicit PixelPipeline(const OutputFormat& format);

  // Writes view.height x view.width pixels of three channels to `out` in the format's dtype and layout, with
  // no padding. REQUIRES: planes.region contains source_region(geometry, planes.scale).
  void run(const Planes& planes, const Geometry& geometry, std::span<const OperationCall> operations,
           void* out);

  // Bytes allocated for the sample that operations work on; 0 until the first run with operations.
  size_t buffer_bytes() const { return sample_.capacity(); }

 private:
  RgbView collect_rows(Size size);

  Resampler resampler_;
  OutputWriter writer_;
  const OutputKernels* kernels_;
  AlignedBuffer<uint8_t> sample_;
  AlignedBuffer<uint8_t> scratch_;  // of the operations
};

}  // namespace fastinet
