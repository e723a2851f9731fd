#include "image/resample/resampler.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/aligned_buffer.h"
#include "image/resample/coefficients.h"
#include "image/resample/kernels.h"
#include "simd/level.h"

namespace fastinet {
namespace {

// The number of source rows that the horizontal pass processes at once: it loads its tables once for all of
// them, and they stay in the first-level cache until the vertical pass reads them.
constexpr int kBatchRows = 16;

std::atomic<bool> heights_may_come_first{true};

// The part of the view that is inside of the resized crop, and its place in the sample, which begins with
// `left` zero columns and `top` zero rows and ends with zeros after the resampled ones.
struct Plan {
  int crop_top = 0, crop_left = 0;  // of the source's first sample, in the image at 1/scale
  Axis columns;
  Axis rows;
  int left = 0;
  int top = 0;

  // Pillow's ImagingResampleInner; see follow_pillow().
  bool vertical_first() const {
    if (!heights_may_come_first) return false;
    const int64_t fewer_rows = int64_t{rows.in} - rows.out;
    const int64_t fewer_columns = int64_t{columns.in} - columns.out;
    return rows.resampled() && columns.resampled() && fewer_rows > 0 && fewer_rows > 2 * fewer_columns;
  }
  bool empty() const { return columns.outputs() <= 0 || rows.outputs() <= 0; }
};

// Finds the samples at 1/scale that the interval [begin, end) touches, and its ends within them.
void place(int begin, int end, int scale, int* first, Axis* axis) {
  *first = begin / scale;
  const int last = (end + scale - 1) / scale;
  axis->in = last - *first;
  axis->begin = static_cast<double>(begin) / scale - *first;
  axis->beyond = last - static_cast<double>(end) / scale;
}

Plan make_plan(const Geometry& g, int scale) {
  Plan plan;
  plan.columns = {.out = g.size.width,
                  .first = std::max(0, g.view.left),
                  .last = std::min(g.size.width, g.view.right()),
                  .reversed = g.flip,
                  .interpolation = g.interpolation};
  plan.rows = {.out = g.size.height,
               .first = std::max(0, g.view.top),
               .last = std::min(g.size.height, g.view.bottom()),
               .interpolation = g.interpolation};
  place(g.crop.left, g.crop.right(), scale, &plan.crop_left, &plan.columns);
  place(g.crop.top, g.crop.bottom(), scale, &plan.crop_top, &plan.rows);
  plan.left = g.flip ? g.view.right() - plan.columns.last : plan.columns.first - g.view.left;
  plan.top = plan.rows.first - g.view.top;
  return plan;
}

// One pass, with the coefficients of its axis, which are kept as long as the axis stays the same.
struct Pass {
  Axis axis;
  Coefficients coefficients;
  PackedCoefficients packed;

  void prepare(const Axis& wanted, void (*pack)(const Coefficients&, PackedCoefficients*)) {
    if (wanted == axis) return;
    compute_coefficients(wanted, &coefficients);
    pack(coefficients, &packed);
    axis = wanted;
  }
};

}  // namespace

void follow_pillow(int major_version) { heights_may_come_first = major_version >= 13; }

Rect source_region(const Geometry& geometry, int scale) {
  const Plan plan = make_plan(geometry, scale);
  if (plan.empty()) return {};
  const Interval x = source_interval(plan.columns);
  const Interval y = source_interval(plan.rows);
  return {plan.crop_top + y.begin, plan.crop_left + x.begin, y.end - y.begin, x.end - x.begin};
}

struct Resampler::Impl {
  void start(const Planes& planes, const Geometry& geometry);
  RgbRow next_row();

 private:
  void resample_columns(int end);
  RgbRow source_row(int source);
  RgbRow side_by_side(const uint8_t* first) const;
  RgbRow resample_rows(int output);
  RgbRow resample_rows_first(int output);
  void list_taps(int output, const uint8_t* column);
  RgbRow pad(const RgbRow& finished);
  uint8_t* ring_row(int source) { return ring.data() + (source & (ring_rows - 1)) * ring_stride; }

  const ResampleKernels* kernels = &resample_kernels();
  Pass columns, rows;

  // State of one sample. Rows are numbered within the crop.
  Plan plan;
  int next = 0;  // row of the sample
  int channels = 3;
  int width = 0;  // resampled columns
  int view_width = 0;
  bool vertical_first = false;
  bool through_ring = false;             // whether the columns are resampled or reversed
  std::array<const uint8_t*, 3> origin;  // of the crop's sample (0, 0)
  ptrdiff_t stride = 0;
  int done = 0;       // the rows before this one are or were in the ring
  int rows_end = 0;   // the rows before this one are needed
  int ring_rows = 0;  // a power of two
  ptrdiff_t ring_stride = 0;
  AlignedBuffer<uint8_t> ring;    // horizontally resampled rows, the channels of a row side by side
  AlignedBuffer<uint8_t> tall;    // vertical first: a batch of rows between the vertical and horizontal pass
  AlignedBuffer<uint8_t> row;     // one resampled row, the channels side by side
  AlignedBuffer<uint8_t> padded;  // one row with its zero columns, the channels side by side; a row of zeros
  std::vector<const uint8_t*> taps;  // the rows that one output row reads
};

void Resampler::Impl::start(const Planes& planes, const Geometry& geometry) {
  plan = make_plan(geometry, planes.scale);
  view_width = geometry.view.width;
  next = 0;
  if (plan.empty() || plan.columns.outputs() < geometry.view.width ||
      plan.rows.outputs() < geometry.view.height) {
    padded.reserve(static_cast<size_t>(view_width) * 4);
    std::memset(padded.data(), 0, static_cast<size_t>(view_width) * 4);
  }
  if (plan.empty()) return;

  channels = planes.channels;
  width = plan.columns.outputs();
  stride = planes.stride;
  for (int c = 0; c < 3; ++c) {
    origin[c] = planes.plane[c] + (plan.crop_top - planes.region.top) * stride +
                (plan.crop_left - planes.region.left);
  }
  if (plan.rows.resampled()) rows.prepare(plan.rows, kernels->pack_vertical);
  vertical_first = plan.vertical_first();
  through_ring = plan.columns.resampled() || plan.columns.reversed;
  if (through_ring) {
    columns.prepare(plan.columns, kernels->pack_horizontal);
    const Interval needed = source_interval(plan.rows);
    done = vertical_first ? 0 : needed.begin;
    rows_end = vertical_first ? plan.rows.outputs() : needed.end;
    const int in_use = plan.rows.resampled() && !vertical_first ? rows.coefficients.stride : 1;
    ring_rows = static_cast<int>(std::bit_ceil(static_cast<unsigned>(in_use + kBatchRows)));
    ring_stride = static_cast<ptrdiff_t>(width) * channels + kRowPadding;
    ring.reserve(static_cast<size_t>(ring_rows) * ring_stride);
  }
  row.reserve(static_cast<size_t>(width) * channels + kRowPadding);
}

RgbRow Resampler::Impl::next_row() {
  const int output = next++ - plan.top;
  if (plan.empty() || output < 0 || output >= plan.rows.outputs()) {
    const uint8_t* const zeros = padded.data() + static_cast<size_t>(view_width) * 3;
    return {zeros, zeros, zeros};
  }
  const RgbRow finished = vertical_first          ? resample_rows_first(output)
                          : plan.rows.resampled() ? resample_rows(output)
                                                  : source_row(plan.rows.first + output);
  return width < view_width ? pad(finished) : finished;
}

// Fills the ring with the rows before `end`, in batches.
void Resampler::Impl::resample_columns(int end) {
  while (done < end) {
    int batch = std::min(kBatchRows, rows_end - done);
    batch = std::min(batch, ring_rows - (done & (ring_rows - 1)));
    for (int c = 0; c < channels; ++c) {
      kernels->horizontal(columns.packed, origin[c] + done * stride, stride, batch,
                          ring_row(done) + static_cast<ptrdiff_t>(c) * width, ring_stride);
    }
    done += batch;
  }
}

// Returns a row before the vertical pass, from the first column that is needed.
RgbRow Resampler::Impl::source_row(int source) {
  if (!through_ring) {
    const ptrdiff_t offset = source * stride + plan.columns.first;
    return {origin[0] + offset, origin[1] + offset, origin[2] + offset};
  }
  resample_columns(source + 1);
  return side_by_side(ring_row(source));
}

// Returns the row at `first`, whose channels are side by side.
RgbRow Resampler::Impl::side_by_side(const uint8_t* first) const {
  if (channels == 1) return {first, first, first};
  return {first, first + width, first + 2 * static_cast<ptrdiff_t>(width)};
}

RgbRow Resampler::Impl::resample_rows(int output) {
  if (through_ring) {
    const int begin = rows.coefficients.begin[output];
    const int count = rows.coefficients.count[output];
    resample_columns(begin + count);
    taps.resize(rows.coefficients.stride + kRowsBeyond);
    for (int k = 0; k < static_cast<int>(taps.size()); ++k)
      taps[k] = ring_row(begin + std::min(k, count - 1));
    kernels->vertical(rows.packed, output, taps.data(), width * channels, row.data());
  } else {
    for (int c = 0; c < channels; ++c) {
      list_taps(output, origin[c] + plan.columns.first);
      kernels->vertical(rows.packed, output, taps.data(), width,
                        row.data() + static_cast<ptrdiff_t>(c) * width);
    }
  }
  return side_by_side(row.data());
}

// The same with the vertical pass first. `done` counts output rows here.
RgbRow Resampler::Impl::resample_rows_first(int output) {
  if (output == done) {
    const Interval x = source_interval(plan.columns);
    const ptrdiff_t tall_stride = x.end + kRowPadding;
    const int batch = std::min({kBatchRows, rows_end - done, ring_rows - (done & (ring_rows - 1))});
    tall.reserve(static_cast<size_t>(tall_stride) * kBatchRows);
    for (int c = 0; c < channels; ++c) {
      for (int i = 0; i < batch; ++i) {
        list_taps(done + i, origin[c] + x.begin);
        kernels->vertical(rows.packed, done + i, taps.data(), x.end - x.begin,
                          tall.data() + i * tall_stride + x.begin);
      }
      kernels->horizontal(columns.packed, tall.data(), tall_stride, batch,
                          ring_row(done) + static_cast<ptrdiff_t>(c) * width, ring_stride);
    }
    done += batch;
  }
  return side_by_side(ring_row(output));
}

// Lists in `taps` the source rows that output row `output` reads, at the column that `column` points to in
// row 0.
void Resampler::Impl::list_taps(int output, const uint8_t* column) {
  const int begin = rows.coefficients.begin[output];
  const int last = rows.coefficients.count[output] - 1;
  taps.resize(rows.coefficients.stride + kRowsBeyond);
  for (int k = 0; k < static_cast<int>(taps.size()); ++k)
    taps[k] = column + (begin + std::min(k, last)) * stride;
}

// Returns the row with the zero columns on both sides.
RgbRow Resampler::Impl::pad(const RgbRow& finished) {
  RgbRow result;
  for (int c = 0; c < 3; ++c) {
    uint8_t* const to = padded.data() + static_cast<ptrdiff_t>(c) * view_width;
    std::memcpy(to + plan.left, finished[c], width);
    result[c] = to;
  }
  return result;
}

Resampler::Resampler() : impl_(std::make_unique<Impl>()) {}
Resampler::~Resampler() = default;
Resampler::Resampler(Resampler&&) noexcept = default;
Resampler& Resampler::operator=(Resampler&&) noexcept = default;

void Resampler::start(const Planes& planes, const Geometry& geometry) { impl_->start(planes, geometry); }
RgbRow Resampler::next_row() { return impl_->next_row(); }

}  // namespace fastinet
