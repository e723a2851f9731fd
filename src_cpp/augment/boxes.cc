#include "augment/boxes.h"

#include <algorithm>
#include <utility>

namespace fastinet {
namespace {

struct Edges {
  double xmin, ymin, xmax, ymax;

  double area() const { return std::max(0.0, xmax - xmin) * std::max(0.0, ymax - ymin); }

  Edges within(double left, double top, double right, double bottom) const {
    return {std::clamp(xmin, left, right), std::clamp(ymin, top, bottom), std::clamp(xmax, left, right),
            std::clamp(ymax, top, bottom)};
  }
};

// EXIF orientations 5 to 8 swap the sides.
bool swaps_sides(int orientation) { return orientation >= 5 && orientation <= 8; }

// A box in shares of the stored image's sides, in the oriented image.
Edges oriented(Edges e, int orientation) {
  if (swaps_sides(orientation)) e = {e.ymin, e.xmin, e.ymax, e.xmax};
  const bool mirrored_x = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
  const bool mirrored_y = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
  if (mirrored_x) e = {1 - e.xmax, e.ymin, 1 - e.xmin, e.ymax};
  if (mirrored_y) e = {e.xmin, 1 - e.ymax, e.xmax, 1 - e.ymin};
  return e;
}

Edges in_image(const Box& box, const Boxes& boxes, int orientation, Size image) {
  const bool swapped = swaps_sides(orientation);
  const double width = boxes.width > 0 ? boxes.width : swapped ? image.height : image.width;
  const double height = boxes.height > 0 ? boxes.height : swapped ? image.width : image.height;
  if (orientation <= 1 && width == image.width && height == image.height) {  // no rounding at all
    const Edges same{static_cast<double>(box.xmin), static_cast<double>(box.ymin),
                     static_cast<double>(box.xmax), static_cast<double>(box.ymax)};
    return same.within(0, 0, image.width, image.height);
  }
  const Edges share{box.xmin / width, box.ymin / height, box.xmax / width, box.ymax / height};
  const Edges e = oriented(share.within(0, 0, 1, 1), orientation);
  return {e.xmin * image.width, e.ymin * image.height, e.xmax * image.width, e.ymax * image.height};
}

}  // namespace

std::vector<SampleBox> transform_boxes(const Boxes& boxes, int orientation, Size image, const Geometry& g,
                                       double min_visible) {
  const double scale_x = static_cast<double>(g.size.width) / g.crop.width;
  const double scale_y = static_cast<double>(g.size.height) / g.crop.height;
  const double left = g.crop.left * scale_x + g.view.left;
  const double top = g.crop.top * scale_y + g.view.top;
  std::vector<SampleBox> result;
  result.reserve(boxes.boxes.size());
  for (const Box& box : boxes.boxes) {
    const Edges e = in_image(box, boxes, orientation, image);
    // What the crop leaves out is gone, even where the view has room for it.
    const Edges cropped = e.within(g.crop.left, g.crop.top, g.crop.right(), g.crop.bottom());
    const Edges moved{cropped.xmin * scale_x - left, cropped.ymin * scale_y - top,
                      cropped.xmax * scale_x - left, cropped.ymax * scale_y - top};
    Edges seen = moved.within(0, 0, g.view.width, g.view.height);
    const double visible = e.area() > 0 ? seen.area() / (scale_x * scale_y) / e.area() : 0;
    if (visible <= 0 || visible < min_visible) continue;
    if (g.flip) seen = {g.view.width - seen.xmax, seen.ymin, g.view.width - seen.xmin, seen.ymax};
    result.push_back({static_cast<float>(seen.xmin), static_cast<float>(seen.ymin),
                      static_cast<float>(seen.xmax), static_cast<float>(seen.ymax),
                      static_cast<float>(std::min(visible, 1.0)), box.label, box.flags});
  }
  return result;
}

std::vector<Rect> object_rects(const Boxes& boxes, int orientation, Size image) {
  std::vector<Rect> rects;
  rects.reserve(boxes.boxes.size());
  for (const Box& box : boxes.boxes) {
    const Edges e = in_image(box, boxes, orientation, image);
    const int left = static_cast<int>(e.xmin);
    const int top = static_cast<int>(e.ymin);
    rects.push_back({top, left, std::max(0, static_cast<int>(e.ymax) - top),
                     std::max(0, static_cast<int>(e.xmax) - left)});
  }
  return rects;
}

}  // namespace fastinet
