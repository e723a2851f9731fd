// Windows that keep a minimum share of an object.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "base/random.h"
#include "image/geometry.h"

namespace fastinet {

// TensorFlow's sample_distorted_bounding_box, with its names.
struct ObjectCrop {
  double min_object_covered = 0.1;  // of at least one object, 0 to 1
  int max_attempts = 100;           // 1 to 256, the blocks of a step
};

// TensorFlow's algorithm: aspect ratio uniform in `ratio`, height uniform between those of the least and the
// largest area in `scale`, position uniform; taken if it covers enough of any object of at least one pixel.
// Without objects the whole image is the object. Failing all attempts the whole image.
Rect object_crop_window(const ObjectCrop& rule, const std::array<double, 2>& scale,
                        const std::array<double, 2>& ratio, Size image, std::span<const Rect> objects,
                        const Stream& stream, uint32_t first_draw);

}  // namespace fastinet
