// The whole image layer: any bytes, with true, damaged or no entry points, any geometry and output. Nothing
// but an Error may leave it, and two decodes of the same input must give the same sample.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "base/error.h"
#include "choices.h"
#include "image/codec/probe.h"
#include "image/image_decoder.h"

namespace {

using namespace fastinet;

constexpr int kMaxPixels = 1 << 17;

RgbImage refuse(const EncodedImage&) { throw Error(ErrorKind::kDecode, "left to the foreign decoder"); }

Geometry choose_geometry(fuzz::Choices& choices, Size image) {
  Geometry geometry;
  geometry.crop = choices.rectangle(image);
  geometry.size = {1 + choices.below(40), 1 + choices.below(40)};
  if (choices.below(4) == 0) geometry.size = {geometry.crop.height, geometry.crop.width};
  geometry.view = {0, 0, geometry.size.height, geometry.size.width};
  if (choices.below(2)) {
    geometry.view = {choices.below(60) - 20, choices.below(60) - 20, 1 + choices.below(40),
                     1 + choices.below(40)};
  }
  geometry.flip = choices.below(2) != 0;
  geometry.interpolation = choices.below(2) ? Interpolation::kBicubic : Interpolation::kBilinear;
  geometry.dct_scaling = choices.below(3) == 0;
  return geometry;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Choices choices(data, size);
  choices.simd_level();
  OutputFormat format;
  format.dtype = static_cast<DType>(choices.below(3));
  format.layout = static_cast<Layout>(choices.below(2));
  format.normalize = format.dtype != DType::kUint8 && choices.below(2) != 0;
  format.mean = {0.5F, 0.4F, 0.3F};
  format.std = {0.2F, 0.3F, 0.4F};

  EncodedImage image{.data = {data, size}, .entry_points = {}, .apply_orientation = choices.below(2) != 0};
  std::vector<uint8_t> entries;
  try {
    ImageDecoder decoder(format, refuse);
    Source source = decoder.inspect(image);
    if (int64_t{source.size().height} * source.size().width > kMaxPixels) return 0;
    if (choices.below(3)) entries = probe(image.data).entry_points;
    if (!entries.empty() && choices.below(2)) {
      entries[static_cast<size_t>(choices.below(static_cast<int>(entries.size())))] ^=
          static_cast<uint8_t>(1 << choices.below(8));
    }
    image.entry_points = entries;
    const Geometry geometry = choose_geometry(choices, source.size());
    const size_t bytes = size_t{3} * geometry.view.height * geometry.view.width * itemsize(format.dtype);
    const auto first = std::make_unique<uint8_t[]>(bytes), second = std::make_unique<uint8_t[]>(bytes);
    decoder.decode(image, geometry, first.get());
    decoder.decode(image, geometry, second.get());
    if (std::memcmp(first.get(), second.get(), bytes) != 0) {
      std::fprintf(stderr, "two decodes differ\n");
      std::abort();
    }
  } catch (const Error&) {
  }
  return 0;
}
