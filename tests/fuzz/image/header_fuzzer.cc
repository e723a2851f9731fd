// The marker parser and the Huffman tables: what they accept must be within the limits that the decoders
// behind them rely on.
#include <cstdlib>

#include "image/codec/jpeg/header.h"
#include "image/codec/jpeg/huffman.h"

namespace {

using fastinet::Bytes;
using namespace fastinet::jpeg;

void require(bool condition) {
  if (!condition) std::abort();
}

void check_table(Bytes data, Bytes spec, TableKind kind) {
  require(spec.size() >= 16 && spec.data() >= data.data() &&
          spec.data() + spec.size() <= data.data() + data.size());
  static HuffmanCache cache;
  const HuffmanTable* table = cache.get(spec, kind);
  if (!table) return;
  require(table->same(spec, kind));
  // A look-up and a search agree on every window of 16 bits.
  for (uint64_t bits = 0; bits < 1 << 16; bits += 509) {
    const uint64_t window = bits << 48;
    const HuffmanEntry fast = table->lookup(window), slow = table->find(window);
    if (fast & kLong) continue;
    require(slow != 0 && entry_advance(fast) == entry_advance(slow));
    const int size = slow & kPartial ? entry_size(slow) : 0;
    require(entry_bits(fast) == entry_bits(slow) + (fast & kPartial ? 0 : static_cast<uint32_t>(size)));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Bytes bytes(data, size);
  Header header;
  const Unsuited reason = parse_header(bytes, header);
  require(name(reason) != nullptr);
  if (reason != Unsuited::kNone) return 0;
  require(header.components == 1 || header.components == 3);
  require(header.size.width > 0 && header.size.height > 0 && header.scan_offset <= size);
  require(int64_t{header.mcu_columns} * header.mcu_width >= header.size.width);
  require(int64_t{header.mcu_rows} * header.mcu_height >= header.size.height);
  int blocks = 0;
  for (int c = 0; c < header.components; ++c) {
    const Component& component = header.component[c];
    require(component.h >= 1 && component.h <= 2 && component.v >= 1 && component.v <= 2);
    blocks += component.h * component.v;
    check_table(bytes, component.dc_table, TableKind::kDc);
    check_table(bytes, component.ac_table, TableKind::kAc);
  }
  require(blocks <= kMaxBlocksPerMcu);
  return 0;
}
