// The sidecar's bytes. FORMAT.md is normative and gives the reasons; these are its constants, once.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace fastinet::format {

static_assert(std::endian::native == std::endian::little, "sidecars are little-endian and read in place");

inline constexpr uint8_t kMagic[8] = {0x89, 'F', 'I', 'D', 'X', '\r', '\n', 0x1a};
inline constexpr uint32_t kVersion = 2;
inline constexpr uint32_t kAlignment = 8;  // of every section
inline constexpr uint32_t kTarBlock = 512;
inline constexpr uint64_t kHashChunk = 8u << 20;  // bytes under one hash in the file of chunk hashes

// Limits that a reader enforces before it trusts a size.
inline constexpr uint64_t kMaxRecords = 1u << 24;
inline constexpr uint32_t kMaxSections = 64;
inline constexpr uint32_t kMaxKeySize = 4096;
inline constexpr uint32_t kMaxPayloadSize = 0x7fffffff;
inline constexpr uint32_t kMaxEntryPointsSize = 0x7fffffff;
inline constexpr uint32_t kMaxBoxes = 65536;
inline constexpr uint32_t kMaxSide = 1u << 24;
inline constexpr uint64_t kMaxTarSize = uint64_t{1} << 48;
inline constexpr int32_t kNoLabel = -1;

// A file may have a longer header and longer records than these structs: `header_size` and `record_size` say
// how long they are, and a reader ignores the bytes that it does not know.
struct Header {
  uint8_t magic[8];
  uint32_t version;
  uint32_t header_size;
  uint64_t record_count;
  uint64_t tar_size;
  uint64_t tar_xxh3;
  uint64_t index_size;
  uint32_t record_size;
  uint32_t section_count;
  uint32_t flags;      // a reader refuses bits that it does not know
  uint32_t reserved;   // 0
  uint64_t head_xxh3;  // of header, section table and record table without these eight bytes
};
static_assert(sizeof(Header) == 72 && offsetof(Header, head_xxh3) == 64);

inline constexpr uint32_t kMaxHeaderSize = 4096;
inline constexpr uint32_t kMaxRecordSize = 4096;

// In the order in which the sections follow the tables. Only the entry points are optional.
enum SectionId : uint32_t { kKeys = 1, kBoxes = 2, kEntryPoints = 3 };
inline constexpr uint32_t kSectionOptional = 1;  // a reader that does not know this section skips it

struct Section {
  uint32_t id;
  uint32_t flags;
  uint64_t offset;  // in the sidecar
  uint64_t size;
  uint64_t xxh3;
};
static_assert(sizeof(Section) == 32);

// Offsets of key, entry points and boxes count from the start of their section.
struct Record {
  uint64_t payload_offset;  // in the tar
  uint64_t payload_xxh3;
  uint64_t entry_points_xxh3;  // seeded with payload_xxh3; 0 where there are none
  uint64_t entry_points_offset;
  uint32_t entry_points_size;
  uint32_t payload_size;
  int32_t label;
  uint32_t width;
  uint32_t height;
  uint32_t flags;
  uint32_t key_offset;
  uint32_t key_size;
  uint32_t boxes_offset;
  uint32_t boxes_size;
  uint64_t original_xxh3;  // of the source's file; payload_xxh3 where it was not re-encoded
};
static_assert(sizeof(Record) == 80 && std::is_trivially_copyable_v<Record>);

// Record::flags
inline constexpr uint32_t kOrientationMask = 0xf;  // EXIF orientation, 1 to 8
inline constexpr uint32_t kEncodingShift = 8;      // Encoding of base/encoding.h
inline constexpr uint32_t kEncodingMask = 0xff;
inline constexpr uint32_t kClean = 1u << 16;  // decoded to the last row without a warning
inline constexpr uint32_t kKnownFlags = kOrientationMask | (kEncodingMask << kEncodingShift) | kClean;

// One record's boxes: this head, then `count` times BoxEntry.
struct BoxesHead {
  uint32_t count;
  uint32_t width;  // of the image that the coordinates refer to, which may differ from the record's
  uint32_t height;
};
struct BoxEntry {
  int32_t label;
  int32_t xmin, ymin, xmax, ymax;
  uint32_t flags;
};
static_assert(sizeof(BoxesHead) == 12 && sizeof(BoxEntry) == 24);

}  // namespace fastinet::format
