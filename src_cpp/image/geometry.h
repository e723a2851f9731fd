// What part of an image becomes the sample, and how large.
#pragma once

namespace fastinet {

struct Size {
  int height = 0;
  int width = 0;
  bool operator==(const Size&) const = default;
};

// In torchvision's order: top, left, height, width.
struct Rect {
  int top = 0;
  int left = 0;
  int height = 0;
  int width = 0;
  int bottom() const { return top + height; }
  int right() const { return left + width; }
  bool operator==(const Rect&) const = default;
};

// Pillow's antialiased filters (Image.Resampling).
enum class Interpolation { kBilinear, kBicubic };

// crop -> resize -> view -> flip. RandomResizedCrop sets crop and size and views all of it; Resize then
// CenterCrop crops nothing, resizes the whole image and views its centre. Only the pixels that the view
// needs are ever decoded or resampled.
struct Geometry {
  Rect crop;          // within the image
  Size size;          // of the resized crop; equal to the crop's: no resampling
  Rect view;          // within the resized crop; the part of it outside is zero (CenterCrop's padding)
  bool flip = false;  // left to right, last
  Interpolation interpolation = Interpolation::kBilinear;
};

}  // namespace fastinet
