#include "image/codec/jpeg/scan.h"

#include <algorithm>
#include <utility>

#include "image/codec/jpeg/half_scan.h"
#include "image/codec/jpeg/mcu_decoder.h"

namespace fastinet::jpeg {

namespace {

// Sizes of files for which a HalfScanner pays, and for which its memory is no burden.
constexpr size_t kLeastHalved = size_t{4} << 10;
constexpr size_t kMostHalved = size_t{4} << 20;

Scanner& thread_scanner() {
  static thread_local Scanner scanner;  // for its memory and tables
  return scanner;
}

}  // namespace

struct Scanner::Impl {
  HalfScanner halves;
  McuDecoder decoder;
};

Scanner::Scanner() : impl_(std::make_unique<Impl>()) {}
Scanner::~Scanner() = default;

ScanResult Scanner::scan(const Header& header, Bytes data) {
  ScanResult result;
  const bool halved = data.size() >= kLeastHalved && data.size() <= kMostHalved;
  result.complete = halved && impl_->halves.scan(header, data, result.entries);
  return result.complete ? std::move(result) : scan_in_order(header, data);
}

ScanResult Scanner::scan_in_order(const Header& header, Bytes data) {
  McuDecoder& decoder = impl_->decoder;
  ScanResult result;
  if (!decoder.begin(header, data, Skipping::kMuch) || !decoder.seek(0, EntryPoint{})) return result;
  std::vector<EntryPoint> entries;
  entries.reserve(std::min(static_cast<size_t>(header.mcu_rows) * header.mcu_columns, data.size()));
  for (int row = 0; row < header.mcu_rows; ++row) {
    if (!decoder.index(header.mcu_columns, entries)) return result;
  }
  if (!decoder.at_end_of_image()) return result;
  return {.complete = true, .entries = std::move(entries)};
}

bool is_sound(const Header& header, Bytes data) { return thread_scanner().scan(header, data).complete; }

std::vector<uint8_t> make_entry_points(const Header& header, Bytes data) {
  const ScanResult result = thread_scanner().scan(header, data);
  if (!result.complete) return {};
  return pack_entry_points(header, data.size(), result.entries, kEntryPointShare);
}

}  // namespace fastinet::jpeg
