// The choice of decoder: ours, libjpeg-turbo, or the foreign one. Each is asked in turn; one that cannot
// vouch for its pixels says so and the next takes over, so that the last, which defines the result, decides.
#include "image/codec/decoder.h"

#include <optional>
#include <string>
#include <utility>

#include "base/error.h"
#include "image/codec/exif.h"
#include "image/codec/interleaved.h"
#include "image/codec/jpeg/baseline_decoder.h"
#include "image/codec/jpeg/survey.h"
#include "image/codec/turbo/decoder.h"
#include "image/orientation.h"
#include "image/pixel_pipeline.h"
#include "image/resample/resampler.h"

namespace fastinet {
namespace {

// The most pixels times scans that a JPEG file may ask for: a picture of kMaxImagePixels in 24 scans. Valid
// progressive files have about ten scans; a hostile one can ask for thousands in a few bytes each.
constexpr int64_t kMaxWork = 24 * kMaxImagePixels;

ErrorContext mismatch(std::string expected, std::string found) {
  ErrorContext context;
  context.expected = std::move(expected);
  context.found = std::move(found);
  return context;
}

int64_t area(Size size) { return int64_t{size.height} * size.width; }

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
    throw Error(ErrorKind::kArgument, "crop is not within the image",
                mismatch("a rectangle of pixels in an image of " + to_string(image), to_string(crop)));
  }
  if (geometry.size.height <= 0 || geometry.size.width <= 0) {
    throw Error(ErrorKind::kArgument, "size of the resized crop is not positive",
                mismatch("height and width of at least 1", to_string(geometry.size)));
  }
}

}  // namespace

void require_size(Size recorded, Size found) {
  if (recorded == found) return;
  const auto text = [](Size s) {
    return "width " + std::to_string(s.width) + ", height " + std::to_string(s.height);
  };
  throw Error(ErrorKind::kFormat, "image has another size than the sidecar says",
              mismatch(text(recorded), text(found)));
}

void require_affordable_scans(Bytes jpeg) {
  if (const int64_t work = decode_work(jpeg, kMaxImagePixels); work > kMaxWork) {
    throw Error(
        ErrorKind::kDecode, "JPEG with more scans than its size can account for",
        mismatch("at most " + std::to_string(kMaxWork) + " pixels times scans", std::to_string(work)));
  }
}

struct ImageDecoder::Impl {
  Impl(const OutputFormat& format, ForeignDecoder foreign_decoder)
      : pixels(format), foreign(std::move(foreign_decoder)) {}

  // A file that the decoders of this core may try, and how it is turned.
  struct Regular {
    JpegSurvey survey;
    int orientation = 1;
  };
  std::optional<Regular> inspect(const EncodedImage& image) const;
  RgbImage decode_foreign(const EncodedImage& image);
  Planes to_planes(const RgbImage& image);
  bool decode_fast(const EncodedImage& image, const JpegSurvey& survey, const Rect& region, int scale,
                   Planes* planes);
  bool decode_region(const EncodedImage& image, const Regular& regular, const Rect& region, int scale,
                     Planes* planes);

  PixelPipeline pixels;
  ForeignDecoder foreign;
  jpeg::BaselineDecoder baseline;
  TurboDecoder turbo;
  PlaneTurner turner;
  std::vector<uint8_t> foreign_planes;
  DecodeCounts counts;
};

std::optional<ImageDecoder::Impl::Regular> ImageDecoder::Impl::inspect(const EncodedImage& image) const {
  if (!is_jpeg(image.data)) return std::nullopt;
  Regular regular{.survey = survey_jpeg(image.data)};
  if (!regular.survey.irregular.empty()) return std::nullopt;
  if (area(regular.survey.size) > kMaxImagePixels) {
    throw Error(ErrorKind::kDecode, "image so large that it could be a decompression bomb",
                mismatch("at most " + std::to_string(kMaxImagePixels) + " pixels",
                         std::to_string(area(regular.survey.size))));
  }
  if (image.apply_orientation) {
    regular.orientation = read_orientation(regular.survey).value;
    if (regular.orientation == 0) return std::nullopt;
  }
  return regular;
}

RgbImage ImageDecoder::Impl::decode_foreign(const EncodedImage& image) {
  if (is_jpeg(image.data)) require_affordable_scans(image.data);
  ++counts.foreign;
  return foreign(image);
}

Planes ImageDecoder::Impl::to_planes(const RgbImage& image) {
  Planes planes;
  planes.region = {0, 0, image.size.height, image.size.width};
  planes.stride = image.size.width;
  const size_t count = static_cast<size_t>(area(image.size));
  foreign_planes.resize(3 * count + Planes::kReadPadding);
  uint8_t* const first = foreign_planes.data();
  split_rgb(image.pixels.data(), count, first, first + count, first + 2 * count);
  for (int c = 0; c < 3; ++c) planes.plane[c] = first + static_cast<size_t>(c) * count;
  return planes;
}

// False: our own decoder leaves this file to libjpeg-turbo.
bool ImageDecoder::Impl::decode_fast(const EncodedImage& image, const JpegSurvey& survey, const Rect& region,
                                     int scale, Planes* planes) {
  if (!survey.single_scan) return false;
  jpeg::Header header;
  if (jpeg::parse_header(image.data, header) != jpeg::Unsuited::kNone) return false;
  if (header.size != survey.size) return false;  // the file was changed between the two
  const auto entries = jpeg::EntryPointView::open(image.entry_points, header, image.data.size());
  // Entry points are only made for complete files.
  if (entries.empty() && !ends_with_eoi(image.data, survey)) return false;
  return baseline.decode(header, image.data, entries, region, *planes, scale) == jpeg::Verdict::kDecoded;
}

// False: only the foreign decoder can say what this file holds.
bool ImageDecoder::Impl::decode_region(const EncodedImage& image, const Regular& regular, const Rect& region,
                                       int scale, Planes* planes) {
  if (decode_fast(image, regular.survey, region, scale, planes)) {
    ++counts.fast;
    return true;
  }
  if (!regular.survey.single_scan) require_affordable_scans(image.data);
  if (turbo.decode(image.data, regular.survey, region, planes, scale) != nullptr) return false;
  ++counts.turbo;
  return true;
}

ImageDecoder::ImageDecoder(const OutputFormat& format, ForeignDecoder foreign)
    : impl_(std::make_unique<Impl>(format, std::move(foreign))) {}
ImageDecoder::~ImageDecoder() = default;

ImageInfo ImageDecoder::info(const EncodedImage& image) {
  if (const auto regular = impl_->inspect(image)) {
    return {turned(regular->survey.size, regular->orientation), regular->orientation};
  }
  return {impl_->decode_foreign(image).size, 1};
}

bool ImageDecoder::decodes_cleanly(const EncodedImage& image) {
  const auto regular = impl_->inspect(image);
  if (!regular) return false;
  const Size stored = regular->survey.size;
  Planes planes;
  return impl_->decode_region(image, *regular, {0, 0, stored.height, stored.width}, 1, &planes);
}

void ImageDecoder::decode(const EncodedImage& image, const Geometry& geometry, void* out,
                          std::span<const OperationCall> operations) {
  if (const auto regular = impl_->inspect(image)) {
    const Size stored = regular->survey.size;
    const int orientation = regular->orientation;
    if (image.size != Size{}) require_size(image.size, turned(stored, orientation));
    require_inside(geometry, turned(stored, orientation));
    // Sides of a turned image need not begin on its blocks' edges.
    const int scale = orientation == 1 ? dct_scale(geometry) : 1;
    Rect region = source_region(geometry, scale);
    // A view of padding alone still proves that the image can be decoded.
    if (region.height <= 0 || region.width <= 0) {
      region = {geometry.crop.top / scale, geometry.crop.left / scale, 1, 1};
    }
    Planes planes;
    const Rect wanted = stored_rect(region, scaled_down(stored, scale), orientation);
    if (impl_->decode_region(image, *regular, wanted, scale, &planes)) {
      impl_->pixels.run(impl_->turner.run(planes, stored, orientation), geometry, operations, out);
      return;
    }
  }
  const RgbImage foreign = impl_->decode_foreign(image);
  if (image.size != Size{}) require_size(image.size, foreign.size);
  require_inside(geometry, foreign.size);
  impl_->pixels.run(impl_->to_planes(foreign), geometry, operations, out);
}

const DecodeCounts& ImageDecoder::counts() const { return impl_->counts; }

}  // namespace fastinet
