// Entry points from any bytes, for images of any dimensions: whatever opens can be read whole.
#include <cstdlib>
#include <cstring>
#include <vector>

#include "image/codec/jpeg/entry_points.h"

namespace {

using namespace fastinet::jpeg;

constexpr int kMaxMcus = 8188;  // of 65500 pixels

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

// The dimensions that the bytes claim, so that they get past that check; the first byte chooses components.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1 + EntryPointView::kHeaderSize) return 0;
  const std::vector<uint8_t> copy(data + 1, data + size);  // of exactly this size, for the sanitizer
  Header header;
  header.components = data[0] & 1 ? 3 : 1;
  uint16_t columns, rows;
  uint32_t file_size;
  std::memcpy(&columns, &copy[14], 2);
  std::memcpy(&rows, &copy[16], 2);
  std::memcpy(&file_size, &copy[18], 4);
  if (columns == 0 || columns > kMaxMcus || rows == 0 || rows > kMaxMcus) return 0;
  header.mcu_columns = columns;
  header.mcu_rows = rows;
  const EntryPointView view = EntryPointView::open(copy, header, file_size);
  if (view.empty()) return 0;
  require(view.spacing() > 0 && view.per_row() > 0);
  require((view.per_row() - 1) * view.spacing() < header.mcu_columns);
  for (int row = 0; row < header.mcu_rows; ++row) {
    for (int i = 0; i < view.per_row(); i += 1 + view.per_row() / 8) {
      require(view.at(row, i).dc[0] < 3 << EntryPointView::kMaxDcBits);
    }
    view.at(row, view.per_row() - 1);
  }
  return 0;
}
