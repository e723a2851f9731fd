#include "image/orientation.h"

namespace fastinet {
namespace {

// Every orientation mirrors the rows, the columns, both or neither of the stored image, and may then
// transpose it.
struct Steps {
  bool mirror_columns;
  bool mirror_rows;
  bool transpose;
};

Steps steps_of(int orientation) {
  switch (orientation) {
    case 2:
      return {true, false, false};
    case 3:
      return {true, true, false};
    case 4:
      return {false, true, false};
    case 5:
      return {false, false, true};
    case 6:
      return {false, true, true};
    case 7:
      return {true, true, true};
    case 8:
      return {true, false, true};
    default:
      return {false, false, false};
  }
}

Rect transposed(const Rect& r) { return {r.left, r.top, r.width, r.height}; }

// Mirroring is its own inverse.
Rect mirrored(Rect r, Size image, const Steps& steps) {
  if (steps.mirror_columns) r.left = image.width - r.right();
  if (steps.mirror_rows) r.top = image.height - r.bottom();
  return r;
}

}  // namespace

Size turned(Size stored, int orientation) {
  return swaps_sides(orientation) ? Size{stored.width, stored.height} : stored;
}

Rect stored_rect(const Rect& upright, Size stored, int orientation) {
  const Steps steps = steps_of(orientation);
  return mirrored(steps.transpose ? transposed(upright) : upright, stored, steps);
}

Planes PlaneTurner::run(const Planes& stored, Size stored_size, int orientation) {
  if (orientation == 1) return stored;
  const Steps steps = steps_of(orientation);
  Planes out;
  out.channels = stored.channels;
  out.region = mirrored(stored.region, stored_size, steps);
  if (steps.transpose) out.region = transposed(out.region);
  const size_t stride = static_cast<size_t>(out.region.width) + Planes::kReadPadding;
  const size_t plane_bytes = stride * static_cast<size_t>(out.region.height);
  buffer_.resize(plane_bytes * static_cast<size_t>(stored.channels));
  out.stride = static_cast<ptrdiff_t>(stride);

  // The distances in the stored planes from one column of the output to the next, and from one row to the
  // next.
  const ptrdiff_t column = steps.mirror_columns ? -1 : 1;
  const ptrdiff_t row = steps.mirror_rows ? -stored.stride : stored.stride;
  const ptrdiff_t across = steps.transpose ? row : column;
  const ptrdiff_t down = steps.transpose ? column : row;
  const ptrdiff_t origin = (steps.mirror_columns ? stored.region.width - 1 : 0) +
                           (steps.mirror_rows ? (stored.region.height - 1) * stored.stride : 0);
  for (int c = 0; c < 3; ++c) {
    if (c >= stored.channels) {
      out.plane[c] = out.plane[0];
      continue;
    }
    uint8_t* const to = buffer_.data() + plane_bytes * static_cast<size_t>(c);
    out.plane[c] = to;
    for (int y = 0; y < out.region.height; ++y) {
      const uint8_t* from = stored.plane[c] + origin + y * down;
      uint8_t* const to_row = to + static_cast<size_t>(y) * stride;
      for (int x = 0; x < out.region.width; ++x) to_row[x] = from[x * across];
    }
  }
  return out;
}

}  // namespace fastinet
