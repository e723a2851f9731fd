// Any bytes are a sidecar that is refused with an Error or one whose every record can be read.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "base/hash.h"
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
  for (uint32_t i = 0; i < header.section_count; ++i) {
    Section section;
    uint8_t* const at = bytes.data() + sizeof header + i * sizeof section;
    std::memcpy(&section, at, sizeof section);
    if (section.offset > bytes.size() || section.size > bytes.size() - section.offset) continue;
    section.xxh3 = fastinet::xxh3(std::span(bytes).subspan(section.offset, section.size));
    std::memcpy(at, &section, sizeof section);
  }
  const uint64_t hash = fastinet::head_hash(std::span(bytes).first(head));
  std::memcpy(bytes.data() + offsetof(Header, head_xxh3), &hash, sizeof hash);
}

// Whatever a record says, all of it can be read.
uint64_t read_all(const fastinet::Sidecar& sidecar) {
  uint64_t sum = 0;
  const auto attempt = [](const auto& read) {
    try {
      read();
    } catch (const fastinet::Error&) {
    }
  };
  for (int64_t i = 0; i < sidecar.size(); ++i) {
    attempt([&] {
      for (const uint8_t b : sidecar.record(sidecar.entry(i)).entry_points) sum += b;
    });
    attempt([&] {
      for (const char c : sidecar.key(i)) sum += static_cast<uint8_t>(c);
    });
    attempt([&] { sum += sidecar.boxes(i).boxes.size(); });
  }
  attempt([&] { sidecar.check_sections(); });
  return sum;
}

}  // namespace

// The first byte says whether the checksums are put right, the next four what changes once the sidecar is
// open: as a file does that is written in place.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kChoices = 5;
  if (size < kChoices) return 0;
  std::vector<uint8_t> bytes(data + kChoices, data + size);
  if (data[0] % 8 != 0) reseal(bytes);
  try {
    const fastinet::Sidecar sidecar(bytes);
    uint64_t sum = data[0] % 2 == 0 ? read_all(sidecar) : 0;
    uint32_t choice = 0;
    std::memcpy(&choice, data + 1, sizeof choice);
    const size_t begin = choice % bytes.size(), count = std::min<size_t>(choice >> 28, bytes.size() - begin);
    for (size_t i = begin; i < begin + count; ++i) bytes[i] ^= data[1 + i % (kChoices - 1)];
    sum += read_all(sidecar);
    volatile uint64_t sink = sum;
    static_cast<void>(sink);
  } catch (const fastinet::Error&) {
  }
  return 0;
}
