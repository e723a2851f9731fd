#include "loader/order.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <string>

#include "base/error.h"

namespace fastinet {
namespace {

// Below 4 bits a half, a Feistel network is far from a random permutation.
constexpr int kMinHalfBits = 4;

// The finaliser of MurmurHash3.
uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 33)) * 0xFF51AFD7ED558CCD;
  x = (x ^ (x >> 33)) * 0xC4CEB9FE1A85EC53;
  return x ^ (x >> 33);
}

}  // namespace

Permutation::Permutation(uint64_t n, const Stream& stream, uint32_t which)
    : n_(n),
      half_bits_(
          std::max(kMinHalfBits, static_cast<int>(std::bit_width(n > 0 ? n - 1 : uint64_t{0}) + 1) / 2)) {
  constexpr uint32_t kBlocks = kRounds / 2;
  for (uint32_t b = 0; b < kBlocks; ++b) {
    const auto words = stream.block(which * kBlocks + b);
    keys_[2 * b] = uint64_t{words[0]} << 32 | words[1];
    keys_[2 * b + 1] = uint64_t{words[2]} << 32 | words[3];
  }
}

uint64_t Permutation::operator()(uint64_t i) const {
  const uint64_t mask = (uint64_t{1} << half_bits_) - 1;
  do {
    uint64_t left = i >> half_bits_;
    uint64_t right = i & mask;
    for (const uint64_t key : keys_) {
      const uint64_t next = left ^ (mix(right ^ key) & mask);
      left = right;
      right = next;
    }
    i = left << half_bits_ | right;
  } while (i >= n_);
  return i;
}

EpochOrder::EpochOrder(const OrderSpec& spec, uint32_t epoch) : kind_(spec.kind), window_(spec.window) {
  const Stream stream(spec.seed, epoch, Stream::kOrder);
  if (kind_ == OrderKind::kSequential) return;
  if (kind_ == OrderKind::kShuffled) {
    permutations_.emplace_back(static_cast<uint64_t>(spec.size), stream, 0);
    return;
  }
  const int64_t total = std::accumulate(spec.blocks.begin(), spec.blocks.end(), int64_t{0});
  if (total != spec.size || window_ < 1) {
    ErrorContext context;
    context.expected = std::to_string(spec.size) + " records in blocks, in windows of at least 1 block";
    context.found = std::to_string(total) + " records in windows of " + std::to_string(window_);
    throw Error(ErrorKind::kArgument, "windowed order", std::move(context));
  }
  std::vector<int64_t> first(spec.blocks.size());
  std::exclusive_scan(spec.blocks.begin(), spec.blocks.end(), first.begin(), int64_t{0});
  const Permutation shuffle_blocks(spec.blocks.size(), stream, 0);
  int64_t position = 0;
  for (size_t i = 0; i < spec.blocks.size(); ++i) {
    const uint64_t block = shuffle_blocks(i);
    block_positions_.push_back(position);
    block_records_.push_back(first[block]);
    position += spec.blocks[block];
  }
  const auto count = static_cast<int64_t>(spec.blocks.size());
  uint32_t which = 1;
  for (int64_t begin = 0; begin < count; begin += window_) {
    const int64_t end = begin + window_ < count ? block_positions_[begin + window_] : position;
    permutations_.emplace_back(static_cast<uint64_t>(end - block_positions_[begin]), stream, which++);
  }
}

int64_t EpochOrder::operator()(int64_t position) const {
  switch (kind_) {
    case OrderKind::kSequential:
      return position;
    case OrderKind::kShuffled:
      return static_cast<int64_t>(permutations_.front()(static_cast<uint64_t>(position)));
    case OrderKind::kWindowed:
      break;
  }
  return windowed(position);
}

int64_t EpochOrder::windowed(int64_t position) const {
  // The last block that begins at or before a position; empty blocks before it share its beginning.
  const auto block_at = [this](int64_t p) {
    return std::upper_bound(block_positions_.begin(), block_positions_.end(), p) - block_positions_.begin() -
           1;
  };
  const int64_t window = block_at(position) / window_;
  const int64_t begin = block_positions_[window * window_];
  const auto offset = permutations_[window](static_cast<uint64_t>(position - begin));
  const int64_t shuffled = begin + static_cast<int64_t>(offset);
  const int64_t block = block_at(shuffled);
  return block_records_[block] + shuffled - block_positions_[block];
}

}  // namespace fastinet
