// The 512-byte headers of POSIX.1-2001 tar archives (pax), both ways.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "shard/format.h"

namespace fastinet::tar {

using Block = std::array<uint8_t, format::kTarBlock>;

constexpr uint64_t padding(uint64_t size) {
  return (format::kTarBlock - size % format::kTarBlock) % format::kTarBlock;
}

// The header blocks of a regular file, the same bytes always: mode 0644, owner and group 0, time 0. A name
// that ustar's name and prefix fields cannot hold is preceded by a pax header. Names are written as their
// bytes, as GNU tar does.
std::string encode_header(std::string_view name, uint64_t size);

// One header block, decoded. Throws Error{kFormat} where checksum or numbers are not valid.
struct Header {
  std::string name;  // ustar prefix included
  uint64_t size = 0;
  char type = '0';  // regular files come as '0', whichever way the archive spells them
};
Header decode_header(const uint8_t* block);

bool is_zero(const uint8_t* block);

}  // namespace fastinet::tar
