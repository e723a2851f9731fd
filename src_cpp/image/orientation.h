// The eight EXIF orientations as maps between the stored and the turned (upright) image.
#pragma once

#include <vector>

#include "image/planes.h"

namespace fastinet {

// Whether height and width change places.
inline bool swaps_sides(int orientation) { return orientation >= 5; }

// Size of the turned image.
Size turned(Size stored, int orientation);

// The rectangle of the stored image that becomes `upright` of the turned image.
Rect stored_rect(const Rect& upright, Size stored, int orientation);

// Turns planes of the stored image into those of the turned one.
class PlaneTurner {
 public:
  // The result lies in this object's scratch until the next call; for orientation 1 it is `stored` itself.
  Planes run(const Planes& stored, Size stored_size, int orientation);

 private:
  std::vector<uint8_t> buffer_;
};

}  // namespace fastinet
