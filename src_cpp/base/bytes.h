// A view of bytes that somebody else owns.
#pragma once

#include <cstdint>
#include <span>

namespace fastinet {

using Bytes = std::span<const uint8_t>;

}  // namespace fastinet
