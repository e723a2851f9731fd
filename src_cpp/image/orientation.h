// Maps between the stored image and the upright one, for the eight EXIF orientations.
#pragma once

#include <vector>

#include "image/planes.h"

namespace fastinet {

// Whether the upright image has the height and width of the stored one exchanged.
inline bool swaps_sides(int orientation) { return orientation >= 5; }

// Returns the size of the upright image.
Size turned(Size stored, int orientation);

// Returns the rectangle of the stored image that becomes the rectangle `upright` of the upright image.
Rect stored_rect(const Rect& upright, Size stored, int orientation);

// Turns planes of the stored image into planes of the upright one. For one thread.
class PlaneTurner {
 public:
  // The result points into this object's scratch, which the next call overwrites. For orientation 1 the
  // result is `stored` itself.
  Planes run(const Planes& stored, Size stored_size, int orientation);

 private:
  std::vector<uint8_t> buffer_;
};

}  // namespace fastinet
