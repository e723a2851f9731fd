#include "image/codec/jpeg/entry_points.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <limits>

namespace fastinet::jpeg {
namespace {

static_assert(std::endian::native == std::endian::little, "fields are loaded as they lie");

template <typename T>
T load(const uint8_t* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

// `width` (at most 57) bits from bit `at` on. An empty field may lie at the very end, where 8 bytes cannot be
// loaded.
uint64_t field(const uint8_t* bits, uint64_t at, int width) {
  if (width == 0) return 0;
  return load<uint64_t>(bits + (at >> 3)) >> (at & 7) & ((uint64_t{1} << width) - 1);
}

int entries_per_row(int columns, int spacing) { return (columns + spacing - 1) / spacing; }

// The widths and bases that a set of entries needs.
struct Packing {
  int row_bits = 0, column_bits = 0;
  std::array<int, kMaxComponents> dc_bits{};
  std::array<int16_t, kMaxComponents> dc_least{};

  int predictor_bits() const { return dc_bits[0] + dc_bits[1] + dc_bits[2]; }
  size_t size(int rows, int per_row) const {
    const uint64_t record =
        row_bits + predictor_bits() + static_cast<uint64_t>(per_row - 1) * (column_bits + predictor_bits());
    return EntryPointView::kHeaderSize + (rows * record + 7) / 8 + EntryPointView::kPadding;
  }
};

Packing packing(const Header& header, const std::vector<EntryPoint>& entries, int spacing) {
  Packing p;
  uint32_t last_row = 0, longest = 0;
  std::array<int16_t, kMaxComponents> least, most;
  least.fill(std::numeric_limits<int16_t>::max());
  most.fill(std::numeric_limits<int16_t>::min());
  for (int row = 0; row < header.mcu_rows; ++row) {
    const EntryPoint* first = &entries[static_cast<size_t>(row) * header.mcu_columns];
    for (int column = 0; column < header.mcu_columns; column += spacing) {
      longest = std::max(longest, first[column].bit - first->bit);
      for (int c = 0; c < header.components; ++c) {
        least[c] = std::min(least[c], first[column].dc[c]);
        most[c] = std::max(most[c], first[column].dc[c]);
      }
    }
    last_row = std::max(last_row, first->bit);
  }
  p.row_bits = std::bit_width(last_row);
  p.column_bits = std::bit_width(longest);
  for (int c = 0; c < header.components; ++c) {
    p.dc_least[c] = least[c];
    p.dc_bits[c] = std::bit_width(static_cast<unsigned>(most[c] - least[c]));
  }
  return p;
}

// Writes fields of at most 57 bits into zeros, 8 bytes at a time: kPadding follows the last of them.
class BitWriter {
 public:
  explicit BitWriter(uint8_t* out) : out_(out) {}
  void put(uint64_t value, int width) {
    if (width == 0) return;
    uint8_t* const to = out_ + (at_ >> 3);
    const uint64_t bits = load<uint64_t>(to) | value << (at_ & 7);
    std::memcpy(to, &bits, sizeof bits);
    at_ += width;
  }

 private:
  uint8_t* out_;
  uint64_t at_ = 0;
};

template <typename T>
void store(uint8_t* p, T value) {
  std::memcpy(p, &value, sizeof value);
}

}  // namespace

EntryPointView EntryPointView::open(Bytes bytes, const Header& header, size_t file_size) {
  if (bytes.size() < kHeaderSize + kPadding || bytes[0] != kVersion) return {};
  const uint8_t* p = bytes.data();
  EntryPointView view;
  Packing packed;
  packed.row_bits = p[1];
  packed.column_bits = p[2];
  view.spacing_ = load<uint16_t>(p + 12);
  if (packed.row_bits > 32 || packed.column_bits > 32 || view.spacing_ == 0 ||
      load<uint16_t>(p + 14) != header.mcu_columns || load<uint16_t>(p + 16) != header.mcu_rows ||
      load<uint32_t>(p + 18) != file_size) {
    return {};
  }
  for (int c = 0; c < kMaxComponents; ++c) {
    packed.dc_bits[c] = p[3 + c];
    view.dc_least_[c] = load<int16_t>(p + 6 + 2 * c);
    std::atomic_signal_fence(std::memory_order_seq_cst);  // read once: the bytes may change meanwhile
    if (packed.dc_bits[c] > (c < header.components ? kMaxDcBits : 0)) return {};
    if (view.dc_least_[c] < -(1 << (kMaxDcBits - 1)) || view.dc_least_[c] >= 1 << (kMaxDcBits - 1)) return {};
    view.dc_bits_[c] = static_cast<uint8_t>(packed.dc_bits[c]);
  }
  view.per_row_ = entries_per_row(header.mcu_columns, view.spacing_);
  if (bytes.size() != packed.size(header.mcu_rows, view.per_row_)) return {};
  view.row_bits_ = static_cast<uint8_t>(packed.row_bits);
  view.column_bits_ = static_cast<uint8_t>(packed.column_bits);
  view.predictor_bits_ = static_cast<uint8_t>(packed.predictor_bits());
  view.row_record_ = view.row_bits_ + view.predictor_bits_ +
                     static_cast<uint64_t>(view.per_row_ - 1) * (view.column_bits_ + view.predictor_bits_);
  view.bits_ = p + kHeaderSize;
  return view;
}

EntryPoint EntryPointView::at(int row, int index) const {
  uint64_t at = row * row_record_;
  EntryPoint entry;
  entry.bit = static_cast<uint32_t>(field(bits_, at, row_bits_));
  at += row_bits_;
  if (index > 0) {
    at += predictor_bits_ + static_cast<uint64_t>(index - 1) * (column_bits_ + predictor_bits_);
    entry.bit += static_cast<uint32_t>(field(bits_, at, column_bits_));
    at += column_bits_;
  }
  uint64_t predictors = field(bits_, at, predictor_bits_);
  for (int c = 0; c < kMaxComponents; ++c) {
    const uint64_t mask = (uint64_t{1} << dc_bits_[c]) - 1;
    entry.dc[c] = static_cast<int16_t>(dc_least_[c] + static_cast<int>(predictors & mask));
    predictors >>= dc_bits_[c];
  }
  return entry;
}

std::vector<uint8_t> pack_entry_points(const Header& header, size_t file_size,
                                       const std::vector<EntryPoint>& entries, int spacing) {
  const Packing p = packing(header, entries, spacing);
  std::vector<uint8_t> out(p.size(header.mcu_rows, entries_per_row(header.mcu_columns, spacing)));
  out[0] = EntryPointView::kVersion;
  out[1] = static_cast<uint8_t>(p.row_bits);
  out[2] = static_cast<uint8_t>(p.column_bits);
  for (int c = 0; c < kMaxComponents; ++c) {
    out[3 + c] = static_cast<uint8_t>(p.dc_bits[c]);
    store(&out[6 + 2 * c], p.dc_least[c]);
  }
  store(&out[12], static_cast<uint16_t>(spacing));
  store(&out[14], static_cast<uint16_t>(header.mcu_columns));
  store(&out[16], static_cast<uint16_t>(header.mcu_rows));
  store(&out[18], static_cast<uint32_t>(file_size));
  BitWriter writer(&out[EntryPointView::kHeaderSize]);
  for (int row = 0; row < header.mcu_rows; ++row) {
    const EntryPoint* first = &entries[static_cast<size_t>(row) * header.mcu_columns];
    for (int column = 0; column < header.mcu_columns; column += spacing) {
      if (column == 0) {
        writer.put(first->bit, p.row_bits);
      } else {
        writer.put(first[column].bit - first->bit, p.column_bits);
      }
      for (int c = 0; c < header.components; ++c)
        writer.put(static_cast<uint64_t>(first[column].dc[c] - p.dc_least[c]), p.dc_bits[c]);
    }
  }
  return out;
}

std::vector<uint8_t> pack_entry_points(const Header& header, size_t file_size,
                                       const std::vector<EntryPoint>& entries, double share) {
  const double budget = share * static_cast<double>(file_size);
  // Every spacing has the widths of this bound or less.
  const Packing bound = packing(header, entries, 1);
  int spacing = 1;
  while (spacing<header.mcu_columns&& static_cast<double>(
             bound.size(header.mcu_rows, entries_per_row(header.mcu_columns, spacing)))>
             budget) {
    ++spacing;
  }
  return pack_entry_points(header, file_size, entries, spacing);
}

}  // namespace fastinet::jpeg
