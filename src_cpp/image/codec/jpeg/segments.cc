#include "image/codec/jpeg/segments.h"

namespace fastinet::jpeg {

SegmentReader::Step SegmentReader::next() {
  marker_ = 0;
  for (;; ++position_) {  // over fill bytes
    if (data_.size() - position_ < 2) return Step::kEnd;
    if (data_[position_] != 0xFF) return Step::kJunk;
    if (data_[position_ + 1] != 0xFF) break;
  }
  marker_ = data_[position_ + 1];
  position_ += 2;
  if (data_.size() - position_ < 2) return Step::kEnd;
  const auto length = static_cast<size_t>(be16(&data_[position_]));
  if (length < 2) return Step::kLengthTooSmall;
  if (data_.size() - position_ < length) return Step::kLengthTooLarge;
  segment_ = data_.subspan(position_ + 2, length - 2);
  position_ += length;
  return Step::kSegment;
}

}  // namespace fastinet::jpeg
