// From encoded bytes to planes. The one place that chooses a decoder.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/encoding.h"
#include "image/codec/encoded_image.h"
#include "image/codec/jpeg/baseline_decoder.h"
#include "image/codec/jpeg/survey.h"
#include "image/codec/turbo/decoder.h"
#include "image/orientation.h"
#include "image/planes.h"

namespace fastinet {

// Images by the decoder that delivered their pixels.
struct DecodeCounts {
  int64_t fast = 0;     // our baseline decoder
  int64_t turbo = 0;    // libjpeg-turbo
  int64_t foreign = 0;  // the foreign decoder
};

class Codecs;

// One encoded image whose headers have been read, once. Refers to the bytes of the image and to its Codecs,
// which must outlive it.
//
// Throws std::bad_alloc, and no Error, if memory is short, even where libjpeg-turbo or Pillow report that as
// a damaged file.
class Source {
 public:
  // By the first bytes of the image.
  Encoding encoding() const { return encoding_; }

  // Of the image as decode() delivers it: turned if its orientation is applied. Decodes an image that only
  // the foreign decoder can read, and keeps its pixels for the next decode(). Throws Error{kDecode}.
  Size size();

  // Whether decode() can deliver the image at 1/2 or 1/4 of its size.
  bool scalable() const { return regular_ && orientation_ == 1; }

  // The pixels that Pillow has in `region` of the image at 1/scale. The result covers at least the region,
  // may cover all of the image at its full size (Planes::scale), and is scratch of the Codecs, valid until
  // the next call for any of their sources. REQUIRES: the region is not empty and lies within the image;
  // scale is 1, or 2 or 4 and scalable(). Throws Error{kDecode} for an image that Pillow refuses.
  Planes decode(const Rect& region, int scale);

  // Whether the decoders of this core decode the whole image without an error or a warning. The foreign
  // decoder is not asked. Throws Error{kDecode} for an image with too many scans for its size.
  bool decodes_cleanly();

 private:
  friend class Codecs;

  Source(Codecs* codecs, const EncodedImage& image);
  bool try_baseline(const Rect& region, int scale, Planes* planes);
  bool try_regular(const Rect& region, int scale, Planes* planes);
  const RgbImage& foreign();

  Codecs* codecs_;
  EncodedImage image_;
  Encoding encoding_ = Encoding::kUnknown;
  bool regular_ = false;  // a JPEG file that the decoders of this core may try; headers_ describe it
  int orientation_ = 1;   // that is applied to a regular file, 1 to 8
  JpegHeaders headers_;
  std::optional<RgbImage> foreign_;  // decoded by the foreign decoder
};

// The decoders with their scratch, for one thread; reused from image to image. Each decoder that cannot
// guarantee Pillow's pixels declines, and the next one takes over: ours, libjpeg-turbo, the foreign one. Not
// safe for concurrent use.
class Codecs {
 public:
  explicit Codecs(ForeignDecoder foreign) : foreign_decoder_(std::move(foreign)) {}
  Codecs(const Codecs&) = delete;
  Codecs& operator=(const Codecs&) = delete;

  // Reads the headers of `image`, whose bytes must outlive the use of the result. Throws Error{kDecode} for
  // an image of more than kMaxImagePixels.
  Source inspect(const EncodedImage& image) { return {this, image}; }

  const DecodeCounts& counts() const { return counts_; }

 private:
  friend class Source;

  Planes to_planes(const RgbImage& image);

  ForeignDecoder foreign_decoder_;
  jpeg::BaselineDecoder baseline_;
  TurboDecoder turbo_;
  PlaneTurner turner_;
  std::vector<uint8_t> foreign_planes_;
  DecodeCounts counts_;
};

// Throws Error{kDecode} for a JPEG file that asks for far more work than its size accounts for. To be called
// before the file is given to a decoder without such a limit.
void require_affordable_scans(Bytes jpeg);

}  // namespace fastinet
