// A window of 64 bits over contiguous bytes, as in Fabian Giesen's "Reading bits in far too many ways".
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace fastinet::jpeg {

inline uint64_t load_be64(const uint8_t* p) {
  uint64_t v;
  std::memcpy(&v, p, sizeof v);
  return std::endian::native == std::endian::little ? __builtin_bswap64(v) : v;
}

// Reads up to 8 bytes beyond what is consumed; checks nothing.
struct BitReader {
  const uint8_t* next = nullptr;  // the byte that refill starts at
  uint64_t bits = 0;              // the next bit is the highest
  uint32_t count = 0;             // modulo 64: bits that may be consumed before a refill

  void start(const uint8_t* p, int skip) {
    next = p;
    bits = 0;
    count = 0;
    refill();
    consume(static_cast<uint32_t>(skip));
  }

  // Leaves at least 56 bits.
  void refill() {
    bits |= load_be64(next) >> (count & 63);
    next += ~count >> 3 & 7;
    count |= 56;
  }

  // Consumes `n` modulo 64 bits: whatever stands above the low six bits of `n` does no harm.
  void consume(uint32_t n) {
    bits <<= n & 63;
    count -= n;
  }

  // Consumes a value of `size` (1 to 15) bits, extended as T.81 figure F.12 has it.
  int value(int size) {
    const int v = static_cast<int>(bits >> (64 - size));
    consume(static_cast<uint32_t>(size));
    return v + (((v >> (size - 1)) - 1) & (1 - (1 << size)));
  }

  // Bits consumed since `base`, where the reader was started.
  int64_t consumed(const uint8_t* base) const { return (next - base) * 8 - static_cast<int64_t>(count & 63); }
};

}  // namespace fastinet::jpeg
