// Huffman decoding tables (T.81 annexes C and F.2.2.3) that give run, size and, where it fits, the value of
// a coefficient in one look-up.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "image/codec/jpeg/header.h"

namespace fastinet::jpeg {

enum class TableKind : uint8_t { kDc, kAc };

// One entry, packed in 32 bits:
//   bits 0-5    bits to consume: code and value (code only, if kPartial)
//   bit 6       kPartial: the value's bits follow the code, did not fit the look-up
//   bit 7       kLong: the code itself is longer than the look-up, or none; see HuffmanTable::find
//   bits 8-15   coefficients to advance: the zeros before this one, and itself; kEndOfBlock: none follows
//   bits 16-31  the coefficient, signed (its size in bits, if kPartial)
using HuffmanEntry = uint32_t;
inline constexpr HuffmanEntry kPartial = 1u << 6;
inline constexpr HuffmanEntry kLong = 1u << 7;
inline constexpr uint32_t kEndOfBlock = 128;  // > 63 + any advance, so that a sum still tells the two apart

// Sizes beyond these do not occur in 8-bit data (T.81 tables F.1 and F.2).
inline constexpr int kMaxDcSize = 11;
inline constexpr int kMaxAcSize = 10;

inline uint32_t entry_bits(HuffmanEntry e) { return e & 63; }
inline uint32_t entry_advance(HuffmanEntry e) { return e >> 8 & 255; }
inline int entry_value(HuffmanEntry e) { return static_cast<int16_t>(e >> 16); }
inline int entry_size(HuffmanEntry e) { return static_cast<int>(e >> 16); }

// Passes over coefficients of which nothing need be kept: as many whole ones as one look-up shows the codes
// of.
class SkipTable {
 public:
  static constexpr int kLookupBits = 12;
  static constexpr int kMaxBits = kLookupBits + kMaxAcSize;  // that an entry consumes
  // Advances: of a sum of coefficients that the end of the block follows, more than any sum without it can
  // reach; and of a window that shows no whole code.
  static constexpr uint32_t kEndOfBlock = 512;
  static constexpr uint32_t kNone = 256;
  static_assert(16 * kLookupBits < kNone && 16 * kLookupBits + kEndOfBlock < 1024);

  // bits 0-5: bits to consume; bits 6-15: coefficients to advance, with kEndOfBlock if its code is the last.
  uint32_t lookup(uint64_t window) const { return lookup_[window >> (64 - kLookupBits)]; }
  static uint32_t advance(uint32_t entry) { return entry >> 6; }

  // `spec` is that of an AC table which HuffmanTable::build accepts.
  void build(Bytes spec);

 private:
  std::array<uint16_t, size_t{1} << kLookupBits> lookup_;
};

class HuffmanTable {
 public:
  static constexpr int kLookupBits = 10;

  // `spec` is a DHT segment's table: 16 code counts, then the symbols. False for codes that libjpeg refuses:
  // more codes of a length than there is room for, a code of ones only, a DC size above 15.
  bool build(Bytes spec, TableKind kind);

  // The entry for the first kLookupBits of a window of bits whose first bit is the highest.
  HuffmanEntry lookup(uint64_t window) const { return lookup_[window >> (64 - kLookupBits)]; }

  // Without the value: a kPartial entry, or a complete one for codes that have none (zero difference, run of
  // 16, end of the block), or 0 when no code matches. For kLong, and where the value does not matter.
  HuffmanEntry find(uint64_t window) const;

  Bytes spec() const { return {spec_.data(), spec_size_}; }

  bool same(Bytes spec, TableKind kind) const {
    return kind == kind_ && spec.size() == spec_size_ && std::equal(spec.begin(), spec.end(), spec_.begin());
  }

 private:
  std::array<HuffmanEntry, size_t{1} << kLookupBits> lookup_;
  std::array<uint32_t, 17> limit_;  // by code length: first 16-bit window beyond its codes
  std::array<int32_t, 17> first_;   // by code length: index of its first symbol less its first code
  std::array<uint8_t, 16 + 256> spec_;
  size_t spec_size_ = 0;  // 0: not built
  TableKind kind_ = TableKind::kDc;
};

// The tables built last. Files of one encoder often share theirs; most of ImageNet bring their own. Not safe
// for concurrent use.
class HuffmanCache {
 public:
  // Null for tables that HuffmanTable::build refuses. Valid until kCapacity - 1 further calls: longer than
  // an image needs its tables.
  const HuffmanTable* get(Bytes spec, TableKind kind);

  // The skip table of an AC table that get() returned, valid as long. Built at the first call.
  const SkipTable* skip_table(const HuffmanTable* table);

 private:
  static constexpr size_t kCapacity = 16;
  static_assert(kCapacity > 2 * kMaxComponents);
  struct Slot {
    HuffmanTable table;
    SkipTable skip;
    bool has_skip = false;
    uint64_t used = 0;  // when: the value of calls_
  };
  std::vector<Slot> slots_;
  uint64_t calls_ = 0;
};

}  // namespace fastinet::jpeg
