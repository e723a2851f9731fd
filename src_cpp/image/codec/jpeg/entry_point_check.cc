#include "image/codec/jpeg/entry_point_check.h"

#include <algorithm>

#include "image/codec/jpeg/entry_points.h"
#include "image/codec/jpeg/scan.h"

namespace fastinet::jpeg {
namespace {

std::string text_of(const EntryPoint& entry, int components) {
  std::string text = "bit " + std::to_string(entry.bit) + ", DC";
  for (int c = 0; c < components; ++c) text += ' ' + std::to_string(entry.dc[c]);
  return text;
}

}  // namespace

EntryPointFault find_entry_point_fault(Bytes file, Bytes entry_points, bool scan) {
  if (entry_points.empty() || entry_points[0] != EntryPointView::kVersion) return {};
  Header header;
  if (parse_header(file, header) != Unsuited::kNone) {
    return {"entry points are of a file that can have none", "no entry points", "some"};
  }
  const EntryPointView view = EntryPointView::open(entry_points, header, file.size());
  if (view.empty()) return {"entry points are malformed or were made for another image", "", ""};
  if (!scan) return {};
  static thread_local Scanner scanner;  // for its memory and tables
  const ScanResult truth = scanner.scan(header, file);
  if (!truth.complete) return {"entry points are of a scan that is damaged", "no entry points", "some"};
  for (int row = 0; row < header.mcu_rows; ++row) {
    const EntryPoint* const mcus = &truth.entries[static_cast<size_t>(row) * header.mcu_columns];
    for (int i = 0; i < view.per_row(); ++i) {
      const EntryPoint& expected = mcus[i * view.spacing()];
      const EntryPoint found = view.at(row, i);
      if (found.bit != expected.bit ||
          !std::equal(found.dc.begin(), found.dc.begin() + header.components, expected.dc.begin())) {
        return {"entry point at MCU row " + std::to_string(row) + ", column " +
                    std::to_string(i * view.spacing()) + " is false",
                text_of(expected, header.components), text_of(found, header.components)};
      }
    }
  }
  return {};
}

}  // namespace fastinet::jpeg
