// One block's codes in the bits of a reader (T.81 F.2.2): what all that walk over a scan have in common. The
// functions return 0, or what is not 0 for codes, runs or values that no 8-bit JPEG holds.
#pragma once

#include <cstdint>

#include "image/codec/jpeg/bit_reader.h"
#include "image/codec/jpeg/huffman.h"

namespace fastinet::jpeg {

inline constexpr int kDcBound = 2048;

inline uint32_t beyond_dc_bound(int dc) {
  return static_cast<uint32_t>(dc + kDcBound) & ~uint32_t{2 * kDcBound - 1};
}

// Adds the next difference to `dc`.
[[gnu::always_inline]] inline uint32_t decode_dc(BitReader& r, const HuffmanTable& table, int& dc) {
  r.refill();
  HuffmanEntry e = table.lookup(r.bits);
  if (e & (kPartial | kLong)) [[unlikely]] {
    if (e & kLong) e = table.find(r.bits);
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
  return beyond_dc_bound(dc);
}

// Passes over one coefficient, of any code.
inline uint32_t skip_coefficient(BitReader& r, const HuffmanTable& ac_table, uint32_t& k) {
  r.refill();
  const HuffmanEntry e = ac_table.find(r.bits);
  if (e == 0) return 1;
  r.consume(e);
  k += entry_advance(e);
  if (e & kPartial) {
    if (entry_size(e) > kMaxAcSize) return 1;
    r.consume(static_cast<uint32_t>(entry_size(e)));
  }
  return 0;
}

// Where decoding a block has ended: at 64 with its last coefficient, or within this range with the code for
// the end of the block. 65 to 79 is a run beyond the block.
inline bool is_block_end(uint32_t k) { return k == 64 || k - (kEndOfBlock + 1) < 63; }

// The same for a sum with the advance of a SkipTable's entry.
inline bool is_skipped_block_end(uint32_t k) { return k == 64 || k - (SkipTable::kEndOfBlock + 1) < 63; }

}  // namespace fastinet::jpeg
