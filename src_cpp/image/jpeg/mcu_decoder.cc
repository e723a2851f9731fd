#include "image/jpeg/mcu_decoder.h"

#include <algorithm>
#include <limits>

#include "image/jpeg/entropy_decoder.h"
#include "image/jpeg/zigzag.h"

namespace fastinet::jpeg {
namespace {

// Sizes beyond these do not occur in 8-bit data (T.81 tables F.1 and F.2).
constexpr int kMaxDcSize = 11;
constexpr int kMaxAcSize = 10;
constexpr int kDcBound = 2048;

// Where in a group its first block's coefficient lies at which k arrives, counting from 1 for the DC
// coefficient. Beyond 64, where broken runs and the end of a block lead, it is a slot that nobody reads.
constexpr auto kSlot = [] {
  std::array<uint16_t, 64 + kEndOfBlock> slot{};
  slot.fill(64 * kBlocksPerGroup);
  for (int k = 0; k < 64; ++k) {
    slot[k + 1] = static_cast<uint16_t>((kZigzag[k] >> 3) * 8 * kBlocksPerGroup + (kZigzag[k] & 7));
  }
  return slot;
}();

// Decodes one block into `out`, the block's place in its (zero) group, if kStore. Returns 0, or what is not
// 0 for codes, runs or values that no 8-bit JPEG holds.
template <bool kStore>
[[gnu::always_inline]] inline uint32_t decode_block(BitReader& reader, const HuffmanTable& dc_table,
                                                    const HuffmanTable& ac_table, int& dc, int16_t* out) {
  BitReader r = reader;
  r.refill();
  HuffmanEntry e = dc_table.lookup(r.bits);
  if (e & (kPartial | kLong)) [[unlikely]] {
    if (e & kLong) e = dc_table.find(r.bits);
    if (e == 0) return 1;
    r.consume(e);
    if (e & kPartial) {
      const int size = entry_size(e);
      if (size > kMaxDcSize) return 1;
      dc += r.value(size);
    }
  } else {
    r.consume(e);
    dc += entry_value(e);
  }
  uint32_t bad = static_cast<uint32_t>(dc + kDcBound) & ~uint32_t{2 * kDcBound - 1};
  if constexpr (kStore) out[0] = static_cast<int16_t>(dc);

  // A refill lasts for as many look-ups; a code or value that does not fit the look-up starts anew.
  constexpr int kLookupsPerRefill = 56 / HuffmanTable::kLookupBits;
  uint32_t k = 1;
  do {
    r.refill();
    for (int i = 0; i < kLookupsPerRefill; ++i) {
      e = ac_table.lookup(r.bits);
      if (e & (kPartial | kLong)) [[unlikely]] {
        r.refill();
        if (e & kLong) e = ac_table.find(r.bits);
        if (e == 0) return 1;
        r.consume(e);
        k += entry_advance(e);
        if (e & kPartial) {
          const int size = entry_size(e);
          if (size > kMaxAcSize) return 1;
          const int value = r.value(size);
          if constexpr (kStore) out[kSlot[k]] = static_cast<int16_t>(value);
        }
        break;
      }
      k += entry_advance(e);
      r.consume(e);
      if constexpr (kStore) out[kSlot[k]] = static_cast<int16_t>(e >> 16);
      if (k >= 64) break;
    }
  } while (k < 64);
  // 64: the last coefficient; kEndOfBlock + 1 to kEndOfBlock + 63: the end of the block; 65 to 79: a run
  // beyond the block.
  bad |= static_cast<uint32_t>((k & (kEndOfBlock - 1)) > 64);
  reader = r;
  return bad;
}

}  // namespace

bool McuDecoder::begin(const Header& header, Bytes data) {
  scan_ = data.subspan(header.scan_offset);
  restart_interval_ = header.restart_interval;
  blocks_per_mcu_ = 0;
  for (int c = 0; c < header.components; ++c) {
    const Component& component = header.component[c];
    const HuffmanTable* dc = cache_.get(component.dc_table, TableKind::kDc);
    const HuffmanTable* ac = cache_.get(component.ac_table, TableKind::kAc);
    if (!dc || !ac) return false;
    for (uint8_t down = 0; down < component.v; ++down) {
      for (uint8_t across = 0; across < component.h; ++across) {
        blocks_[blocks_per_mcu_++] = {dc, ac, static_cast<uint8_t>(c), component.h, across, down};
      }
    }
  }
  return true;
}

bool McuDecoder::seek(int64_t mcu, const EntryPoint& entry, size_t limit) {
  dc_ = {entry.dc[0], entry.dc[1], entry.dc[2]};
  until_restart_ = std::numeric_limits<int64_t>::max();
  if (restart_interval_ > 0) {
    until_restart_ = restart_interval_ - mcu % restart_interval_;
    next_restart_ = static_cast<int>(mcu / restart_interval_ & 7);
  }
  return reader_.seek(scan_, entry.bit, limit, bits_);
}

bool McuDecoder::restart_if_due() {
  if (until_restart_ > 0) return true;
  if (!reader_.restart(next_restart_, bits_)) return false;
  dc_ = {};
  until_restart_ = restart_interval_;
  next_restart_ = (next_restart_ + 1) & 7;
  return true;
}

template <bool kStore>
bool McuDecoder::run(int mcus, const CoefficientTarget* target, int first) {
  const int last = first + mcus;
  uint32_t bad = 0;
  while (first < last) {
    if (!restart_if_due()) return false;
    const int stop = static_cast<int>(std::min<int64_t>(last, first + until_restart_));
    until_restart_ -= stop - first;
    BitReader bits = bits_;
    for (; first < stop; ++first) {
      if (!reader_.ensure(bits)) return false;
      for (int b = 0; b < blocks_per_mcu_; ++b) {
        const Block& block = blocks_[b];
        int16_t* out = nullptr;
        if constexpr (kStore) {
          const uint32_t column = static_cast<uint32_t>(first) * block.h + block.across;
          out = (*target)[block.component][block.down] + column / kBlocksPerGroup * kGroupStride +
                column % kBlocksPerGroup * 8;
        }
        bad |= decode_block<kStore>(bits, *block.dc, *block.ac, dc_[block.component], out);
      }
      if (bad != 0) return false;
    }
    bits_ = bits;
  }
  return true;
}

bool McuDecoder::skip(int mcus) { return run<false>(mcus, nullptr, 0); }

bool McuDecoder::decode(int mcus, const CoefficientTarget& target, int first) {
  return run<true>(mcus, &target, first);
}

bool McuDecoder::entry(EntryPoint& entry) {
  if (!restart_if_due() || !within()) return false;
  entry.bit = static_cast<uint32_t>(reader_.position(bits_));
  for (int c = 0; c < kMaxComponents; ++c) entry.dc[c] = static_cast<int16_t>(dc_[c]);
  return true;
}

}  // namespace fastinet::jpeg
