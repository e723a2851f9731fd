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
  // Inexact: where the crop is at least twice (four times) as large as `size` in both directions, a JPEG file
  // may be decoded at half (a quarter of) its size by a reduced inverse DCT and the rest left to resampling.
  bool dct_scaling = false;
};

// By how much dct_scaling divides the sides of the image: 1, 2 or 4.
inline int dct_scale(const Geometry& g) {
  if (!g.dct_scaling) return 1;
  for (const int scale : {4, 2}) {
    if (g.crop.height / scale >= g.size.height && g.crop.width / scale >= g.size.width) return scale;
  }
  return 1;
}

// The image at 1/scale, as libjpeg rounds its sides.
inline Size scaled_down(Size image, int scale) {
  return {(image.height + scale - 1) / scale, (image.width + scale - 1) / scale};
}

}  // namespace fastinet
