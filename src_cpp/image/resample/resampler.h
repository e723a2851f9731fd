// Pillow's antialiased resampling (libImaging/Resample.c: support scaled by the ratio, 22-bit fixed-point
// coefficients, a horizontal then a vertical 8-bit pass) and the flip, computed only where the view needs
// them. It hands out rows; what becomes of those is the next stage's business (image/pixel_pipeline.h).
#pragma once

#include <memory>

#include "image/geometry.h"
#include "image/planes.h"

namespace fastinet {

// Returns the pixels of the image at 1/scale that `geometry` reads, which a decoder must deliver. Empty if
// the view lies entirely outside of the resized crop.
Rect source_region(const Geometry& geometry, int scale = 1);

// Selects the major version of Pillow whose pixels are reproduced. Pillow resamples the widths first; since
// version 13 it resamples the heights first if the image shrinks by more than twice as many rows as columns.
//
// Process-wide; the default is 13. The Python module calls this once, when it is imported, with the version
// of Pillow that is installed. Samples that are being resampled during the call may follow either version.
void follow_pillow(int major_version);

// Resamples one image at a time, row by row. Keeps its scratch and coefficient tables from sample to sample.
// Not safe for concurrent use.
class Resampler {
 public:
  Resampler();
  ~Resampler();
  Resampler(Resampler&&) noexcept;
  Resampler& operator=(Resampler&&) noexcept;

  // Begins a sample. REQUIRES: planes.region contains source_region(geometry, planes.scale), and the planes
  // stay valid until the last call of next_row().
  void start(const Planes& planes, const Geometry& geometry);

  // Returns the next row of the sample, view.width pixels, from top to bottom. Valid until the next call.
  // REQUIRES: not more than view.height calls after start().
  RgbRow next_row();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fastinet
