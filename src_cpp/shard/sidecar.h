// A sidecar's bytes, validated once, and compared with what was validated whenever a record is read.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "shard/format.h"
#include "shard/record.h"

namespace fastinet {

// Views into bytes that the caller keeps alive. The bytes may change meanwhile, as those of a mapped file do
// that is written in place: no access then leaves them, and a record whose entry has changed is an error.
// Safe for concurrent use. Errors have no path; where ErrorContext::record is not set, the fault is not
// one record's, even if the text names the first record at which it shows.
class Sidecar {
 public:
  // Checks magic, version, sizes, the checksum of header and tables, and that every extent lies where it
  // may: payloads in tar order without overlap, keys, entry points and boxes inside their sections.
  // Does not read the sections. Throws Error{kFormat, kTruncated, kChecksum}, and Error{kUnsupported} for
  // what a newer version may have written.
  explicit Sidecar(std::span<const uint8_t> bytes);
  Sidecar(const Sidecar&) = delete;
  Sidecar& operator=(const Sidecar&) = delete;

  int64_t size() const { return static_cast<int64_t>(header_.record_count); }
  const format::Header& header() const { return header_; }

  // REQUIRES of all: 0 <= i < size(). Throw Error{kChecksum} where the sidecar was changed since it was
  // opened.
  format::Record entry(int64_t i) const;
  // Everything but the payload, which lies in the tar at entry.payload_offset.
  RecordView record(const format::Record& entry) const;

  // These compare the checksum of their section when it is first needed. Throw Error{kChecksum} where it
  // differs, and boxes() Error{kFormat} naming the record where these are malformed.
  std::string key(int64_t i) const;
  Boxes boxes(int64_t i) const;

  // Compares each section's checksum. Throws Error{kChecksum} naming the section, and Error{kFormat} for
  // padding between sections that is not 0.
  void check_sections() const;

 private:
  // A section that this version knows.
  struct Part {
    std::span<const uint8_t> bytes;
    uint64_t xxh3 = 0;
    mutable std::atomic<bool> sound{false};  // its checksum was compared
  };

  void read_tables();
  void read_sections();
  void check_order(const format::Record& record, int64_t i, uint64_t end) const;
  void check_entry(const format::Record& record, int64_t i) const;
  const Part& part(format::SectionId id) const { return parts_[id - 1]; }
  std::span<const uint8_t> sound_part(format::SectionId id) const;

  std::span<const uint8_t> bytes_;
  std::span<const uint8_t> table_;
  std::vector<format::Section> sections_;
  std::array<Part, 3> parts_;
  std::vector<uint32_t> digests_;  // of each entry, as it was checked
  format::Header header_;
};

// XXH3-64 of a sidecar's head: header, section table and record table without the checksum field.
uint64_t head_hash(std::span<const uint8_t> head);

}  // namespace fastinet
