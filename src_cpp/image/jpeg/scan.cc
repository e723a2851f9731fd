#include "image/jpeg/scan.h"

#include "image/jpeg/mcu_decoder.h"

namespace fastinet::jpeg {

struct Scanner::Impl {
  McuDecoder decoder;
};

Scanner::Scanner() : impl_(std::make_unique<Impl>()) {}
Scanner::~Scanner() = default;

ScanResult Scanner::scan(const Header& header, Bytes data) {
  McuDecoder& decoder = impl_->decoder;
  const size_t mcus = static_cast<size_t>(header.mcu_rows) * header.mcu_columns;
  ScanResult result;
  if (!decoder.begin(header, data, Skipping::kMuch) || !decoder.seek(0, EntryPoint{})) return result;
  std::vector<EntryPoint> entries;
  entries.reserve(std::min(mcus, data.size()));
  for (size_t i = 0; i < mcus; ++i) {
    EntryPoint entry;
    if (!decoder.entry(entry) || !decoder.skip(1)) return result;
    entries.push_back(entry);
  }
  if (!decoder.at_end_of_image()) return result;
  return {.complete = true, .entries = std::move(entries)};
}

std::vector<uint8_t> make_entry_points(const Header& header, Bytes data) {
  static thread_local Scanner scanner;  // for its tables, which most files share
  const ScanResult result = scanner.scan(header, data);
  if (!result.complete) return {};
  return pack_entry_points(header, data.size(), result.entries, kEntryPointShare);
}

}  // namespace fastinet::jpeg
