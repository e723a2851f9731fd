#include "augment/program.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "base/error.h"

namespace fastinet {
namespace {

constexpr uint32_t kDrawsPerStep = 256;
constexpr size_t kMaxSteps = Stream::kMaxDraws / kDrawsPerStep;

std::string text(Size s) { return std::to_string(s.height) + "x" + std::to_string(s.width); }

[[noreturn]] void refuse(ErrorKind kind, const std::string& problem, std::string expected,
                         std::string found) {
  ErrorContext context;
  context.expected = std::move(expected);
  context.found = std::move(found);
  throw Error(kind, problem, std::move(context));
}

void require_side(const char* name, int64_t side) {
  if (side < 1 || side > kMaxSide) {
    refuse(ErrorKind::kArgument, std::string(name) + ": size", "1 to " + std::to_string(kMaxSide),
           std::to_string(side));
  }
}

void require_size(const char* name, Size size) {
  require_side(name, size.height);
  require_side(name, size.width);
}

void require_range(const char* what, const std::array<double, 2>& range) {
  const bool good =
      std::isfinite(range[0]) && std::isfinite(range[1]) && range[0] > 0 && range[0] <= range[1];
  if (!good) {
    refuse(ErrorKind::kArgument, std::string("RandomResizedCrop: ") + what, "0 < low <= high",
           std::to_string(range[0]) + " to " + std::to_string(range[1]));
  }
}

void require_objects(const ObjectCrop& rule) {
  if (!(rule.min_object_covered >= 0 && rule.min_object_covered <= 1)) {
    refuse(ErrorKind::kArgument, "RandomResizedCrop: min_object_covered", "0 to 1",
           std::to_string(rule.min_object_covered));
  }
  if (rule.max_attempts < 1 || rule.max_attempts > static_cast<int>(kDrawsPerStep)) {
    refuse(ErrorKind::kArgument, "RandomResizedCrop: max_attempts", "1 to " + std::to_string(kDrawsPerStep),
           std::to_string(rule.max_attempts));
  }
}

// Python's round(): halves go to the even neighbour.
int round_half_even(double x) { return static_cast<int>(std::nearbyint(x)); }

int center_offset(int crop, int image) {
  return crop > image ? -((crop - image) / 2) : round_half_even((image - crop) / 2.0);
}

// A chain under way: the sample so far is the part `geometry.view` of the resized crop, mirrored if
// `geometry.flip`.
class Composer {
 public:
  explicit Composer(Size image) {
    g_.crop = {0, 0, image.height, image.width};
    g_.size = image;
    g_.view = g_.crop;
  }

  Size size() const { return {g_.view.height, g_.view.width}; }

  // What the sample so far has of rectangles of the image. REQUIRES: not resized.
  std::vector<Rect> in_view(std::span<const Rect> rects) const {
    std::vector<Rect> result;
    for (const Rect& r : rects) {
      const int top = std::clamp(r.top - g_.view.top, 0, g_.view.height);
      const int left = std::clamp(r.left - g_.view.left, 0, g_.view.width);
      const int bottom = std::clamp(r.bottom() - g_.view.top, 0, g_.view.height);
      const int right = std::clamp(r.right() - g_.view.left, 0, g_.view.width);
      result.push_back({top, g_.flip ? g_.view.width - right : left, bottom - top, right - left});
    }
    return result;
  }

  void view(Rect part) {
    const int left = g_.flip ? g_.view.width - part.right() : part.left;
    g_.view = {g_.view.top + part.top, g_.view.left + left, part.height, part.width};
  }

  void resize(Size size, Interpolation interpolation) {
    const Rect v = g_.view;
    if (v.top < 0 || v.left < 0 || v.bottom() > g_.size.height || v.right() > g_.size.width) {
      refuse(ErrorKind::kUnsupported, "a crop that pads the image, then a resize",
             "an image of at least " + text({v.height, v.width}), text(g_.size));
    }
    if (size.height < 1 || size.width < 1) {
      refuse(ErrorKind::kUnsupported, "Resize", "sides of at least 1 pixel", text(size));
    }
    // The flip of a resized image is the resized flip: Check lets only such interpolations pass.
    g_ = {v, size, {0, 0, size.height, size.width}, g_.flip, interpolation};
  }

  void flip() { g_.flip = !g_.flip; }

  const Geometry& geometry() const { return g_; }

 private:
  Geometry g_;
};

struct Apply {
  Composer& composer;
  const Stream& stream;
  uint32_t first_draw;
  std::span<const Rect> objects;

  void operator()(const RandomResizedCrop& s) const {
    const Size size = composer.size();
    composer.view(s.objects ? object_crop_window(*s.objects, s.scale, s.ratio, size,
                                                 composer.in_view(objects), stream, first_draw)
                            : random_resized_crop_window(s, size, stream, first_draw));
    composer.resize(s.size, s.interpolation);
  }
  void operator()(const ResizeShort& s) const {
    composer.resize(resize_short_size(s, composer.size()), s.interpolation);
  }
  void operator()(const ResizeTo& s) const { composer.resize(s.size, s.interpolation); }
  void operator()(const CenterCrop& s) const { composer.view(center_crop_window(s.size, composer.size())); }
  void operator()(const RandomHorizontalFlip& s) const {
    if (unit(stream.block(first_draw)[0]) < s.p) composer.flip();
  }
};

struct Check {
  bool& resized;
  bool& flipped;
  std::optional<Size>& cropped;  // by a CenterCrop since the resize

  // Pillow's bilinear weights of a mirrored image are the mirrored weights: so it is for 1 to 4000 pixels
  // resized to 1 to 520. Of its bicubic ones a last bit may differ (335 pixels to 291).
  void one_resize(const char* name, Interpolation interpolation) const {
    if (resized) refuse(ErrorKind::kUnsupported, name, "at most one resize in a transform", "a second one");
    if (flipped && interpolation != Interpolation::kBilinear) {
      refuse(ErrorKind::kUnsupported, name, "RandomHorizontalFlip after a resize that is not bilinear",
             "it before the resize");
    }
    resized = true;
    cropped.reset();
  }
  void operator()(const RandomResizedCrop& s) const {
    require_size("RandomResizedCrop", s.size);
    require_range("scale", s.scale);
    require_range("ratio", s.ratio);
    if (s.objects) require_objects(*s.objects);
    one_resize("RandomResizedCrop", s.interpolation);
  }
  void operator()(const ResizeShort& s) const {
    require_side("Resize", s.side);
    if (s.max_long != 0 && s.max_long <= s.side) {
      refuse(ErrorKind::kArgument, "Resize: max_size", "more than size " + std::to_string(s.side),
             std::to_string(s.max_long));
    }
    one_resize("Resize", s.interpolation);
  }
  void operator()(const ResizeTo& s) const {
    require_size("Resize", s.size);
    one_resize("Resize", s.interpolation);
  }
  // A view has no room for zeros between what an earlier crop left and what the image has beyond it.
  void operator()(const CenterCrop& s) const {
    require_size("CenterCrop", s.size);
    if (cropped && (s.size.height > cropped->height || s.size.width > cropped->width)) {
      refuse(ErrorKind::kUnsupported, "CenterCrop after a smaller one, which would have to pad",
             "at most " + text(*cropped), text(s.size));
    }
    cropped = s.size;
  }
  void operator()(const RandomHorizontalFlip& s) const {
    if (!(s.p >= 0 && s.p <= 1)) {
      refuse(ErrorKind::kArgument, "RandomHorizontalFlip: p", "0 to 1", std::to_string(s.p));
    }
    flipped = true;
  }
};

}  // namespace

Rect random_resized_crop_window(const RandomResizedCrop& step, Size image, const Stream& stream,
                                uint32_t first_draw) {
  const double area = static_cast<double>(image.height) * image.width;
  const double log_low = std::log(step.ratio[0]);
  const double log_high = std::log(step.ratio[1]);
  for (uint32_t attempt = 0; attempt < 10; ++attempt) {
    const auto words = stream.block(first_draw + attempt);
    const double target = area * (step.scale[0] + (step.scale[1] - step.scale[0]) * unit(words[0]));
    const double ratio = std::exp(log_low + (log_high - log_low) * unit(words[1]));
    const double width = std::nearbyint(std::sqrt(target * ratio));
    const double height = std::nearbyint(std::sqrt(target / ratio));
    if (width > 0 && width <= image.width && height > 0 && height <= image.height) {
      const int h = static_cast<int>(height);
      const int w = static_cast<int>(width);
      return {below(words[2], image.height - h + 1), below(words[3], image.width - w + 1), h, w};
    }
  }
  Size whole = image;
  const double ratio = static_cast<double>(image.width) / image.height;
  if (ratio < step.ratio[0]) whole.height = std::max(1, round_half_even(image.width / step.ratio[0]));
  if (ratio > step.ratio[1]) whole.width = std::max(1, round_half_even(image.height * step.ratio[1]));
  return {(image.height - whole.height) / 2, (image.width - whole.width) / 2, whole.height, whole.width};
}

Size resize_short_size(const ResizeShort& step, Size image) {
  const bool portrait = image.width <= image.height;
  const int64_t image_short = portrait ? image.width : image.height;
  const int64_t image_long = portrait ? image.height : image.width;
  // torchvision truncates the quotient; so does integer division.
  int64_t new_short = step.side;
  int64_t new_long = step.side * image_long / image_short;
  if (step.max_long != 0 && new_long > step.max_long) {
    new_short = step.max_long * new_short / new_long;
    new_long = step.max_long;
  }
  if (new_short < 1 || new_long > kMaxSide) {
    refuse(ErrorKind::kUnsupported, "Resize of an image of " + text(image),
           "sides of 1 to " + std::to_string(kMaxSide),
           std::to_string(new_short) + " by " + std::to_string(new_long));
  }
  const auto s = static_cast<int>(new_short);
  const auto l = static_cast<int>(new_long);
  return portrait ? Size{l, s} : Size{s, l};
}

Rect center_crop_window(Size crop, Size image) {
  return {center_offset(crop.height, image.height), center_offset(crop.width, image.width), crop.height,
          crop.width};
}

TransformPlan::TransformPlan(std::vector<TransformStep> steps) : steps_(std::move(steps)) {
  if (steps_.size() > kMaxSteps) {
    refuse(ErrorKind::kArgument, "transform", "at most " + std::to_string(kMaxSteps) + " steps",
           std::to_string(steps_.size()));
  }
  bool resized = false;
  bool flipped = false;
  std::optional<Size> cropped;
  for (const TransformStep& step : steps_) std::visit(Check{resized, flipped, cropped}, step);
}

Geometry TransformPlan::sample(Size image, const Stream& stream, std::span<const Rect> objects) const {
  Composer composer(image);
  uint32_t draw = 0;
  for (const TransformStep& step : steps_) {
    std::visit(Apply{composer, stream, draw, objects}, step);
    draw += kDrawsPerStep;
  }
  return composer.geometry();
}

bool TransformPlan::uses_objects() const {
  return std::any_of(steps_.begin(), steps_.end(), [](const TransformStep& step) {
    const auto* crop = std::get_if<RandomResizedCrop>(&step);
    return crop != nullptr && crop->objects.has_value();
  });
}

std::optional<Size> TransformPlan::output_size() const {
  std::optional<Size> size;
  for (const TransformStep& step : steps_) {
    if (const auto* s = std::get_if<RandomResizedCrop>(&step)) size = s->size;
    if (const auto* s = std::get_if<ResizeTo>(&step)) size = s->size;
    if (const auto* s = std::get_if<CenterCrop>(&step)) size = s->size;
    if (const auto* s = std::get_if<ResizeShort>(&step)) {
      // A square stays square; anything else depends on the image.
      const bool square = size && size->height == size->width;
      size = square ? std::optional<Size>({s->side, s->side}) : std::nullopt;
    }
  }
  return size;
}

}  // namespace fastinet
