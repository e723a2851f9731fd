// Bounding boxes, taken through the same geometry as the pixels.
#pragma once

#include <cstdint>
#include <vector>

#include "image/geometry.h"
#include "shard/record.h"

namespace fastinet {

// What is left of a box in the finished image: edges in its pixels, 0 to its width and height.
struct SampleBox {
  float xmin = 0, ymin = 0, xmax = 0, ymax = 0;
  float visible = 0;  // share of the box's area that the image shows, 0 to 1
  int32_t label = -1;
  uint32_t flags = 0;  // as Box::flags
};

// Boxes are first scaled from their reference size (0: the image's) to the image and clipped to it, turned as
// `orientation` (EXIF, 1 to 8) turned the image, then cropped, resized, viewed and flipped. Those of which
// nothing is left, or a smaller share than `min_visible`, are dropped; the order stays.
// `image` is the size that the geometry refers to, after orientation.
std::vector<SampleBox> transform_boxes(const Boxes& boxes, int orientation, Size image,
                                       const Geometry& geometry, double min_visible);

// The boxes in whole pixels of the image, rounded towards zero as TensorFlow's
// sample_distorted_bounding_box does.
std::vector<Rect> object_rects(const Boxes& boxes, int orientation, Size image);

}  // namespace fastinet
