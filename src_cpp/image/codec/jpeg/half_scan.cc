#include "image/codec/jpeg/half_scan.h"

#include <algorithm>
#include <array>

#include "image/codec/blocks/block-inl.h"
#include "image/codec/jpeg/scan_reader.h"
#include "image/codec/jpeg/unstuff.h"

namespace fastinet::jpeg {
namespace {

// The second decoder begins out of step and may run into codes that do not exist. It then tries the next
// byte; but not when it has come this far, for then it was in step and has met the end or damage.
constexpr size_t kOutOfStep = 64;  // MCUs
constexpr int kTries = 64;

constexpr uint32_t kNever = UINT32_MAX;

}  // namespace

bool HalfScanner::scan(const Header& header, Bytes data, std::vector<EntryPoint>& entries) {
  if (!prepare(header, data)) return false;
  const size_t mcus = static_cast<size_t>(header.mcu_rows) * header.mcu_columns;
  size_t middle = filled_ / 2;
  start(first_, 0, static_cast<uint32_t>(middle * 8), mcus);
  start(second_, middle, static_cast<uint32_t>(filled_ * 8), mcus);
  run_both();
  for (int i = 0; i < kTries && second_.failed && second_.mcus < kOutOfStep && middle < filled_; ++i) {
    start(second_, ++middle, static_cast<uint32_t>(filled_ * 8), mcus);
    run_both();
  }
  run_alone(first_);
  run_alone(second_);
  size_t from_second = 0;
  return join(mcus, from_second) && collect(header, from_second, entries);
}

// Reads tables and data. False: nothing for us.
bool HalfScanner::prepare(const Header& header, Bytes data) {
  const Bytes scan = data.subspan(header.scan_offset);
  if (header.restart_interval > 0) return false;
  blocks_.clear();
  for (int c = 0; c < header.components; ++c) {
    const Component& component = header.component[c];
    const HuffmanTable* dc = cache_.get(component.dc_table, TableKind::kDc);
    const HuffmanTable* ac = cache_.get(component.ac_table, TableKind::kAc);
    if (!dc || !ac) return false;
    blocks_.insert(blocks_.end(), component.h * component.v, {dc, ac, cache_.skip_table(ac), c});
  }
  stuffed_.clear();
  if (buffer_.size() < scan.size() + ScanReader::kMcuBytes) {
    buffer_.resize(scan.size() + scan.size() / 2 + ScanReader::kMcuBytes);
  }
  uint8_t* const to = buffer_.data();
  const uint8_t* const end = scan.data() + scan.size();
  const Unstuffed done = unstuff(scan.data(), end, end, to, to + scan.size(), to, stuffed_);
  filled_ = static_cast<size_t>(done.to - to);
  std::fill_n(done.to, ScanReader::kMcuBytes, uint8_t{0});
  // EOI, and fill bytes before it.
  const uint8_t* marker = done.from;
  while (marker < end && *marker == 0xFF) ++marker;
  return done.at_marker && marker > done.from && marker < end && *marker == 0xD9;
}

void HalfScanner::start(Half& half, size_t byte, uint32_t stop, size_t most) {
  // A block takes two bits at the least.
  most = std::min(most, (filled_ + ScanReader::kMcuBytes) * 4 / blocks_.size() + 1);
  half.most = most;
  half.mcus = 0;
  if (half.starts.size() < most + 1) half.starts.resize(most + 1);
  if (half.differences.size() < (most + 1) * blocks_.size()) {
    half.differences.resize((most + 1) * blocks_.size());
  }
  half.starts[0] = static_cast<uint32_t>(byte * 8);
  half.hot.bits.start(buffer_.data() + byte, 0);
  half.failed = false;
  resume(half, stop);
}

// To go on, now up to `stop`, where the half has halted.
void HalfScanner::resume(Half& half, uint32_t stop) {
  half.stop = stop;
  half.block = 0;
  if (!halted(half)) begin_block(half.hot, half);
}

bool HalfScanner::halted(const Half& half) const {
  const uint32_t at = half.starts[half.mcus];
  return half.failed || at >= half.stop || at > filled_ * 8 || half.mcus == half.most;
}

[[gnu::always_inline]] inline bool HalfScanner::begin_block(Hot& hot, Half& half) const {
  const Block& block = blocks_[half.block];
  int difference = 0;
  if (decode_dc(hot.bits, *block.dc, difference)) {
    half.failed = true;
    return false;
  }
  half.differences[half.mcus * blocks_.size() + half.block] = static_cast<int16_t>(difference);
  hot.skip = block.skip;
  hot.k = 1;
  return true;
}

// With a look-up that does not stay within the block.
[[gnu::always_inline]] inline bool HalfScanner::end_block(Hot& hot, Half& half, uint32_t entry,
                                                          uint32_t next) const {
  if (is_skipped_block_end(next)) {
    hot.bits.consume(entry);
  } else {
    half.failed = skip_coefficient(hot.bits, *blocks_[half.block].ac, hot.k) != 0;
    if (!half.failed && hot.k < 64) return true;
    half.failed = half.failed || !is_block_end(hot.k);
    if (half.failed) return false;
  }
  if (++half.block == static_cast<int>(blocks_.size())) {
    half.block = 0;
    half.starts[++half.mcus] = static_cast<uint32_t>(hot.bits.consumed(buffer_.data()));
    if (halted(half)) return false;
  }
  return begin_block(hot, half);
}

// Passes over what one look-up shows. False: halted. Refilled before every other step, the bits suffice.
[[gnu::always_inline]] inline bool HalfScanner::step(Hot& hot, Half& half) const {
  const uint32_t entry = hot.skip->lookup(hot.bits.bits);
  const uint32_t next = hot.k + SkipTable::advance(entry);
  if (next >= 64) return end_block(hot, half, entry, next);
  hot.bits.consume(entry);
  hot.k = next;
  return true;
}

// Until one of them halts.
void HalfScanner::run_both() {
  if (halted(first_) || halted(second_)) return;
  Hot first = first_.hot, second = second_.hot;
  do {
    first.bits.refill();
    second.bits.refill();
  } while (step(first, first_) && step(second, second_) && step(first, first_) && step(second, second_));
  first_.hot = first;
  second_.hot = second;
}

void HalfScanner::run_alone(Half& half) {
  if (halted(half)) return;
  Hot hot = half.hot;
  do {
    hot.bits.refill();
  } while (step(hot, half) && step(hot, half));
  half.hot = hot;
}

// Lets the first half go on to an MCU that the second one knows, number `from_second` of its own, or, if
// there is none, to the end. False: the scan is not complete.
bool HalfScanner::join(size_t mcus, size_t& from_second) {
  const auto begin = second_.starts.begin(), end = begin + static_cast<ptrdiff_t>(second_.mcus + 1);
  auto found = begin;
  while (!first_.failed && first_.mcus < mcus) {
    const uint32_t at = first_.starts[first_.mcus];
    found = std::lower_bound(found, end, at);
    if (found != end && *found == at) break;
    if (at > filled_ * 8) return false;
    resume(first_, found == end ? kNever : *found);
    run_alone(first_);
  }
  if (first_.failed) return false;
  from_second = static_cast<size_t>(found - begin);
  const size_t missing = mcus - first_.mcus;
  if (missing > 0 && (found == end || second_.mcus - from_second < missing)) return false;
  const uint32_t last = missing > 0 ? second_.starts[from_second + missing] : first_.starts[first_.mcus];
  return last <= filled_ * 8 && (last + 7) / 8 == filled_;
}

// The first half's MCUs, then the second's from number `from_second` on. False: a DC coefficient out of
// range.
bool HalfScanner::collect(const Header& header, size_t from_second, std::vector<EntryPoint>& entries) const {
  const size_t mcus = static_cast<size_t>(header.mcu_rows) * header.mcu_columns;
  entries.resize(mcus);
  std::array<int, kMaxComponents> dc{};
  uint32_t bad = 0;
  size_t passed = 0;
  for (size_t i = 0; i < mcus; ++i) {
    const bool is_first = i < first_.mcus;
    const Half& half = is_first ? first_ : second_;
    const size_t mcu = is_first ? i : i - first_.mcus + from_second;
    const uint32_t start = half.starts[mcu];
    while (passed < stuffed_.size() && stuffed_[passed] < start / 8) ++passed;
    entries[i].bit = start + static_cast<uint32_t>(passed * 8);
    for (int c = 0; c < kMaxComponents; ++c) entries[i].dc[c] = static_cast<int16_t>(dc[c]);
    const int16_t* difference = &half.differences[mcu * blocks_.size()];
    for (const Block& block : blocks_) bad |= beyond_dc_bound(dc[block.component] += *difference++);
  }
  return bad == 0;
}

}  // namespace fastinet::jpeg
