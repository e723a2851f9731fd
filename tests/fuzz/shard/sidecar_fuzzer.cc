// Any bytes are a sidecar that is refused with an Error or one whose every record can be read.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "shard/boxes.h"
#include "shard/sidecar.h"

namespace {

using fastinet::format::Header;
using fastinet::format::Record;
using fastinet::format::Section;

// A fuzzer does not guess a 64-bit hash: put the right ones, so that what is behind them is reached.
void reseal(std::vector<uint8_t>& bytes) {
  if (bytes.size() < sizeof(Header)) return;
  Header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.section_count > fastinet::format::kMaxSections) return;
  const uint64_t tables = bytes.size() - sizeof header;
  if (header.record_count > tables / sizeof(Record)) return;
  const uint64_t head =
      sizeof header + header.section_count * sizeof(Section) + header.record_count * sizeof(Record);
  if (head > bytes.size()) return;
  const uint64_t hash = fastinet::head_hash(std::span(bytes).first(head));
  std::memcpy(bytes.data() + offsetof(Header, head_xxh3), &hash, sizeof hash);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::vector<uint8_t> bytes(data + 1, data + size);
  if (data[0] % 8 != 0) reseal(bytes);
  uint64_t sum = 0;
  try {
    const fastinet::Sidecar sidecar(bytes);
    for (int64_t i = 0; i < sidecar.size(); ++i) {
      const fastinet::RecordView record = sidecar.record(i);
      for (const char c : record.key) sum += static_cast<uint8_t>(c);
      for (const uint8_t b : record.entry_points) sum += b;
      try {
        sum += fastinet::decode_boxes(record.boxes).boxes.size();
      } catch (const fastinet::Error&) {
      }
    }
    sidecar.check_sections();
  } catch (const fastinet::Error&) {
  }
  volatile uint64_t sink = sum;
  static_cast<void>(sink);
  return 0;
}
