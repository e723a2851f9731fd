// One encoded image in, one finished sample out. START HERE for the image layer: the choice of decoder is
// made in decoder.cc and nowhere else.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "image/geometry.h"
#include "image/operation.h"
#include "image/output/format.h"

namespace fastinet {

using Bytes = std::span<const uint8_t>;

// Larger images are refused. Pillow's limit: twice Image.MAX_IMAGE_PIXELS as it is by default.
inline constexpr int64_t kMaxImagePixels = 2 * int64_t{1024 * 1024 * 1024 / 4 / 3};

// Interleaved RGB, rows without padding.
struct RgbImage {
  Size size;
  std::vector<uint8_t> pixels;
};

// Counts since construction, for stats: which path the samples took.
struct DecodeCounts {
  int64_t fast = 0;     // our baseline decoder
  int64_t turbo = 0;    // libjpeg-turbo
  int64_t foreign = 0;  // the foreign decoder
};

struct ImageInfo {
  Size size;            // in the coordinates that Geometry uses: turned where orientation is applied
  int orientation = 1;  // EXIF, 1 to 8; 1 for what the foreign decoder reads
};

// What is to be decoded.
struct EncodedImage {
  Bytes data;
  Bytes entry_points;              // as image/entry_points.h writes them; empty: none known
  bool apply_orientation = false;  // EXIF orientation, as ImageOps.exif_transpose; Geometry is then in the
                                   // turned image's coordinates
  Size size{};  // of the image that the Geometry is for, turned likewise; 0 by 0: not known. Where the image
                // has another size, the sample would be another part of it
};

// Throws Error{kDecode} for a JPEG file that asks for far more work than its size accounts for. To be called
// before a decoder that has no such limit is given the file.
void require_affordable_scans(Bytes jpeg);

// Decodes what the core does not know (PNG, BMP, TIFF, and JPEG files that only the oracle can judge) as
// Pillow's Image.open(...).convert("RGB") does, behind ImageOps.exif_transpose where apply_orientation is
// set. Throws Error{kDecode} for what it refuses, and std::bad_alloc where memory is short, which says
// nothing of the image. May take locks (Python's); called from any thread.
using ForeignDecoder = std::function<RgbImage(const EncodedImage&)>;

// Throws Error{kFormat} where the two differ: an index gives the size of another image.
void require_size(Size recorded, Size found);

// Every call throws std::bad_alloc, and no Error, where memory is short: also where libjpeg-turbo or Pillow
// would report that in the words they have for damaged files.
//
// Scratch for one thread; reused from image to image. Not safe for concurrent use.
class ImageDecoder {
 public:
  ImageDecoder(const OutputFormat& format, ForeignDecoder foreign);
  ~ImageDecoder();

  // Size and orientation: from the header where libjpeg-turbo can be trusted with the file, otherwise by
  // decoding it with the foreign decoder. Throws Error{kDecode}.
  ImageInfo info(const EncodedImage& image);

  // Whether the decoders of this core take the whole image to its last row without an error or a warning; if
  // not, the foreign decoder has the word, and is not asked. Throws Error{kDecode} for a size, or a number of
  // scans, that decode() refuses.
  bool decodes_cleanly(const EncodedImage& image);

  // Writes the sample that `geometry` and `operations` describe to `out` (see PixelPipeline::run). Throws
  // Error{kDecode} for what Pillow refuses, Error{kFormat} for an image of another size than
  // EncodedImage::size, Error{kArgument} for a geometry outside of the image; `out` is then unspecified.
  void decode(const EncodedImage& image, const Geometry& geometry, void* out,
              std::span<const OperationCall> operations = {});

  const DecodeCounts& counts() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fastinet
