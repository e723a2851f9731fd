#include <algorithm>
#include <cstring>

#include "image/codec/jpeg/header_parser.h"
#include "image/codec/jpeg/zigzag.h"

namespace fastinet::jpeg {
namespace {

constexpr int kMaxDimension = 65500;                // libjpeg's JPEG_MAX_DIMENSION
constexpr size_t kMaxFileSize = size_t{256} << 20;  // keeps bit positions within 32 bits

bool has_length(uint8_t marker) {
  return is_frame(marker) || marker == kDht || marker == kDac || marker == kSos || marker == kDqt ||
         marker == kDri || marker == kCom || (marker >= kApp0 && marker <= kApp15);
}

}  // namespace

HeaderParser::HeaderParser(Bytes data, Header& header) : header_(header) {
  header = {};
  if (data.size() < 3 || data[0] != 0xFF || data[1] != kSoi || data[2] != 0xFF) {
    finish(Unsuited::kNotJpeg);
  } else if (data.size() > kMaxFileSize) {
    finish(Unsuited::kSize);
  }
}

bool HeaderParser::take(SegmentReader::Step step, const SegmentReader& reader) {
  if (finished_) return false;
  const uint8_t marker = reader.marker();
  if (marker != 0 && !has_length(marker)) return finish(Unsuited::kMarkers);
  switch (step) {
    case SegmentReader::Step::kJunk:
    case SegmentReader::Step::kLengthTooSmall:
      return finish(Unsuited::kMarkers);
    case SegmentReader::Step::kEnd:
    case SegmentReader::Step::kLengthTooLarge:
      return finish(Unsuited::kTruncated);
    case SegmentReader::Step::kSegment:
      break;
  }
  if (marker == kSos) return finish(scan(reader.segment(), reader.position()));
  const Unsuited reason = read(marker, reader.segment());
  return reason == Unsuited::kNone || finish(reason);
}

bool HeaderParser::finish(Unsuited result) {
  result_ = result;
  finished_ = true;
  return false;
}

Unsuited HeaderParser::read(uint8_t marker, Bytes segment) {
  if (is_frame(marker)) return frame(marker, segment);
  switch (marker) {
    case kDqt:
      return quantisation(segment);
    case kDht:
      return huffman(segment);
    case kDri:
      if (segment.size() != 2) return Unsuited::kMarkers;
      header_.restart_interval = be16(segment.data());
      return Unsuited::kNone;
    case kDac:
      return Unsuited::kProcess;
    case kApp0:
      jfif_ |= segment.size() >= 14 && std::memcmp(segment.data(), "JFIF", 5) == 0;
      return Unsuited::kNone;
    case kApp14:
      if (segment.size() >= 12 && std::memcmp(segment.data(), "Adobe", 5) == 0) {
        adobe_transform_ = segment[11];
      }
      return Unsuited::kNone;
    default:
      return Unsuited::kNone;
  }
}

Unsuited HeaderParser::quantisation(Bytes segment) {
  while (!segment.empty()) {
    const int slot = segment[0] & 15, wide = segment[0] >> 4;
    const size_t length = 1 + 64 * (wide ? 2 : 1);
    if (slot >= kTableSlots || wide > 1 || segment.size() < length) return Unsuited::kTables;
    for (int k = 0; k < 64; ++k) {
      quant_[slot][kZigzag[k]] = static_cast<uint16_t>(wide ? be16(&segment[1 + 2 * k]) : segment[1 + k]);
    }
    has_quant_[slot] = true;
    segment = segment.subspan(length);
  }
  return Unsuited::kNone;
}

Unsuited HeaderParser::huffman(Bytes segment) {
  while (!segment.empty()) {
    const int slot = segment[0] & 15, kind = segment[0] >> 4;
    if (slot >= kTableSlots || kind > 1 || segment.size() < 17) return Unsuited::kTables;
    size_t symbols = 0;
    for (int length = 1; length <= 16; ++length) symbols += segment[length];
    if (symbols > 256 || segment.size() < 17 + symbols) return Unsuited::kTables;
    huffman_[kind][slot] = segment.subspan(1, 16 + symbols);
    segment = segment.subspan(17 + symbols);
  }
  return Unsuited::kNone;
}

Unsuited HeaderParser::frame(uint8_t marker, Bytes segment) {
  if (marker != kSof0 && marker != kSof1) return Unsuited::kProcess;
  if (header_.components != 0) return Unsuited::kMarkers;
  if (segment.size() < 6) return Unsuited::kMarkers;
  if (segment[0] != 8) return Unsuited::kPrecision;
  header_.size = {.height = be16(&segment[1]), .width = be16(&segment[3])};
  const int components = segment[5];
  if (header_.size.height == 0 || header_.size.width == 0 || header_.size.height > kMaxDimension ||
      header_.size.width > kMaxDimension) {
    return Unsuited::kSize;
  }
  if (components != 1 && components != 3) return Unsuited::kComponents;
  if (segment.size() != 6 + 3 * static_cast<size_t>(components)) return Unsuited::kMarkers;
  header_.components = components;
  for (int c = 0; c < components; ++c) {
    const uint8_t* p = &segment[6 + 3 * c];
    id_[c] = p[0];
    header_.component[c].h = p[1] >> 4;
    header_.component[c].v = p[1] & 15;
    quant_slot_[c] = p[2];
  }
  return sampling();
}

Unsuited HeaderParser::sampling() {
  auto& component = header_.component;
  if (header_.components == 1) {
    // Blocks of a scan of one component come one by one in raster order, whatever factors it declares.
    if (component[0].h < 1 || component[0].h > 4 || component[0].v < 1 || component[0].v > 4) {
      return Unsuited::kSampling;
    }
    component[0].h = component[0].v = 1;
  } else {
    if (id_[0] == id_[1] || id_[0] == id_[2] || id_[1] == id_[2]) return Unsuited::kComponents;
    if (component[0].h < 1 || component[0].h > 2 || component[0].v < 1 || component[0].v > 2) {
      return Unsuited::kSampling;
    }
    for (int c = 1; c < 3; ++c) {
      if (component[c].h != 1 || component[c].v != 1) return Unsuited::kSampling;
    }
  }
  header_.mcu_width = 8 * component[0].h;
  header_.mcu_height = 8 * component[0].v;
  header_.mcu_columns = (header_.size.width + header_.mcu_width - 1) / header_.mcu_width;
  header_.mcu_rows = (header_.size.height + header_.mcu_height - 1) / header_.mcu_height;
  return Unsuited::kNone;
}

Unsuited HeaderParser::scan(Bytes segment, size_t position) {
  const int components = header_.components;
  if (components == 0) return Unsuited::kMarkers;
  if (segment.size() != 4 + 2 * static_cast<size_t>(components) || segment[0] != components) {
    return Unsuited::kScan;
  }
  for (int c = 0; c < components; ++c) {
    if (segment[1 + 2 * c] != id_[c]) return Unsuited::kScan;
    const int dc = segment[2 + 2 * c] >> 4, ac = segment[2 + 2 * c] & 15, quant = quant_slot_[c];
    if (dc >= kTableSlots || ac >= kTableSlots || quant >= kTableSlots) return Unsuited::kTables;
    Component& component = header_.component[c];
    component.dc_table = huffman_[0][dc];
    component.ac_table = huffman_[1][ac];
    if (component.dc_table.empty() || component.ac_table.empty() || !has_quant_[quant]) {
      return Unsuited::kTables;
    }
    component.quant = quant_[quant];
  }
  const uint8_t* spectral = &segment[1 + 2 * components];
  if (spectral[0] != 0 || spectral[1] != 63 || spectral[2] != 0) return Unsuited::kScan;
  header_.color = color();
  header_.scan_offset = position;
  return Unsuited::kNone;
}

// libjpeg's default_decompress_parms.
ColorSpace HeaderParser::color() const {
  if (header_.components == 1) return ColorSpace::kGray;
  if (jfif_) return ColorSpace::kYCbCr;
  if (adobe_transform_ >= 0) return adobe_transform_ == 0 ? ColorSpace::kRgb : ColorSpace::kYCbCr;
  return id_[0] == 'R' && id_[1] == 'G' && id_[2] == 'B' ? ColorSpace::kRgb : ColorSpace::kYCbCr;
}

const char* name(Unsuited reason) {
  static constexpr std::array<const char*, kUnsuitedCount> kNames = {
      "none", "not a JPEG", "truncated header", "markers", "process", "precision",
      "size", "components", "sampling",         "scan",    "tables"};
  return kNames[static_cast<size_t>(reason)];
}

Unsuited parse_header(Bytes data, Header& header) {
  HeaderParser parser(data, header);
  SegmentReader reader(data);
  while (!parser.finished() && parser.take(reader.next(), reader)) {
  }
  return parser.result();
}

}  // namespace fastinet::jpeg
