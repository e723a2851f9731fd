// A sidecar's bytes, validated once so that reading a record needs no further doubt.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "shard/format.h"
#include "shard/record.h"

namespace fastinet {

// Views into bytes that the caller keeps alive and unchanged. Safe for concurrent use.
class Sidecar {
 public:
  // Checks magic, version, sizes, the checksum of header and tables, and that every extent lies where it
  // may: payloads in tar order without overlap, keys, entry points and boxes inside their sections.
  // Does not read the sections. Throws Error{kFormat, kTruncated, kChecksum, kUnsupported} without a path.
  explicit Sidecar(std::span<const uint8_t> bytes);

  int64_t size() const { return static_cast<int64_t>(header_.record_count); }
  const format::Header& header() const { return header_; }

  // Everything but the payload, which lies in the tar at entry(i).payload_offset.
  RecordView record(int64_t i) const;
  format::Record entry(int64_t i) const;
  std::string_view key(int64_t i) const;

  // Compares each section's checksum. Throws Error{kChecksum} naming the section.
  void check_sections() const;

 private:
  void read_sections();
  void check_records() const;

  std::span<const uint8_t> bytes_;
  std::span<const uint8_t> sections_;
  std::span<const uint8_t> table_;
  std::span<const uint8_t> keys_;
  std::span<const uint8_t> entry_points_;
  std::span<const uint8_t> boxes_;
  format::Header header_;
};

// XXH3-64 of a sidecar's head: header, section table and record table without the checksum field.
uint64_t head_hash(std::span<const uint8_t> head);

}  // namespace fastinet
