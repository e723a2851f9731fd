#include "image/codec/jpeg/header.h"

#include <algorithm>
#include <cstring>

#include "image/codec/jpeg/zigzag.h"

namespace fastinet::jpeg {
namespace {

constexpr int kMaxDimension = 65500;                // libjpeg's JPEG_MAX_DIMENSION
constexpr size_t kMaxFileSize = size_t{256} << 20;  // keeps bit positions within 32 bits
constexpr int kTableSlots = 4;

enum Marker : uint8_t {
  kSof0 = 0xC0,
  kSof1 = 0xC1,
  kDht = 0xC4,
  kJpg = 0xC8,
  kDac = 0xCC,
  kSof15 = 0xCF,
  kSoi = 0xD8,
  kSos = 0xDA,
  kDqt = 0xDB,
  kDri = 0xDD,
  kApp0 = 0xE0,
  kApp14 = 0xEE,
  kApp15 = 0xEF,
  kCom = 0xFE,
};

int be16(const uint8_t* p) { return p[0] << 8 | p[1]; }

bool is_frame(uint8_t marker) {
  return marker >= kSof0 && marker <= kSof15 && marker != kDht && marker != kJpg && marker != kDac;
}

// What the segments before the scan have said so far.
class Parser {
 public:
  Parser(Bytes data, Header& header) : data_(data), header_(header) {}

  Unsuited run() {
    if (data_.size() < 3 || data_[0] != 0xFF || data_[1] != kSoi || data_[2] != 0xFF)
      return Unsuited::kNotJpeg;
    if (data_.size() > kMaxFileSize) return Unsuited::kSize;
    position_ = 2;
    for (;;) {
      uint8_t marker = 0;
      Bytes segment;
      if (Unsuited reason = next(marker, segment); reason != Unsuited::kNone) return reason;
      if (marker == kSos) return scan(segment);
      if (Unsuited reason = read(marker, segment); reason != Unsuited::kNone) return reason;
    }
  }

 private:
  // The next marker and what follows its length field. Fill bytes (0xFF) before a marker are allowed.
  Unsuited next(uint8_t& marker, Bytes& segment) {
    if (data_.size() - position_ < 2) return Unsuited::kTruncated;
    if (data_[position_] != 0xFF) return Unsuited::kMarkers;
    while (data_[position_] == 0xFF) {
      if (++position_ == data_.size()) return Unsuited::kTruncated;
    }
    marker = data_[position_++];
    const bool with_length = is_frame(marker) || marker == kDht || marker == kDac || marker == kSos ||
                             marker == kDqt || marker == kDri || marker == kCom ||
                             (marker >= kApp0 && marker <= kApp15);
    if (!with_length) return Unsuited::kMarkers;
    if (data_.size() - position_ < 2) return Unsuited::kTruncated;
    const size_t length = be16(&data_[position_]);
    if (length < 2) return Unsuited::kMarkers;
    if (data_.size() - position_ < length) return Unsuited::kTruncated;
    segment = data_.subspan(position_ + 2, length - 2);
    position_ += length;
    return Unsuited::kNone;
  }

  Unsuited read(uint8_t marker, Bytes segment) {
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

  Unsuited quantisation(Bytes segment) {
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

  Unsuited huffman(Bytes segment) {
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

  Unsuited frame(uint8_t marker, Bytes segment) {
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

  Unsuited sampling() {
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

  Unsuited scan(Bytes segment) {
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
    header_.scan_offset = position_;
    return Unsuited::kNone;
  }

  // libjpeg's default_decompress_parms.
  ColorSpace color() const {
    if (header_.components == 1) return ColorSpace::kGray;
    if (jfif_) return ColorSpace::kYCbCr;
    if (adobe_transform_ >= 0) return adobe_transform_ == 0 ? ColorSpace::kRgb : ColorSpace::kYCbCr;
    return id_[0] == 'R' && id_[1] == 'G' && id_[2] == 'B' ? ColorSpace::kRgb : ColorSpace::kYCbCr;
  }

  const Bytes data_;
  Header& header_;
  size_t position_ = 0;
  bool jfif_ = false;
  int adobe_transform_ = -1;  // -1: no Adobe marker
  std::array<uint8_t, kMaxComponents> id_{}, quant_slot_{};
  std::array<std::array<uint16_t, 64>, kTableSlots> quant_;
  std::array<bool, kTableSlots> has_quant_{};
  std::array<std::array<Bytes, kTableSlots>, 2> huffman_;  // by kind (0: DC, 1: AC) and slot
};

}  // namespace

const char* name(Unsuited reason) {
  static constexpr std::array<const char*, kUnsuitedCount> kNames = {
      "none", "not a JPEG", "truncated header", "markers", "process", "precision",
      "size", "components", "sampling",         "scan",    "tables"};
  return kNames[static_cast<size_t>(reason)];
}

Unsuited parse_header(Bytes data, Header& header) {
  header = {};
  return Parser(data, header).run();
}

}  // namespace fastinet::jpeg
