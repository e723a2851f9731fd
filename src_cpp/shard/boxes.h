// Bounding boxes of one record <-> the sidecar's bytes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "shard/record.h"

namespace fastinet {

// Throws Error{kArgument} for more boxes than FORMAT.md allows.
std::vector<uint8_t> encode_boxes(const Boxes& boxes);

// An empty span means no boxes. Throws Error{kFormat}.
Boxes decode_boxes(std::span<const uint8_t> bytes);

}  // namespace fastinet
