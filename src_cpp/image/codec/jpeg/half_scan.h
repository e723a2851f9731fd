// Where each MCU of a scan begins, from both halves of the scan at once. A Huffman decoder that starts
// anywhere soon falls into step with one that started at the beginning (Klein and Wiseman, "Parallel Huffman
// decoding with applications to JPEG files", 2003): in photographs within a percent of the data. So one
// decoder starts at the beginning, another in the middle, and where the first one reaches an MCU that
// the second one has found too, the rest is what the second one found. The two take their steps in turn,
// and each works while the other waits for a table or a mispredicted branch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "image/codec/jpeg/bit_reader.h"
#include "image/codec/jpeg/entry_points.h"
#include "image/codec/jpeg/header.h"
#include "image/codec/jpeg/huffman.h"

namespace fastinet::jpeg {

class HalfScanner {
 public:
  // As Scanner::scan does it: how to enter at each MCU of a scan that is complete. False: it is not, it has
  // restart intervals, or something else about it is for the McuDecoder to judge. `entries` is then
  // unspecified. Keeps memory of several times the data's size.
  bool scan(const Header& header, Bytes data, std::vector<EntryPoint>& entries);

 private:
  struct Block {
    const HuffmanTable* dc;
    const HuffmanTable* ac;
    const SkipTable* skip;
    int component;
  };

  // What changes with each look-up, to be kept in registers.
  struct Hot {
    BitReader bits;
    const SkipTable* skip = nullptr;
    uint32_t k = 0;  // coefficients passed of the block at hand
  };

  // One of the two decoders. It always halts between two MCUs, or where it has failed.
  struct Half {
    Hot hot;
    int block = 0;                     // of the MCU
    uint32_t stop = 0;                 // halts at the first MCU that begins at this bit or behind it
    size_t most = 0;                   // or after so many MCUs
    bool failed = false;               // a code, run or value that no 8-bit JPEG holds
    std::vector<uint32_t> starts;      // the bit at which each MCU begins, and the last one ends
    std::vector<int16_t> differences;  // of each block's DC coefficient
    size_t mcus = 0;
  };

  bool prepare(const Header& header, Bytes data);
  void start(Half& half, size_t byte, uint32_t stop, size_t most);
  void resume(Half& half, uint32_t stop);
  void run_both();
  void run_alone(Half& half);
  bool step(Hot& hot, Half& half) const;
  bool end_block(Hot& hot, Half& half, uint32_t entry, uint32_t next) const;
  bool begin_block(Hot& hot, Half& half) const;
  bool halted(const Half& half) const;
  bool join(size_t mcus, size_t& from_second);
  bool collect(const Header& header, size_t from_second, std::vector<EntryPoint>& entries) const;

  HuffmanCache cache_;
  std::vector<Block> blocks_;
  std::vector<uint8_t> buffer_;    // the scan without stuffed zeros, then zeros
  size_t filled_ = 0;              // bytes of the scan
  std::vector<uint32_t> stuffed_;  // in the buffer: each 0xFF that had a zero behind it
  Half first_, second_;
};

}  // namespace fastinet::jpeg
