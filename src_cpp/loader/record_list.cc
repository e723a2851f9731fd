#include "loader/record_list.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

namespace fastinet {
namespace {

bool has_repeats(const std::vector<int64_t>& records) {
  // Most lists are in order: classes, ranges, masks.
  const auto no_step_up = std::adjacent_find(records.begin(), records.end(), std::greater_equal<>());
  if (no_step_up == records.end()) return false;
  std::vector<int64_t> sorted = records;
  std::sort(sorted.begin(), sorted.end());
  return std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end();
}

}  // namespace

RecordList::RecordList(std::vector<int64_t> records) : records_(std::move(records)) {
  if (!has_repeats(records_)) return;
  std::vector<int64_t> places(records_.size());
  std::iota(places.begin(), places.end(), int64_t{0});
  std::sort(places.begin(), places.end(), [this](int64_t a, int64_t b) {
    return records_[a] != records_[b] ? records_[a] < records_[b] : a < b;
  });
  occurrences_.resize(records_.size());
  for (size_t k = 1; k < places.size(); ++k) {
    const bool again = records_[places[k]] == records_[places[k - 1]];
    occurrences_[places[k]] = again ? occurrences_[places[k - 1]] + 1 : 0;
  }
}

}  // namespace fastinet
