// One encoded image in, one finished sample out: decoding (codec/codec.h), then resampling and the stages
// behind it (pixel_pipeline.h). START HERE for the image layer.
#pragma once

#include <span>
#include <utility>

#include "image/codec/codec.h"
#include "image/geometry.h"
#include "image/operation.h"
#include "image/output/format.h"
#include "image/pixel_pipeline.h"

namespace fastinet {

// Throws Error{kFormat} if the two differ: an index gives the size of another image.
void require_size(Size recorded, Size found);

// Scratch for one thread; reused from image to image. Not safe for concurrent use.
class ImageDecoder {
 public:
  ImageDecoder(const OutputFormat& format, ForeignDecoder foreign)
      : codecs_(std::move(foreign)), pixels_(format) {}

  // See Codecs::inspect.
  Source inspect(const EncodedImage& image) { return codecs_.inspect(image); }

  // Writes the sample that `geometry` and `operations` describe to `out` (see PixelPipeline::run). `source`
  // is a result of inspect(). Throws Error{kDecode} for an image that Pillow refuses and
  // Error{kArgument} for a geometry outside of the image; `out` is then unspecified.
  void decode(Source& source, const Geometry& geometry, void* out,
              std::span<const OperationCall> operations = {});

  // The same for an image that has not been inspected.
  void decode(const EncodedImage& image, const Geometry& geometry, void* out,
              std::span<const OperationCall> operations = {}) {
    Source source = inspect(image);
    decode(source, geometry, out, operations);
  }

  const DecodeCounts& counts() const { return codecs_.counts(); }

 private:
  Codecs codecs_;
  PixelPipeline pixels_;
};

}  // namespace fastinet
