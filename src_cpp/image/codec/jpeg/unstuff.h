// Entropy-coded bytes without the zeros that are stuffed behind each 0xFF (T.81 F.1.2.3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace fastinet::jpeg {

struct Unstuffed {
  const uint8_t* from;  // the first byte that was not taken
  uint8_t* to;          // behind the last byte that was written
  bool at_marker;       // what stands there is not entropy-coded data
};

// Copies from [from, limit) to [to, to_end) until either is full, or up to a marker, and appends where in
// `base` each 0xFF stands that had a zero behind it. Reads nothing at or behind `end`, but may read
// one byte behind `limit`.
inline Unstuffed unstuff(const uint8_t* from, const uint8_t* limit, const uint8_t* end, uint8_t* to,
                         const uint8_t* to_end, const uint8_t* base, std::vector<uint32_t>& stuffed) {
  while (to < to_end && from < limit) {
    const size_t room = static_cast<size_t>(to_end - to < limit - from ? to_end - to : limit - from);
    const void* ones = std::memchr(from, 0xFF, room);
    const size_t plain = ones ? static_cast<size_t>(static_cast<const uint8_t*>(ones) - from) : room;
    std::memcpy(to, from, plain);
    from += plain;
    to += plain;
    if (!ones) break;
    if (end - from < 2 || from[1] != 0) return {from, to, true};
    stuffed.push_back(static_cast<uint32_t>(to - base));
    *to++ = 0xFF;
    from += 2;
  }
  return {from, to, false};
}

}  // namespace fastinet::jpeg
