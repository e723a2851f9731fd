// One record of a dataset as its sidecar describes it, and what whoever writes one has to know of it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/encoding.h"

namespace fastinet {

// What the image layer says of a payload. All of it can be made again from the payload.
struct ImageFacts {
  int32_t width = 0;  // as decoded, before orientation; 0: not known
  int32_t height = 0;
  int32_t orientation = 1;  // EXIF, 1 to 8
  Encoding encoding = Encoding::kUnknown;
  bool clean = false;                       // was decoded to the last row without a warning
  std::span<const uint8_t> entry_points{};  // opaque here; empty: none
};

// A bounding box, in pixels of the image that Boxes::width and height describe.
struct Box {
  int32_t label = -1;
  int32_t xmin = 0, ymin = 0, xmax = 0, ymax = 0;
  uint32_t flags = 0;  // 1 difficult, 2 truncated, 4 occluded

  bool operator==(const Box&) const = default;
};

struct Boxes {
  int32_t width = 0;
  int32_t height = 0;
  std::vector<Box> boxes;

  bool operator==(const Boxes&) const = default;
};

struct RecordView {
  std::span<const uint8_t> payload;       // the encoded image, in the mapped shard
  std::span<const uint8_t> entry_points;  // in the mapped sidecar; empty: none. Check before use:
                                          // ShardedDataset::check_entry_points
  int32_t label = -1;                     // -1: none
  int32_t width = 0;                      // as decoded; 0: not known
  int32_t height = 0;
  int32_t orientation = 1;  // EXIF, 1 to 8
  Encoding encoding = Encoding::kUnknown;
  bool clean = false;              // the payload was decoded to its last row without a warning
  uint64_t payload_xxh3 = 0;       // XXH3-64 of the payload
  uint64_t original_xxh3 = 0;      // of the source's file; payload_xxh3 where it was not re-encoded
  uint64_t entry_points_xxh3 = 0;  // of the entry points, seeded with payload_xxh3
};

}  // namespace fastinet
