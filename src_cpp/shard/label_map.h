// The classes that a shard's labels stand for, where they are not the dataset's own numbering.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace fastinet {

// Immutable, and shared by all shards with the same numbering.
class LabelMap {
 public:
  // `classes` gives the dataset's class for each label of the shard.
  explicit LabelMap(std::vector<int32_t> classes) : classes_(std::move(classes)) {}

  int64_t size() const { return static_cast<int64_t>(classes_.size()); }

  // The dataset's class for a label of the shard; -1, no label, stays -1. Throws Error{kFormat} for a label
  // that the map does not have.
  int32_t operator()(int32_t label) const {
    if (label == -1) return -1;
    if (label < 0 || label >= size()) {
      throw Error(ErrorKind::kFormat, "label is not in the label map that the manifest gives for this shard",
                  {.expected = "-1 to " + std::to_string(size() - 1), .found = std::to_string(label)});
    }
    return classes_[static_cast<size_t>(label)];
  }

 private:
  std::vector<int32_t> classes_;
};

}  // namespace fastinet
