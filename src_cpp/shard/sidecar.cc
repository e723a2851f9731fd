#include "shard/sidecar.h"

#include <cstring>

#include "base/error.h"
#include "base/hash.h"

namespace fastinet {
namespace {

[[noreturn]] void malformed(const std::string& problem, uint64_t expected, uint64_t found,
                            int64_t record = -1) {
  throw Error(ErrorKind::kFormat, problem,
              {.record = record, .expected = std::to_string(expected), .found = std::to_string(found)});
}

[[noreturn]] void malformed_record(const char* problem, int64_t record, const std::string& found) {
  throw Error(ErrorKind::kFormat, problem, {.record = record, .found = found});
}

// Whether [offset, offset + size) lies in [0, limit), without overflow.
bool within(uint64_t offset, uint64_t size, uint64_t limit) {
  return size <= limit && offset <= limit - size;
}

template <typename T>
T load(std::span<const uint8_t> bytes, uint64_t index) {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

std::string section_name(uint32_t id) {
  switch (id) {
    case format::kKeys:
      return "keys";
    case format::kEntryPoints:
      return "entry points";
    case format::kBoxes:
      return "boxes";
    default:
      return "section " + std::to_string(id);
  }
}

}  // namespace

uint64_t head_hash(std::span<const uint8_t> head) {
  Xxh3Stream hash;
  hash.update(head.first(offsetof(format::Header, head_xxh3)));
  hash.update(head.subspan(sizeof(format::Header)));
  return hash.digest();
}

Sidecar::Sidecar(std::span<const uint8_t> bytes) : bytes_(bytes), header_{} {
  if (bytes.size() < sizeof header_) {
    throw Error(ErrorKind::kTruncated, "sidecar is too short",
                {.expected = "at least " + std::to_string(sizeof header_) + " bytes",
                 .found = std::to_string(bytes.size()) + " bytes"});
  }
  header_ = load<format::Header>(bytes, 0);
  if (std::memcmp(header_.magic, format::kMagic, sizeof format::kMagic) != 0) {
    throw Error(ErrorKind::kFormat, "not a fastinet sidecar: wrong magic number");
  }
  if (header_.version != format::kVersion) {
    throw Error(ErrorKind::kUnsupported, "sidecar has a format version that this fastinet does not read",
                {.expected = "version " + std::to_string(format::kVersion),
                 .found = "version " + std::to_string(header_.version)});
  }
  if (header_.index_size != bytes.size()) {
    throw Error(header_.index_size > bytes.size() ? ErrorKind::kTruncated : ErrorKind::kFormat,
                "sidecar has another size than its header says",
                {.expected = std::to_string(header_.index_size) + " bytes",
                 .found = std::to_string(bytes.size()) + " bytes"});
  }
  if (header_.header_size != sizeof header_)
    malformed("wrong header size", sizeof header_, header_.header_size);
  if (header_.record_size != sizeof(format::Record)) {
    malformed("wrong record size", sizeof(format::Record), header_.record_size);
  }
  if (header_.record_count > format::kMaxRecords) {
    malformed("too many records", format::kMaxRecords, header_.record_count);
  }
  if (header_.tar_size > format::kMaxTarSize)
    malformed("shard is too large", format::kMaxTarSize, header_.tar_size);
  if (header_.section_count > format::kMaxSections) {
    malformed("too many sections", format::kMaxSections, header_.section_count);
  }
  const uint64_t section_bytes = uint64_t{header_.section_count} * sizeof(format::Section);
  const uint64_t table_bytes = header_.record_count * sizeof(format::Record);
  const uint64_t head_size = sizeof header_ + section_bytes + table_bytes;
  if (head_size > bytes.size()) malformed("tables do not fit into the sidecar", head_size, bytes.size());
  const uint64_t hash = head_hash(bytes.first(head_size));
  if (hash != header_.head_xxh3) {
    throw Error(ErrorKind::kChecksum, "header or tables of the sidecar are damaged",
                {.expected = "XXH3 " + hash_text(header_.head_xxh3), .found = hash_text(hash)});
  }
  sections_ = bytes.subspan(sizeof header_, section_bytes);
  table_ = bytes.subspan(sizeof header_ + section_bytes, table_bytes);
  read_sections();
  check_records();
}

// Sections follow the tables in the order of the section table, each aligned, and fill the file.
void Sidecar::read_sections() {
  uint64_t end = sizeof header_ + sections_.size() + table_.size();
  uint64_t seen = 0;
  for (uint32_t i = 0; i < header_.section_count; ++i) {
    const auto s = load<format::Section>(sections_, i);
    const uint64_t start = (end + format::kAlignment - 1) / format::kAlignment * format::kAlignment;
    if (s.offset != start) malformed("section " + std::to_string(i) + " is misplaced", start, s.offset);
    if (!within(s.offset, s.size, bytes_.size())) {
      malformed("section " + std::to_string(i) + " exceeds the sidecar", bytes_.size() - s.offset, s.size);
    }
    end = s.offset + s.size;
    if ((s.flags & ~format::kSectionOptional) != 0) malformed("unknown section flags", 0, s.flags);
    const bool known = s.id >= format::kKeys && s.id <= format::kBoxes;
    if (!known) {
      if ((s.flags & format::kSectionOptional) != 0) continue;
      throw Error(ErrorKind::kUnsupported, "sidecar needs a section that this fastinet does not know",
                  {.found = "section " + std::to_string(s.id)});
    }
    if ((seen & (uint64_t{1} << s.id)) != 0)
      malformed("section " + section_name(s.id) + " occurs twice", 1, 2);
    seen |= uint64_t{1} << s.id;
    const std::span<const uint8_t> body = bytes_.subspan(s.offset, s.size);
    if (s.id == format::kKeys) keys_ = body;
    if (s.id == format::kEntryPoints) entry_points_ = body;
    if (s.id == format::kBoxes) boxes_ = body;
  }
  if (end != bytes_.size()) malformed("bytes follow the last section", end, bytes_.size());
}

void Sidecar::check_records() const {
  uint64_t end = 0;  // of the previous payload, rounded up to a tar block
  for (int64_t i = 0; i < size(); ++i) {
    const format::Record r = entry(i);
    if (r.payload_size > format::kMaxPayloadSize)
      malformed("payload is too large", format::kMaxPayloadSize, r.payload_size, i);
    if (r.payload_offset % format::kTarBlock != 0 || r.payload_offset < end + format::kTarBlock) {
      malformed_record("payload overlaps what is before it in the shard", i,
                       "offset " + std::to_string(r.payload_offset));
    }
    if (!within(r.payload_offset, r.payload_size, header_.tar_size)) {
      malformed_record(
          "payload exceeds the shard", i,
          "offset " + std::to_string(r.payload_offset) + ", size " + std::to_string(r.payload_size));
    }
    end = r.payload_offset +
          (uint64_t{r.payload_size} + format::kTarBlock - 1) / format::kTarBlock * format::kTarBlock;
    if (r.label < format::kNoLabel) malformed_record("label is negative", i, std::to_string(r.label));
    if (r.width > format::kMaxSide || r.height > format::kMaxSide) {
      malformed_record("image size is out of range", i,
                       std::to_string(r.width) + "x" + std::to_string(r.height));
    }
    const uint32_t orientation = r.flags & format::kOrientationMask;
    if (orientation < 1 || orientation > 8)
      malformed_record("orientation is out of range", i, std::to_string(orientation));
    if ((r.flags & ~format::kKnownFlags) != 0 || r.reserved != 0)
      malformed_record("unknown flags", i, std::to_string(r.flags));
    if (r.key_size == 0 || r.key_size > format::kMaxKeySize ||
        !within(r.key_offset, r.key_size, keys_.size())) {
      malformed_record("key lies outside of the section of keys", i,
                       "offset " + std::to_string(r.key_offset) + ", size " + std::to_string(r.key_size));
    }
    if (r.entry_points_size > format::kMaxEntryPointsSize ||
        !within(r.entry_points_offset, r.entry_points_size, entry_points_.size())) {
      malformed_record("entry points lie outside of their section", i,
                       "offset " + std::to_string(r.entry_points_offset) + ", size " +
                           std::to_string(r.entry_points_size));
    }
    if (!within(r.boxes_offset, r.boxes_size, boxes_.size())) {
      malformed_record("boxes lie outside of their section", i,
                       "offset " + std::to_string(r.boxes_offset) + ", size " + std::to_string(r.boxes_size));
    }
  }
}

format::Record Sidecar::entry(int64_t i) const {
  return load<format::Record>(table_, static_cast<uint64_t>(i));
}

std::string_view Sidecar::key(int64_t i) const {
  const format::Record r = entry(i);
  return {reinterpret_cast<const char*>(keys_.data()) + r.key_offset, r.key_size};
}

RecordView Sidecar::record(int64_t i) const {
  const format::Record r = entry(i);
  RecordView view;
  view.entry_points = entry_points_.subspan(r.entry_points_offset, r.entry_points_size);
  view.boxes = boxes_.subspan(r.boxes_offset, r.boxes_size);
  view.key = {reinterpret_cast<const char*>(keys_.data()) + r.key_offset, r.key_size};
  view.label = r.label;
  view.width = static_cast<int32_t>(r.width);
  view.height = static_cast<int32_t>(r.height);
  view.orientation = static_cast<int32_t>(r.flags & format::kOrientationMask);
  view.format =
      static_cast<PayloadFormat>((r.flags >> format::kPayloadFormatShift) & format::kPayloadFormatMask);
  view.clean = (r.flags & format::kClean) != 0;
  view.payload_xxh3 = r.payload_xxh3;
  view.entry_points_xxh3 = r.entry_points_xxh3;
  return view;
}

void Sidecar::check_sections() const {
  for (uint32_t i = 0; i < header_.section_count; ++i) {
    const auto s = load<format::Section>(sections_, i);
    const uint64_t hash = xxh3(bytes_.subspan(s.offset, s.size));
    if (hash != s.xxh3) {
      throw Error(ErrorKind::kChecksum, section_name(s.id) + " of the sidecar are damaged",
                  {.expected = "XXH3 " + hash_text(s.xxh3), .found = hash_text(hash)});
    }
  }
}

}  // namespace fastinet
