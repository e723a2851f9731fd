// Boxes as Python gives them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <tuple>
#include <vector>

#include "shard/record.h"

namespace fastinet::python {

// Reference width and height, then rows of label, xmin, ymin, xmax, ymax, flags.
using BoxesTuple = std::tuple<int32_t, int32_t, std::vector<std::array<int64_t, 6>>>;

// Throws Error{kArgument} where a number does not fit.
std::optional<Boxes> boxes_of(const std::optional<BoxesTuple>& value);

}  // namespace fastinet::python
