#include "image/image_decoder.h"

#include <string>

#include "base/error.h"

namespace fastinet {
namespace {

std::string to_string(Size size) { return std::to_string(size.height) + "x" + std::to_string(size.width); }

std::string to_string(const Rect& r) {
  return "top " + std::to_string(r.top) + ", left " + std::to_string(r.left) + ", height " +
         std::to_string(r.height) + ", width " + std::to_string(r.width);
}

void require_inside(const Geometry& geometry, Size image) {
  const Rect& crop = geometry.crop;
  const bool inside = crop.top >= 0 && crop.left >= 0 && crop.height > 0 && crop.width > 0 &&
                      crop.height <= image.height - crop.top && crop.width <= image.width - crop.left;
  if (!inside) {
    throw Error(
        ErrorKind::kArgument, "crop is not within the image",
        {.expected = "a rectangle of pixels in an image of " + to_string(image), .found = to_string(crop)});
  }
  if (geometry.size.height <= 0 || geometry.size.width <= 0) {
    throw Error(ErrorKind::kArgument, "size of the resized crop is not positive",
                {.expected = "height and width of at least 1", .found = to_string(geometry.size)});
  }
}

}  // namespace

void require_size(Size recorded, Size found) {
  if (recorded == found) return;
  const auto text = [](Size s) {
    return "width " + std::to_string(s.width) + ", height " + std::to_string(s.height);
  };
  throw Error(ErrorKind::kFormat, "image has another size than the sidecar says",
              {.expected = text(recorded), .found = text(found)});
}

void ImageDecoder::decode(Source& source, const Geometry& geometry, void* out,
                          std::span<const OperationCall> operations) {
  require_inside(geometry, source.size());
  // The sides of a turned image need not begin at the edges of its blocks.
  const int scale = source.scalable() ? dct_scale(geometry) : 1;
  Rect region = source_region(geometry, scale);
  // A view of padding alone still proves that the image can be decoded.
  if (region.height <= 0 || region.width <= 0)
    region = {geometry.crop.top / scale, geometry.crop.left / scale, 1, 1};
  pixels_.run(source.decode(region, scale), geometry, operations, out);
}

}  // namespace fastinet
