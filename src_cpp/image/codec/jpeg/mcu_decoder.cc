#include "image/codec/jpeg/mcu_decoder.h"

#include <algorithm>
#include <limits>

#include "image/codec/blocks/block-inl.h"
#include "image/codec/jpeg/entropy_decoder.h"
#include "image/codec/jpeg/zigzag.h"

namespace fastinet::jpeg {
namespace {

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

// The functions below return 0, or what is not 0 for codes, runs or values that no 8-bit JPEG holds.

// Decodes one block into `out`, the block's place in its (zero) group, if kStore.
template <bool kStore>
[[gnu::always_inline]] inline uint32_t decode_block(BitReader& reader, const HuffmanTable& dc_table,
                                                    const HuffmanTable& ac_table, int& dc, int16_t* out) {
  BitReader r = reader;
  const uint32_t bad = decode_dc(r, dc_table, dc);
  if constexpr (kStore) out[0] = static_cast<int16_t>(dc);

  // A refill lasts for as many look-ups; a code or value that does not fit the look-up starts anew.
  constexpr int kLookupsPerRefill = 56 / HuffmanTable::kLookupBits;
  uint32_t k = 1;
  do {
    r.refill();
    for (int i = 0; i < kLookupsPerRefill; ++i) {
      HuffmanEntry e = ac_table.lookup(r.bits);
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
  reader = r;
  return bad | !is_block_end(k);
}

// Passes over one block but for its DC coefficient.
[[gnu::always_inline]] inline uint32_t skip_block(BitReader& reader, const HuffmanTable& dc_table,
                                                  const HuffmanTable& ac_table, const SkipTable& skip_table,
                                                  int& dc) {
  BitReader r = reader;
  const uint32_t bad = decode_dc(r, dc_table, dc);
  constexpr int kLookupsPerRefill = 56 / SkipTable::kMaxBits;
  uint32_t k = 1;
  for (;;) {
    r.refill();
    for (int i = 0; i < kLookupsPerRefill; ++i) {
      uint32_t e = skip_table.lookup(r.bits);
      const uint32_t next = k + SkipTable::advance(e);
      if (next < 64) {
        r.consume(e);
        k = next;
        continue;
      }
      if (is_skipped_block_end(next)) {
        r.consume(e);
        reader = r;
        return bad;
      }
      // The look-up shows no whole code, or codes of the next block too: one code at a time.
      if (skip_coefficient(r, ac_table, k)) return 1;
      if (k >= 64) {
        reader = r;
        return bad | !is_block_end(k);
      }
      break;
    }
  }
}

}  // namespace

bool McuDecoder::begin(const Header& header, Bytes data, Skipping skipping) {
  scan_ = data.subspan(header.scan_offset);
  restart_interval_ = header.restart_interval;
  blocks_per_mcu_ = 0;
  for (int c = 0; c < header.components; ++c) {
    const Component& component = header.component[c];
    const HuffmanTable* dc = cache_.get(component.dc_table, TableKind::kDc);
    const HuffmanTable* ac = cache_.get(component.ac_table, TableKind::kAc);
    if (!dc || !ac) return false;
    const SkipTable* skip = skipping == Skipping::kMuch ? cache_.skip_table(ac) : nullptr;
    for (uint8_t down = 0; down < component.v; ++down) {
      for (uint8_t across = 0; across < component.h; ++across) {
        blocks_[blocks_per_mcu_++] = {dc, ac, skip, static_cast<uint8_t>(c), component.h, across, down};
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

template <class BeginMcu, class DecodeBlock>
bool McuDecoder::run(int mcus, int first, const BeginMcu& begin_mcu, const DecodeBlock& decode_block) {
  const int last = first + mcus;
  while (first < last) {
    if (!restart_if_due()) return false;
    const int stop = static_cast<int>(std::min<int64_t>(last, first + until_restart_));
    until_restart_ -= stop - first;
    BitReader bits = bits_;
    for (; first < stop; ++first) {
      if (!reader_.ensure(bits) || !begin_mcu(bits)) return false;
      uint32_t bad = 0;
      for (int b = 0; b < blocks_per_mcu_; ++b) {
        bad |= decode_block(bits, blocks_[b], dc_[blocks_[b].component], static_cast<uint32_t>(first));
      }
      if (bad != 0) return false;
    }
    bits_ = bits;
  }
  return true;
}

template <class BeginMcu>
bool McuDecoder::pass(int mcus, const BeginMcu& begin_mcu) {
  if (blocks_[0].skip) {
    return run(mcus, 0, begin_mcu, [](BitReader& bits, const Block& block, int& dc, uint32_t) {
      return skip_block(bits, *block.dc, *block.ac, *block.skip, dc);
    });
  }
  return run(mcus, 0, begin_mcu, [](BitReader& bits, const Block& block, int& dc, uint32_t) {
    return decode_block<false>(bits, *block.dc, *block.ac, dc, nullptr);
  });
}

bool McuDecoder::skip(int mcus) {
  return pass(mcus, [](const BitReader&) { return true; });
}

bool McuDecoder::index(int mcus, std::vector<EntryPoint>& entries) {
  return pass(mcus, [&](const BitReader& bits) {
    if (!reader_.within(bits)) return false;
    EntryPoint entry;
    entry.bit = static_cast<uint32_t>(reader_.position(bits));
    for (int c = 0; c < kMaxComponents; ++c) entry.dc[c] = static_cast<int16_t>(dc_[c]);
    entries.push_back(entry);
    return true;
  });
}

bool McuDecoder::decode(int mcus, const CoefficientTarget& target, int first) {
  return run(
      mcus, first, [](const BitReader&) { return true; },
      [&](BitReader& bits, const Block& block, int& dc, uint32_t mcu) {
        const uint32_t column = mcu * block.h + block.across;
        int16_t* out = target[block.component][block.down] + column / kBlocksPerGroup * kGroupStride +
                       column % kBlocksPerGroup * 8;
        return decode_block<true>(bits, *block.dc, *block.ac, dc, out);
      });
}

bool McuDecoder::entry(EntryPoint& entry) {
  if (!restart_if_due() || !within()) return false;
  entry.bit = static_cast<uint32_t>(reader_.position(bits_));
  for (int c = 0; c < kMaxComponents; ++c) entry.dc[c] = static_cast<int16_t>(dc_[c]);
  return true;
}

}  // namespace fastinet::jpeg
