// Pillow's antialiased resampling (libImaging/Resample.c: support scaled by the ratio, 22-bit fixed-point
// coefficients, a horizontal then a vertical 8-bit pass), computed only where the view needs it, and the
// fused last write: flip, normalisation, dtype and layout.
#pragma once

#include <memory>

#include "image/geometry.h"
#include "image/output/format.h"
#include "image/planes.h"

namespace fastinet {

// The pixels of the image at 1/scale that `geometry` reads; what a decoder must deliver. Empty when the view
// lies wholly outside of the resized crop.
Rect source_region(const Geometry& geometry, int scale = 1);

// Pillow resamples the widths first; from version 13 on, the heights where the image shrinks by more than
// twice as many rows as columns. Pixels are those of the version said here, for the whole process: to be said
// before the first sample. The default is 13.
void follow_pillow(int major_version);

// Scratch and coefficient tables for one thread; reused from sample to sample.
class Resampler {
 public:
  explicit Resampler(const OutputFormat& format);
  ~Resampler();
  Resampler(Resampler&&) noexcept;
  Resampler& operator=(Resampler&&) noexcept;

  // Writes view.height x view.width samples of three channels to `out` in the format's dtype and layout,
  // contiguous. REQUIRES: planes.region contains source_region(geometry, planes.scale).
  void run(const Planes& planes, const Geometry& geometry, void* out);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fastinet
