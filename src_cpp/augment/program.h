// A chain of torchvision's geometric transforms, composed once and evaluated per sample.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "augment/object_crop.h"
#include "base/random.h"
#include "image/geometry.h"

namespace fastinet {

constexpr int kMaxSide = 65535;  // of what a step makes

// torchvision.transforms of the same names: parameters, arithmetic and distributions are theirs.
struct RandomResizedCrop {
  Size size;
  std::array<double, 2> scale{0.08, 1.0};             // share of the image's area
  std::array<double, 2> ratio{3.0 / 4.0, 4.0 / 3.0};  // width to height
  Interpolation interpolation = Interpolation::kBilinear;
  std::optional<ObjectCrop> objects;  // set: windows by TensorFlow's rule, not by torchvision's
};
struct ResizeShort {  // Resize(int): the shorter side
  int side = 0;
  int max_long = 0;  // 0: no bound on the longer side
  Interpolation interpolation = Interpolation::kBilinear;
};
struct ResizeTo {  // Resize((h, w))
  Size size;
  Interpolation interpolation = Interpolation::kBilinear;
};
struct CenterCrop {  // pads with zeros where the image is smaller
  Size size;
};
struct RandomHorizontalFlip {
  double p = 0.5;
};
using TransformStep =
    std::variant<RandomResizedCrop, ResizeShort, ResizeTo, CenterCrop, RandomHorizontalFlip>;

// Immutable, safe for concurrent use. A Geometry is one crop, one resize, one view of the result and a flip;
// the constructor throws Error{kUnsupported} for chains that need more, Error{kArgument} for parameters out
// of range.
class TransformPlan {
 public:
  explicit TransformPlan(std::vector<TransformStep> steps);

  // Throws Error{kUnsupported} for an image that this chain cannot take (a crop that padded the image before
  // a resize; a side that rounds to zero). Step s draws from blocks 256 s, 256 s + 1, ... of the stream, so
  // that a step added at the end changes nothing before it. `objects` are rectangles of the image.
  Geometry sample(Size image, const Stream& stream, std::span<const Rect> objects = {}) const;

  // Whether sample() looks at the objects.
  bool uses_objects() const;

  // Size of every sample; nothing where it depends on the image.
  std::optional<Size> output_size() const;

 private:
  std::vector<TransformStep> steps_;
};

// torchvision's rules, one by one.
Rect random_resized_crop_window(const RandomResizedCrop& step, Size image, const Stream& stream,
                                uint32_t first_draw);
Size resize_short_size(const ResizeShort& step, Size image);
Rect center_crop_window(Size crop, Size image);  // top and left are negative where the image is smaller

}  // namespace fastinet
