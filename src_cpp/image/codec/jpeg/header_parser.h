// Fills a Header from segment to segment, so that one walk over a file can serve several readers.
#pragma once

#include <array>
#include <cstdint>

#include "image/codec/jpeg/header.h"
#include "image/codec/jpeg/segments.h"

namespace fastinet::jpeg {

class HeaderParser {
 public:
  // `header` must outlive the parser.
  HeaderParser(Bytes data, Header& header);
  HeaderParser(const HeaderParser&) = delete;
  HeaderParser& operator=(const HeaderParser&) = delete;

  // Takes the reader's last step. Returns whether the parser wants another one.
  bool take(SegmentReader::Step step, const SegmentReader& reader);

  bool finished() const { return finished_; }
  // As parse_header returns it. REQUIRES: finished().
  Unsuited result() const { return result_; }

 private:
  static constexpr int kTableSlots = 4;

  bool finish(Unsuited result);
  Unsuited read(uint8_t marker, Bytes segment);
  Unsuited quantisation(Bytes segment);
  Unsuited huffman(Bytes segment);
  Unsuited frame(uint8_t marker, Bytes segment);
  Unsuited sampling();
  Unsuited scan(Bytes segment, size_t position);
  ColorSpace color() const;

  Header& header_;
  Unsuited result_ = Unsuited::kMarkers;
  bool finished_ = false;
  bool jfif_ = false;
  int adobe_transform_ = -1;  // -1: no Adobe marker
  std::array<uint8_t, kMaxComponents> id_{}, quant_slot_{};
  std::array<std::array<uint16_t, 64>, kTableSlots> quant_;
  std::array<bool, kTableSlots> has_quant_{};
  std::array<std::array<Bytes, kTableSlots>, 2> huffman_;  // by kind (0: DC, 1: AC) and slot
};

}  // namespace fastinet::jpeg
