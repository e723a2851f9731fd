#include "image/codec/jpeg/scan_reader.h"

#include <algorithm>
#include <cstring>

#include "image/codec/jpeg/unstuff.h"

namespace fastinet::jpeg {
bool ScanReader::seek(Bytes scan, uint64_t bit, size_t limit, BitReader& reader) {
  if (bit >> 3 >= scan.size()) return false;
  scan_ = scan;
  limit_ = std::min(limit, scan.size());
  source_ = bit >> 3;
  filled_ = 0;
  append();
  reader.start(buffer_.data(), static_cast<int>(bit & 7));
  return true;
}

void ScanReader::append() {
  if (filled_ == 0) {
    at_marker_ = false;
    origin_ = source_;
    stuffed_.clear();
    passed_ = 0;
  }
  const uint8_t* from = scan_.data() + source_;
  const uint8_t* const limit = scan_.data() + std::max(limit_, source_);
  const uint8_t* const end = scan_.data() + scan_.size();
  uint8_t* const base = buffer_.data();
  const Unstuffed done = unstuff(from, limit, end, base + filled_, base + kStretch, base, stuffed_);
  at_marker_ = at_marker_ || done.at_marker;
  source_ = done.from - scan_.data();
  filled_ = done.to - base;
  // Before the end: room for one whole MCU. At the end: what a refill may have read ahead.
  safe_ = base + filled_ + (final() ? ptrdiff_t{8} : -static_cast<ptrdiff_t>(kMcuBytes));
}

bool ScanReader::fill(BitReader& reader) {
  if (!final()) {
    const int64_t consumed = reader.consumed(buffer_.data());
    const size_t gone = consumed >> 3;
    std::memmove(buffer_.data(), buffer_.data() + gone, filled_ - gone);
    filled_ -= gone;
    const auto kept = std::lower_bound(stuffed_.begin(), stuffed_.end(), gone);
    const size_t dropped = kept - stuffed_.begin();
    stuffed_.erase(stuffed_.begin(), kept);
    for (uint32_t& at : stuffed_) at -= static_cast<uint32_t>(gone);
    passed_ -= std::min(passed_, dropped);
    origin_ += gone + dropped;
    append();
    reader.start(buffer_.data(), static_cast<int>(consumed & 7));
  }
  return reader.next <= safe_;
}

uint64_t ScanReader::position(const BitReader& reader) {
  const uint64_t consumed = reader.consumed(buffer_.data());
  const uint64_t byte = consumed >> 3;
  while (passed_ < stuffed_.size() && stuffed_[passed_] < byte) ++passed_;
  return (origin_ + byte + passed_) * 8 + (consumed & 7);
}

uint8_t ScanReader::marker(BitReader& reader) {
  if (!final()) fill(reader);
  const int64_t consumed = reader.consumed(buffer_.data());
  if (consumed > static_cast<int64_t>(filled_) * 8 || (consumed + 7) / 8 != static_cast<int64_t>(filled_)) {
    return 0;
  }
  size_t at = source_;
  if (at >= scan_.size() || scan_[at] != 0xFF) return 0;
  while (at < scan_.size() && scan_[at] == 0xFF) ++at;
  if (at == scan_.size()) return 0;
  source_ = at + 1;
  return scan_[at];
}

bool ScanReader::restart(int number, BitReader& reader) {
  if (marker(reader) != 0xD0 + number) return false;
  filled_ = 0;
  append();
  reader.start(buffer_.data(), 0);
  return true;
}

}  // namespace fastinet::jpeg
