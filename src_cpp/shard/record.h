// One record of a dataset as its sidecar describes it: a view into mapped files.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace fastinet {

struct RecordView {
  std::span<const uint8_t> payload;       // the encoded image, in the mapped shard
  std::span<const uint8_t> entry_points;  // in the mapped sidecar; empty: none
  std::string_view key;
  int32_t label = -1;                     // -1: none
  int32_t width = 0;                      // as decoded; 0: not known
  int32_t height = 0;
  int32_t orientation = 1;                // EXIF, 1 to 8
  uint64_t payload_xxh3 = 0;              // XXH3-64 of the payload
};

}  // namespace fastinet
