// XXH3-64, the checksum of everything that fastinet writes.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace fastinet {

uint64_t xxh3(std::span<const uint8_t> bytes, uint64_t seed = 0);

// Sixteen lower-case hexadecimal digits, as the manifest and error texts print hashes.
std::string hash_text(uint64_t hash);

// The same hash of bytes that arrive in pieces.
class Xxh3Stream {
 public:
  Xxh3Stream();
  ~Xxh3Stream();

  void update(std::span<const uint8_t> bytes);
  void reset();  // forgets all bytes so far
  uint64_t digest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fastinet
