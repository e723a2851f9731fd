// The entropy decoder: a window decodes to the same coefficients from the start of the scan and from any
// entry points; a scan that is complete decodes, and has the same entry points from both halves at once;
// damaged entry points are at worst refused.
#include <cstdlib>
#include <cstring>
#include <vector>

#include "choices.h"
#include "image/codec/jpeg/entropy_decoder.h"
#include "image/codec/jpeg/half_scan.h"
#include "image/codec/jpeg/scan.h"

namespace {

using namespace fastinet;
using namespace fastinet::jpeg;

constexpr int64_t kMaxMcus = 4096;

void require(bool condition) {
  if (!condition) std::abort();
}

// The rows that could be decoded, and why it stopped.
struct Outcome {
  Unsuited refused = Unsuited::kNone;
  Decoded last = Decoded::kEnd;
  std::vector<int16_t> coefficients;
};

Outcome decode(const Header& header, Bytes data, const EntryPointView& entries, const McuWindow& window) {
  static EntropyDecoder decoder;
  Outcome outcome;
  outcome.refused = decoder.begin(header, data, entries, window);
  if (outcome.refused != Unsuited::kNone) return outcome;
  while ((outcome.last = decoder.next_row()) == Decoded::kRow) {
    for (int c = 0; c < header.components; ++c) {
      const CoefficientRows& rows = decoder.rows(c);
      for (int down = 0; down < header.component[c].v; ++down) {
        for (int b = 0; b < rows.blocks; b += kBlocksPerGroup) {
          const int16_t* group = rows.row[down] + b / kBlocksPerGroup * kGroupStride;
          outcome.coefficients.insert(outcome.coefficients.end(), group, group + 64 * kBlocksPerGroup);
        }
      }
    }
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Bytes bytes(data, size);
  Header header;
  if (parse_header(bytes, header) != Unsuited::kNone) return 0;
  if (int64_t{header.mcu_rows} * header.mcu_columns > kMaxMcus) return 0;
  fuzz::Choices choices(data, size);
  const Rect rect = choices.rectangle({header.mcu_rows, header.mcu_columns});
  const McuWindow window{rect.top, rect.bottom(), rect.left, rect.right()};

  static Scanner scanner;
  const ScanResult scan = scanner.scan_in_order(header, bytes);
  static HalfScanner halves;
  std::vector<EntryPoint> entries_of_halves;
  if (halves.scan(header, bytes, entries_of_halves)) {
    require(scan.complete && entries_of_halves == scan.entries);
  }
  const Outcome plain = decode(header, bytes, {}, window);
  if (!scan.complete) return 0;
  require(plain.refused == Unsuited::kNone && plain.last == Decoded::kEnd);

  auto packed = pack_entry_points(header, size, scan.entries, 1 + choices.below(9));
  const EntryPointView entries = EntryPointView::open(packed, header, size);
  require(!entries.empty());
  const Outcome entered = decode(header, bytes, entries, window);
  require(entered.last == Decoded::kEnd && entered.coefficients == plain.coefficients);

  for (int i = 0; i < 3; ++i) {
    packed[static_cast<size_t>(choices.below(static_cast<int>(packed.size())))] ^=
        static_cast<uint8_t>(1 + choices.below(255));
  }
  const EntryPointView damaged = EntryPointView::open(packed, header, size);
  if (!damaged.empty()) decode(header, bytes, damaged, window);
  return 0;
}
