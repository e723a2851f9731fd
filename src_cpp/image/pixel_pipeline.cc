#include "image/pixel_pipeline.h"

namespace fastinet {

PixelPipeline::PixelPipeline(const OutputFormat& format) : writer_(format), kernels_(&output_kernels()) {}

void PixelPipeline::run(const Planes& planes, const Geometry& geometry,
                        std::span<const OperationCall> operations, void* out) {
  const Size size{geometry.view.height, geometry.view.width};
  resampler_.start(planes, geometry);
  writer_.start(size, out);
  if (operations.empty()) {
    for (int y = 0; y < size.height; ++y) writer_.write_row(y, resampler_.next_row());
  } else {
    const RgbView sample = collect_rows(size);
    for (const OperationCall& call : operations) call.operation->apply(sample, call.parameters, scratch_);
    for (int y = 0; y < size.height; ++y) writer_.write_interleaved_row(y, sample.row(y));
  }
  writer_.finish();
}

RgbView PixelPipeline::collect_rows(Size size) {
  RgbView sample{nullptr, size};
  sample.pixels = sample_.reserve(sample.bytes());
  for (int y = 0; y < size.height; ++y) {
    const RgbRow row = resampler_.next_row();
    kernels_->interleave(row[0], row[1], row[2], static_cast<size_t>(size.width), sample.row(y));
  }
  return sample;
}

}  // namespace fastinet
