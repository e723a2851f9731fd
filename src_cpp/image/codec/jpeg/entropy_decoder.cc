#include "image/codec/jpeg/entropy_decoder.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "image/codec/jpeg/mcu_decoder.h"

namespace fastinet::jpeg {
namespace {

constexpr size_t kAlignment = 64;
struct AlignedDelete {
  void operator()(int16_t* p) const { ::operator delete[](p, std::align_val_t{kAlignment}); }
};

}  // namespace

struct EntropyDecoder::Impl {
  McuDecoder decoder;
  const Header* header = nullptr;
  const EntryPointView* entries = nullptr;
  McuWindow window;
  int row = 0;      // the next one
  int64_t mcu = 0;  // without entry points: where the decoder stands
  std::unique_ptr<int16_t[], AlignedDelete> coefficients;
  size_t capacity = 0;
  size_t used = 0;
  CoefficientTarget target{};
  std::array<CoefficientRows, kMaxComponents> rows;

  void lay_out();
  bool decode_from_entry(Decoded& failure);
  bool decode_onward();
};

// One stretch of memory for an MCU row of the window, all components.
void EntropyDecoder::Impl::lay_out() {
  used = 0;
  std::array<std::array<size_t, 2>, kMaxComponents> offset{};
  for (int c = 0; c < header->components; ++c) {
    const Component& component = header->component[c];
    rows[c].blocks = (window.right - window.left) * component.h;
    const size_t groups = (rows[c].blocks + kBlocksPerGroup - 1) / kBlocksPerGroup;
    for (int down = 0; down < component.v; ++down) {
      offset[c][down] = used;
      used += groups * kGroupStride;
    }
  }
  if (used > capacity) {
    coefficients.reset(
        static_cast<int16_t*>(::operator new[](used * sizeof(int16_t), std::align_val_t{kAlignment})));
    capacity = used;
  }
  for (int c = 0; c < header->components; ++c) {
    for (int down = 0; down < header->component[c].v; ++down) {
      rows[c].row[down] = target[c][down] = coefficients.get() + offset[c][down];
    }
  }
}

// Decodes the row from the last entry point at or before the window, and checks the last one that it passes.
bool EntropyDecoder::Impl::decode_from_entry(Decoded& failure) {
  failure = Decoded::kMismatch;
  const int spacing = entries->spacing();
  const int from = window.left / spacing;
  const int check = window.right / spacing;             // the last one that decoding passes or reaches
  const int beyond = (window.right - 1) / spacing + 1;  // the first one that it does not pass
  size_t limit = ScanReader::kUnlimited;
  if (beyond < entries->per_row()) {
    limit = entries->at(row, beyond).bit / 8 + 1;
  } else if (row + 1 < header->mcu_rows) {
    limit = entries->at(row + 1, 0).bit / 8 + 1;
  }
  if (!decoder.seek(int64_t{row} * header->mcu_columns + from * spacing, entries->at(row, from), limit)) {
    return false;
  }
  if (!decoder.skip(window.left - from * spacing)) return false;
  int column = window.left;
  if (check > from && check < entries->per_row()) {
    if (!decoder.decode(check * spacing - column, target, 0)) return false;
    column = check * spacing;
    const EntryPoint expected = entries->at(row, check);
    EntryPoint found;
    if (!decoder.entry(found) || found.bit != expected.bit || found.dc != expected.dc) return false;
  }
  return decoder.decode(window.right - column, target, column - window.left) && decoder.within();
}

// Decodes the row from wherever the decoder stands.
bool EntropyDecoder::Impl::decode_onward() {
  const int64_t left = int64_t{row} * header->mcu_columns + window.left;
  for (; mcu < left; mcu += std::min<int64_t>(left - mcu, header->mcu_columns)) {
    if (!decoder.skip(static_cast<int>(std::min<int64_t>(left - mcu, header->mcu_columns)))) return false;
  }
  const int columns = window.right - window.left;
  mcu += columns;
  return decoder.decode(columns, target, 0) && decoder.within();
}

EntropyDecoder::EntropyDecoder() : impl_(std::make_unique<Impl>()) {}
EntropyDecoder::~EntropyDecoder() = default;
EntropyDecoder::EntropyDecoder(EntropyDecoder&&) noexcept = default;
EntropyDecoder& EntropyDecoder::operator=(EntropyDecoder&&) noexcept = default;

Unsuited EntropyDecoder::begin(const Header& header, Bytes data, const EntryPointView& entries,
                               const McuWindow& window) {
  impl_->header = &header;
  impl_->entries = &entries;
  impl_->window = window;
  impl_->row = window.top;
  impl_->mcu = 0;
  const Skipping skipping = entries.empty() ? Skipping::kMuch : Skipping::kLittle;
  if (!impl_->decoder.begin(header, data, skipping)) return Unsuited::kTables;
  if (entries.empty() && !impl_->decoder.seek(0, EntryPoint{})) return Unsuited::kTruncated;
  impl_->lay_out();
  return Unsuited::kNone;
}

Decoded EntropyDecoder::next_row() {
  Impl& impl = *impl_;
  if (impl.row >= impl.window.bottom) return Decoded::kEnd;
  std::memset(impl.coefficients.get(), 0, impl.used * sizeof(int16_t));
  Decoded failure = Decoded::kCorrupt;
  if (!(impl.entries->empty() ? impl.decode_onward() : impl.decode_from_entry(failure))) return failure;
  ++impl.row;
  return Decoded::kRow;
}

const CoefficientRows& EntropyDecoder::rows(int component) const { return impl_->rows[component]; }

}  // namespace fastinet::jpeg
