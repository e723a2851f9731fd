// One pass over a whole scan, at conversion: is every bit of it sound, and where can it be entered?
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "image/codec/jpeg/entry_points.h"
#include "image/codec/jpeg/header.h"

namespace fastinet::jpeg {

// The share of the file's size that its entry points may take.
inline constexpr double kEntryPointShare = 0.03;

struct ScanResult {
  bool complete = false;            // every MCU is valid, and EOI follows the last one at once
  std::vector<EntryPoint> entries;  // one for each MCU; empty unless complete
};

class Scanner {
 public:
  Scanner();
  ~Scanner();
  Scanner(const Scanner&) = delete;
  Scanner& operator=(const Scanner&) = delete;

  // Decodes the whole scan of `data`, the file that `header` was parsed from. What is not complete is for
  // libjpeg-turbo to judge.
  ScanResult scan(const Header& header, Bytes data);

  // The same from the first MCU to the last: the reference, and for what HalfScanner leaves.
  ScanResult scan_in_order(const Header& header, Bytes data);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Whether every MCU is valid and EOI follows the last one at once.
bool is_sound(const Header& header, Bytes data);

// Entry points for EntryPointView::open with the default share, or nothing for a file that is not complete.
std::vector<uint8_t> make_entry_points(const Header& header, Bytes data);

}  // namespace fastinet::jpeg
