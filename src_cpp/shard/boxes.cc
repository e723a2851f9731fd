#include "shard/boxes.h"

#include <atomic>
#include <cstring>
#include <string>

#include "base/error.h"
#include "shard/format.h"

namespace fastinet {

std::vector<uint8_t> encode_boxes(const Boxes& boxes) {
  if (boxes.boxes.size() > format::kMaxBoxes) {
    throw Error(ErrorKind::kArgument, "too many boxes",
                {.expected = "at most " + std::to_string(format::kMaxBoxes),
                 .found = std::to_string(boxes.boxes.size())});
  }
  if (boxes.width < 0 || boxes.height < 0) {
    throw Error(ErrorKind::kArgument, "reference size of the boxes is negative",
                {.found = std::to_string(boxes.width) + "x" + std::to_string(boxes.height)});
  }
  const format::BoxesHead head{static_cast<uint32_t>(boxes.boxes.size()), static_cast<uint32_t>(boxes.width),
                               static_cast<uint32_t>(boxes.height)};
  std::vector<uint8_t> bytes(sizeof head + boxes.boxes.size() * sizeof(format::BoxEntry));
  std::memcpy(bytes.data(), &head, sizeof head);
  uint8_t* out = bytes.data() + sizeof head;
  for (const Box& b : boxes.boxes) {
    const format::BoxEntry entry{b.label, b.xmin, b.ymin, b.xmax, b.ymax, b.flags};
    std::memcpy(out, &entry, sizeof entry);
    out += sizeof entry;
  }
  return bytes;
}

Boxes decode_boxes(std::span<const uint8_t> bytes) {
  Boxes result;
  if (bytes.empty()) return result;
  format::BoxesHead head{};
  if (bytes.size() < sizeof head) {
    throw Error(ErrorKind::kFormat, "boxes are too short",
                {.expected = "at least 12 bytes", .found = std::to_string(bytes.size()) + " bytes"});
  }
  std::memcpy(&head, bytes.data(), sizeof head);
  std::atomic_signal_fence(std::memory_order_seq_cst);  // read once: the file may change meanwhile
  const uint64_t wanted = sizeof head + uint64_t{head.count} * sizeof(format::BoxEntry);
  if (head.count > format::kMaxBoxes || bytes.size() != wanted) {
    throw Error(
        ErrorKind::kFormat, "size of the boxes does not fit their count",
        {.expected = std::to_string(wanted) + " bytes", .found = std::to_string(bytes.size()) + " bytes"});
  }
  if (head.width > format::kMaxSide || head.height > format::kMaxSide) {
    throw Error(ErrorKind::kFormat, "reference size of the boxes is out of range",
                {.found = std::to_string(head.width) + "x" + std::to_string(head.height)});
  }
  result.width = static_cast<int32_t>(head.width);
  result.height = static_cast<int32_t>(head.height);
  result.boxes.resize(head.count);
  const uint8_t* in = bytes.data() + sizeof head;
  for (Box& b : result.boxes) {
    format::BoxEntry e{};
    std::memcpy(&e, in, sizeof e);
    in += sizeof e;
    b = {e.label, e.xmin, e.ymin, e.xmax, e.ymax, e.flags};
  }
  return result;
}

}  // namespace fastinet
