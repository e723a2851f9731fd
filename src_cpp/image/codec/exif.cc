#include "image/codec/exif.h"

#include <cstring>
#include <string_view>

namespace fastinet {
namespace {

constexpr uint32_t kOrientationTag = 0x0112;
constexpr uint32_t kShort = 3;
constexpr size_t kEntryBytes = 12;

// The TIFF structure of an EXIF segment. Offsets are not checked.
struct Tiff {
  Bytes bytes;
  bool big_endian;

  uint32_t get16(size_t at) const {
    return big_endian ? bytes[at] << 8 | bytes[at + 1] : bytes[at + 1] << 8 | bytes[at];
  }
  uint32_t get32(size_t at) const {
    return big_endian ? get16(at) << 16 | get16(at + 2) : get16(at + 2) << 16 | get16(at);
  }
};

// Bytes of one value of a TIFF field type; 0: a type that Pillow ignores.
size_t type_size(uint32_t type) {
  constexpr uint8_t kSizes[] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4};
  if (type < std::size(kSizes)) return kSizes[type];
  return type == 16 ? 8 : 0;
}

int valid_or_1(uint32_t orientation) {
  return orientation >= 1 && orientation <= 8 ? static_cast<int>(orientation) : 1;
}

// The digit behind the first tiff:Orientation=" or tiff:Orientation> .
uint32_t orientation_in_xmp(Bytes xmp) {
  constexpr std::string_view kName = "tiff:Orientation";
  const std::string_view text(reinterpret_cast<const char*>(xmp.data()), xmp.size());
  for (size_t at = text.find(kName); at != text.npos; at = text.find(kName, at + 1)) {
    const std::string_view rest = text.substr(at + kName.size());
    for (const std::string_view opening : {std::string_view("=\""), std::string_view(">")}) {
      if (rest.starts_with(opening) && rest.size() > opening.size()) {
        const char digit = rest[opening.size()];
        if (digit >= '0' && digit <= '9') return static_cast<uint32_t>(digit - '0');
      }
    }
  }
  return 1;
}

enum class Found { kYes, kNo, kUnclear };

// `broken` is set where an entry, or the directory itself, cannot be what it says.
Found orientation_in_ifd0(Bytes exif, uint32_t& orientation, bool& broken) {
  broken = true;
  if (exif.size() < 8) return Found::kUnclear;
  const bool big_endian = std::memcmp(exif.data(), "MM\0*", 4) == 0;
  if (!big_endian && std::memcmp(exif.data(), "II*\0", 4) != 0) return Found::kUnclear;
  const Tiff tiff{exif, big_endian};

  const size_t ifd = tiff.get32(4);
  if (ifd + 2 > exif.size()) return Found::kUnclear;
  const size_t count = tiff.get16(ifd);
  Found found = Found::kNo;
  uint64_t value_bytes = 0;
  for (size_t i = 0; i < count; ++i) {
    const size_t entry = ifd + 2 + i * kEntryBytes;
    // What becomes of the entries behind a broken one differs between versions of Pillow.
    const Found if_broken = found == Found::kYes ? found : Found::kUnclear;
    if (entry + kEntryBytes > exif.size()) return if_broken;
    const uint32_t type = tiff.get16(entry + 2);
    const uint64_t values = tiff.get32(entry + 4);
    const uint64_t bytes = values * type_size(type);
    if (bytes > 4) value_bytes += bytes;
    const bool outside = bytes > 4 && tiff.get32(entry + 8) + bytes > exif.size();
    if (outside || value_bytes > exif.size()) return if_broken;
    if (tiff.get16(entry) != kOrientationTag) continue;
    if (type != kShort || values != 1 || found == Found::kYes) return Found::kUnclear;
    orientation = tiff.get16(entry + 8);
    found = Found::kYes;
  }
  broken = false;
  return found;
}

}  // namespace

Orientation read_orientation(const JpegSurvey& survey) {
  if (survey.several_exif) return {.value = 0};
  uint32_t orientation = 1;
  bool broken = false;
  if (survey.exif.data() != nullptr) {
    switch (orientation_in_ifd0(survey.exif, orientation, broken)) {
      case Found::kYes:
        return {valid_or_1(orientation), broken};
      case Found::kUnclear:
        return {0, broken};
      case Found::kNo:
        break;
    }
  }
  return {valid_or_1(orientation_in_xmp(survey.xmp)), broken};
}

}  // namespace fastinet
