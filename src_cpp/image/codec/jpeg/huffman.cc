#include "image/codec/jpeg/huffman.h"

#include <cstring>
#include <numeric>

namespace fastinet::jpeg {
namespace {

HuffmanEntry pack(int bits, HuffmanEntry flags, uint32_t advance, int value) {
  return static_cast<HuffmanEntry>(bits) | flags | advance << 8 | static_cast<uint32_t>(value) << 16;
}

// The entry for a symbol whose code is `length` bits long; its value bits, if any, still to be read.
HuffmanEntry symbol_entry(uint8_t symbol, int length, TableKind kind) {
  const int size = kind == TableKind::kDc ? symbol : symbol & 15;
  const uint32_t run = kind == TableKind::kDc ? 0 : symbol >> 4;
  if (size > 0) return pack(length, kPartial, run + 1, size);
  // Without a value: a DC difference of zero, a run of 16 zeros, or the end of the block. libjpeg takes
  // every run of less than 16 without a value as the end.
  return pack(length, 0, kind == TableKind::kDc || run == 15 ? run + 1 : kEndOfBlock, 0);
}

}  // namespace

bool HuffmanTable::build(Bytes spec, TableKind kind) {
  spec_size_ = 0;
  lookup_.fill(kLong);
  std::memcpy(spec_.data(), spec.data(), spec.size());  // first of all: the file may change meanwhile
  spec = {spec_.data(), spec.size()};
  if (std::accumulate(spec.begin(), spec.begin() + 16, size_t{16}) != spec.size()) return false;
  const uint8_t* counts = spec.data() - 1;  // counts[1] is the first
  const uint8_t* symbols = spec.data() + 16;
  uint32_t code = 0;
  int index = 0;
  for (int length = 1; length <= 16; ++length) {
    first_[length] = index - static_cast<int32_t>(code);
    for (int i = 0; i < counts[length]; ++i, ++index, ++code) {
      if (code >= 1u << length) return false;  // before it is used to index
      if (kind == TableKind::kDc && symbols[index] > 15) return false;
      if (length > kLookupBits) continue;
      const HuffmanEntry entry = symbol_entry(symbols[index], length, kind);
      HuffmanEntry* slot = &lookup_[code << (kLookupBits - length)];
      const int size = entry & kPartial ? entry_size(entry) : 0;
      const int spare = kLookupBits - length - size;
      if (size == 0 || spare < 0) {
        std::fill_n(slot, 1 << (kLookupBits - length), entry);
        continue;
      }
      for (int bits = 0; bits < 1 << size; ++bits) {
        const int value = bits < 1 << (size - 1) ? bits - (1 << size) + 1 : bits;
        slot = std::fill_n(slot, 1 << spare, pack(length + size, 0, entry_advance(entry), value));
      }
    }
    if (code >= 1u << length) return false;
    limit_[length] = code << (16 - length);
    code <<= 1;
  }
  spec_size_ = spec.size();
  kind_ = kind;
  return true;
}

HuffmanEntry HuffmanTable::find(uint64_t window) const {
  const uint32_t bits = static_cast<uint32_t>(window >> 48);
  for (int length = 1; length <= 16; ++length) {
    if (bits < limit_[length]) {
      const int32_t code = static_cast<int32_t>(bits >> (16 - length));
      return symbol_entry(spec_[16 + first_[length] + code], length, kind_);
    }
  }
  return 0;
}

const HuffmanTable* HuffmanCache::get(Bytes spec, TableKind kind) {
  ++calls_;
  for (Slot& slot : slots_) {
    if (slot.table.same(spec, kind)) {
      slot.used = calls_;
      return &slot.table;
    }
  }
  if (slots_.empty()) slots_.resize(kCapacity);
  Slot& slot = *std::min_element(slots_.begin(), slots_.end(),
                                 [](const Slot& a, const Slot& b) { return a.used < b.used; });
  slot.used = calls_;
  slot.has_skip = false;
  return slot.table.build(spec, kind) ? &slot.table : nullptr;
}

const SkipTable* HuffmanCache::skip_table(const HuffmanTable* table) {
  const auto slot =
      std::find_if(slots_.begin(), slots_.end(), [&](const Slot& s) { return &s.table == table; });
  if (!slot->has_skip) slot->skip.build(slot->table.spec());
  slot->has_skip = true;
  return &slot->skip;
}

// What a window of n bits shows behind its first coefficient, a window of fewer bits shows too: the tables
// for all n up to kLookupBits are made in turn, each of sums with the shorter ones.
void SkipTable::build(Bytes spec) {
  const uint8_t* counts = spec.data() - 1;                 // counts[1] is the first
  std::array<uint16_t, size_t{1} << kLookupBits> shorter;  // that of n bits begins at 1 << n
  shorter[1] = 0;
  for (int n = 1; n <= kLookupBits; ++n) {
    uint16_t* const table = n < kLookupBits ? &shorter[size_t{1} << n] : lookup_.data();
    std::fill_n(table, size_t{1} << n, n < kLookupBits ? 0 : kNone << 6);
    const uint8_t* symbol = spec.data() + 16;
    uint16_t* slot = table;
    for (int length = 1; length <= n; ++length) {
      const int room = n - length;
      for (int i = 0; i < counts[length]; ++i, ++symbol, slot += size_t{1} << room) {
        const HuffmanEntry e = symbol_entry(*symbol, length, TableKind::kAc);
        const int size = e & kPartial ? entry_size(e) : 0;
        if (size > kMaxAcSize) continue;
        const bool end = entry_advance(e) == fastinet::jpeg::kEndOfBlock;
        const uint32_t advance = end ? kEndOfBlock : entry_advance(e);
        const auto first = static_cast<uint16_t>(static_cast<uint32_t>(length + size) | advance << 6);
        if (end || size >= room) {
          std::fill_n(slot, size_t{1} << room, first);
          continue;
        }
        const size_t rest = size_t{1} << (room - size);
        for (size_t at = 0; at < size_t{1} << room; at += rest) {
          for (size_t j = 0; j < rest; ++j) slot[at + j] = static_cast<uint16_t>(first + shorter[rest + j]);
        }
      }
    }
  }
}

}  // namespace fastinet::jpeg
