// Decodes MCU after MCU of one scan: Huffman codes, DC prediction, restart intervals (T.81 F.2). What to
// decode, and where to put it, is its callers' business.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "image/codec/jpeg/bit_reader.h"
#include "image/codec/jpeg/entry_points.h"
#include "image/codec/jpeg/header.h"
#include "image/codec/jpeg/huffman.h"
#include "image/codec/jpeg/scan_reader.h"

namespace fastinet::jpeg {

// Where a component's coefficients go: the first group of each of its block rows, see entropy_decoder.h.
using CoefficientTarget = std::array<std::array<int16_t*, 2>, kMaxComponents>;

// How much of a scan skip() will pass over: tables that make it fast pay from some hundred blocks on.
enum class Skipping : uint8_t { kLittle, kMuch };

class McuDecoder {
 public:
  // False for Huffman tables that libjpeg-turbo refuses. `data` (the whole file) must outlive the decoding.
  bool begin(const Header& header, Bytes data, Skipping skipping);

  // Goes to MCU number `mcu` (counted over the whole image), which `entry` says how to enter. Nothing at byte
  // `limit` of the scan or beyond belongs to what will be decoded.
  bool seek(int64_t mcu, const EntryPoint& entry, size_t limit = ScanReader::kUnlimited);

  // Each false for corrupt data.
  bool skip(int mcus);
  // As skip, and appends how to enter at each of the MCUs.
  bool index(int mcus, std::vector<EntryPoint>& entries);
  // Stores the MCUs, from the target's block `first` * h on. The target's blocks must be zero.
  bool decode(int mcus, const CoefficientTarget& target, int first);

  // How to enter at the next MCU, as seek takes it. False for corrupt data before it.
  bool entry(EntryPoint& entry);

  // Whether the data decoded so far was all there.
  bool within() const { return reader_.within(bits_); }

  // Whether the scan ends here with EOI.
  bool at_end_of_image() { return within() && reader_.marker(bits_) == 0xD9; }

 private:
  struct Block {
    const HuffmanTable* dc;
    const HuffmanTable* ac;
    const SkipTable* skip;               // null with Skipping::kLittle
    uint8_t component, h, across, down;  // position in the MCU's h x v blocks of the component
  };

  template <class BeginMcu, class DecodeBlock>
  bool run(int mcus, int first, const BeginMcu& begin_mcu, const DecodeBlock& decode_block);
  template <class BeginMcu>
  bool pass(int mcus, const BeginMcu& begin_mcu);
  bool restart_if_due();

  HuffmanCache cache_;
  ScanReader reader_;
  BitReader bits_;
  Bytes scan_;
  std::array<Block, kMaxBlocksPerMcu> blocks_{};
  int blocks_per_mcu_ = 0;
  std::array<int, kMaxComponents> dc_{};
  int restart_interval_ = 0;
  int64_t until_restart_ = 0;  // MCUs; without an interval: more than there are
  int next_restart_ = 0;       // its number, 0 to 7
};

}  // namespace fastinet::jpeg
