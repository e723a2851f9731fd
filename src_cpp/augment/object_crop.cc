#include "augment/object_crop.h"

#include <algorithm>
#include <cmath>

namespace fastinet {
namespace {

// As an int, also where scale or ratio are absurd: no image is that large, and the window does not fit.
int within_int(double x) { return static_cast<int>(std::clamp(x, -0x1p30, 0x1p30)); }
int rounded(double x) { return within_int(std::nearbyint(x)); }

// Height and width of an aspect ratio whose area lies within [min_area, max_area]; nothing where none fits.
std::optional<Size> crop_size(Size image, double min_area, double max_area, double ratio, uint32_t word) {
  int height = rounded(std::sqrt(min_area / ratio));
  int max_height = rounded(std::sqrt(max_area / ratio));
  if (rounded(max_height * ratio) > image.width) {  // the tallest window that is not too wide
    max_height = within_int((image.width + 0.5 - 1e-7) / ratio);
    if (rounded(max_height * ratio) > image.width) --max_height;
  }
  max_height = std::min(max_height, image.height);
  height = std::min(height, max_height);
  if (height < max_height) height += below(word, max_height - height + 1);
  int width = rounded(height * ratio);
  const auto area = [&] { return static_cast<double>(width) * height; };
  const auto retry = [&](int step) {  // rounding may have left the range by one row
    height += step;
    width = rounded(height * ratio);
  };
  if (area() < min_area) retry(1);
  if (area() > max_area) retry(-1);
  const bool fits = area() >= min_area && area() <= max_area && width > 0 && width <= image.width &&
                    height > 0 && height <= image.height;
  return fits ? std::optional<Size>({height, width}) : std::nullopt;
}

bool covers(const Rect& window, const Rect& object, double share) {
  const double area = static_cast<double>(object.width) * object.height;
  if (area < 1) return false;
  const int width = std::min(window.right(), object.right()) - std::max(window.left, object.left);
  const int height = std::min(window.bottom(), object.bottom()) - std::max(window.top, object.top);
  return static_cast<double>(std::max(width, 0)) * std::max(height, 0) / area >= share;
}

}  // namespace

Rect object_crop_window(const ObjectCrop& rule, const std::array<double, 2>& scale,
                        const std::array<double, 2>& ratio, Size image, std::span<const Rect> objects,
                        const Stream& stream, uint32_t first_draw) {
  const Rect whole{0, 0, image.height, image.width};
  if (objects.empty()) objects = {&whole, 1};
  const double area = static_cast<double>(image.height) * image.width;
  for (int attempt = 0; attempt < rule.max_attempts; ++attempt) {
    const auto words = stream.block(first_draw + static_cast<uint32_t>(attempt));
    const double aspect = ratio[0] + (ratio[1] - ratio[0]) * unit(words[0]);
    const std::optional<Size> size =
        crop_size(image, scale[0] * area, std::min(1.0, scale[1]) * area, aspect, words[1]);
    if (!size) continue;
    // Below the last place that would fit, as TensorFlow draws it.
    const int top = size->height < image.height ? below(words[2], image.height - size->height) : 0;
    const int left = size->width < image.width ? below(words[3], image.width - size->width) : 0;
    const Rect window{top, left, size->height, size->width};
    const auto enough = [&](const Rect& object) { return covers(window, object, rule.min_object_covered); };
    if (std::any_of(objects.begin(), objects.end(), enough)) return window;
  }
  return whole;
}

}  // namespace fastinet
