// Which records an epoch is made of, before they are put in order.
#pragma once

#include <cstdint>
#include <vector>

namespace fastinet {

// Places 0, 1, ... of an epoch in order. Without a list place i is record i; a list may name a record several
// times, and each place then knows how often its record came before, so that augmentation differs.
class RecordList {
 public:
  struct Entry {
    int64_t record = 0;
    uint32_t occurrence = 0;  // 0 for the first place in the list that names the record
  };

  // Empty: all records. O(1) memory for those, one number a place for a list, two where a record repeats.
  explicit RecordList(std::vector<int64_t> records);

  Entry operator[](int64_t place) const {
    if (records_.empty()) return {place, 0};
    return {records_[place], occurrences_.empty() ? 0 : occurrences_[place]};
  }

 private:
  std::vector<int64_t> records_;
  std::vector<uint32_t> occurrences_;
};

}  // namespace fastinet
