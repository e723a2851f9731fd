// The marker segments of a JPEG file (ITU-T T.81 annex B) before its first scan.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace fastinet::jpeg {

enum Marker : uint8_t {
  kSof0 = 0xC0,
  kSof1 = 0xC1,
  kSof2 = 0xC2,
  kDht = 0xC4,
  kJpg = 0xC8,
  kDac = 0xCC,
  kSof15 = 0xCF,
  kRst0 = 0xD0,
  kRst7 = 0xD7,
  kSoi = 0xD8,
  kEoi = 0xD9,
  kSos = 0xDA,
  kDqt = 0xDB,
  kDri = 0xDD,
  kApp0 = 0xE0,
  kApp1 = 0xE1,
  kApp2 = 0xE2,
  kApp13 = 0xED,
  kApp14 = 0xEE,
  kApp15 = 0xEF,
  kCom = 0xFE,
};

// Whether a frame header follows the marker (SOF0 to SOF15).
constexpr bool is_frame(uint8_t marker) {
  return marker >= kSof0 && marker <= kSof15 && marker != kDht && marker != kJpg && marker != kDac;
}

inline int be16(const uint8_t* p) { return p[0] << 8 | p[1]; }

// Walks from segment to segment. Never reads outside of the data. Every marker is taken to have a length, as
// all that may come before a scan do.
class SegmentReader {
 public:
  enum class Step : uint8_t {
    kSegment,         // marker() and segment() are the next ones
    kEnd,             // the data end before the next segment's length
    kJunk,            // the next byte is not 0xFF
    kLengthTooSmall,  // less than the length field itself
    kLengthTooLarge,  // more than there are data
  };

  // REQUIRES: data starts with SOI.
  explicit SegmentReader(Bytes data) : data_(data) {}

  Step next();

  uint8_t marker() const { return marker_; }     // 0: next() found none
  Bytes segment() const { return segment_; }     // what follows the length field
  size_t position() const { return position_; }  // of the first byte behind the segment

 private:
  Bytes data_;
  Bytes segment_;
  size_t position_ = 2;
  uint8_t marker_ = 0;
};

}  // namespace fastinet::jpeg
