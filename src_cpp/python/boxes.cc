#include "python/boxes.h"

#include <string>

#include "base/error.h"

namespace fastinet::python {

std::optional<Boxes> boxes_of(const std::optional<BoxesTuple>& value) {
  if (!value) return std::nullopt;
  Boxes boxes{std::get<0>(*value), std::get<1>(*value), {}};
  const auto narrow = [](int64_t v) {
    if (v < INT32_MIN || v > INT32_MAX) {
      throw Error(ErrorKind::kArgument, "coordinate or label of a box is out of range",
                  {.found = std::to_string(v)});
    }
    return static_cast<int32_t>(v);
  };
  for (const auto& b : std::get<2>(*value)) {
    boxes.boxes.push_back({narrow(b[0]), narrow(b[1]), narrow(b[2]), narrow(b[3]), narrow(b[4]),
                           static_cast<uint32_t>(narrow(b[5]))});
  }
  return boxes;
}

}  // namespace fastinet::python
