#include "shard/sidecar.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>

#include "base/error.h"
#include "base/hash.h"
#include "shard/boxes.h"

namespace fastinet {
namespace {

[[noreturn]] void malformed(const std::string& problem, uint64_t expected, uint64_t found) {
  throw Error(ErrorKind::kFormat, problem,
              {.expected = std::to_string(expected), .found = std::to_string(found)});
}

// A fault of the sidecar, not of the record alone: ErrorContext::record stays unset.
[[noreturn]] void malformed_record(const char* problem, int64_t record, const std::string& found,
                                   ErrorKind kind = ErrorKind::kFormat) {
  throw Error(kind, "record " + std::to_string(record) + ": " + problem, {.found = found});
}

// What this version leaves undefined, a newer one may have defined.
[[noreturn]] void unsupported(const std::string& problem, const std::string& found) {
  throw Error(ErrorKind::kUnsupported, "sidecar " + problem + " that this fastinet does not know",
              {.found = found});
}

[[noreturn]] void damaged(const std::string& what, uint64_t expected, uint64_t found) {
  throw Error(ErrorKind::kChecksum, what,
              {.expected = "XXH3 " + hash_text(expected), .found = hash_text(found)});
}

std::string extent(uint64_t offset, uint64_t size) {
  return "offset " + std::to_string(offset) + ", size " + std::to_string(size);
}

// Whether [offset, offset + size) lies in [0, limit), without overflow.
bool within(uint64_t offset, uint64_t size, uint64_t limit) {
  return size <= limit && offset <= limit - size;
}

// A copy that is read once: the bytes may change between two reads, but what was checked is what is used.
template <typename T>
T load(std::span<const uint8_t> bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  std::atomic_signal_fence(std::memory_order_seq_cst);
  return value;
}

template <typename T>
std::span<const uint8_t> bytes_of(std::span<const T> values) {
  return {reinterpret_cast<const uint8_t*>(values.data()), values.size_bytes()};
}

uint32_t digest(const format::Record& record, int64_t i) {
  return static_cast<uint32_t>(xxh3(bytes_of(std::span(&record, 1)), static_cast<uint64_t>(i)));
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

void require_size(const char* what, uint32_t size, size_t least, uint32_t most) {
  if (size >= least && size <= most && size % format::kAlignment == 0) return;
  throw Error(ErrorKind::kFormat, std::string("wrong ") + what + " size",
              {.expected = "a multiple of 8 from " + std::to_string(least) + " to " + std::to_string(most),
               .found = std::to_string(size)});
}

uint64_t aligned(uint64_t offset) {
  return (offset + format::kAlignment - 1) / format::kAlignment * format::kAlignment;
}

}  // namespace

uint64_t head_hash(std::span<const uint8_t> head) {
  Xxh3Stream hash;
  hash.update(head.first(offsetof(format::Header, head_xxh3)));
  hash.update(head.subspan(offsetof(format::Header, head_xxh3) + sizeof(uint64_t)));
  return hash.digest();
}

Sidecar::Sidecar(std::span<const uint8_t> bytes) : bytes_(bytes), header_{} {
  if (bytes.size() < sizeof header_) {
    throw Error(ErrorKind::kTruncated, "sidecar is too short",
                {.expected = "at least " + std::to_string(sizeof header_) + " bytes",
                 .found = std::to_string(bytes.size()) + " bytes"});
  }
  header_ = load<format::Header>(bytes);
  if (std::memcmp(header_.magic, format::kMagic, sizeof format::kMagic) != 0) {
    throw Error(ErrorKind::kFormat, "not a fastinet sidecar: wrong magic number");
  }
  if (header_.version != format::kVersion) {
    throw Error(ErrorKind::kUnsupported, "sidecar has a format version that this fastinet does not read",
                {.expected = "version " + std::to_string(format::kVersion) +
                             (header_.version < format::kVersion
                                  ? "; `fastinet index` makes new sidecars for the shards of a folder"
                                  : ""),
                 .found = "version " + std::to_string(header_.version)});
  }
  if (header_.index_size != bytes.size()) {
    throw Error(header_.index_size > bytes.size() ? ErrorKind::kTruncated : ErrorKind::kFormat,
                "sidecar has another size than its header says",
                {.expected = std::to_string(header_.index_size) + " bytes",
                 .found = std::to_string(bytes.size()) + " bytes"});
  }
  if (header_.record_count > format::kMaxRecords) {
    malformed("too many records", format::kMaxRecords, header_.record_count);
  }
  if (header_.tar_size > format::kMaxTarSize)
    malformed("shard is too large", format::kMaxTarSize, header_.tar_size);
  if (header_.section_count > format::kMaxSections) {
    malformed("too many sections", format::kMaxSections, header_.section_count);
  }
  require_size("header", header_.header_size, sizeof header_, format::kMaxHeaderSize);
  require_size("record", header_.record_size, sizeof(format::Record), format::kMaxRecordSize);
  const uint64_t tables_begin =
      header_.header_size + uint64_t{header_.section_count} * sizeof(format::Section);
  const uint64_t table_size = header_.record_count * header_.record_size;
  if (tables_begin + table_size > bytes.size())
    malformed("tables do not fit into the sidecar", tables_begin + table_size, bytes.size());
  table_ = bytes.subspan(tables_begin, table_size);
  read_tables();
}

// One pass over the tables, so that what is hashed is what is checked and remembered. Where the checksum
// differs, that is the error, and not what follows from it.
void Sidecar::read_tables() {
  std::exception_ptr fault;
  const auto attempt = [&fault](const auto& check) {
    if (fault) return;
    try {
      check();
    } catch (const Error&) {
      fault = std::current_exception();
    }
  };
  Xxh3Stream hash;
  hash.update({reinterpret_cast<const uint8_t*>(&header_), offsetof(format::Header, head_xxh3)});
  hash.update(bytes_.subspan(sizeof header_, header_.header_size - sizeof header_));
  attempt([&] {
    if (header_.flags != 0 || header_.reserved != 0) {
      unsupported("has flags",
                  std::to_string(header_.flags) + ", reserved " + std::to_string(header_.reserved));
    }
  });
  for (uint32_t i = 0; i < header_.section_count; ++i) {
    sections_.push_back(
        load<format::Section>(bytes_.subspan(header_.header_size + i * sizeof(format::Section))));
  }
  hash.update(bytes_of(std::span<const format::Section>(sections_)));
  attempt([&] { read_sections(); });

  digests_.reserve(header_.record_count);
  constexpr int64_t kRows = 64;  // read at a time, and only once: what is hashed is what is checked
  const size_t stride = header_.record_size;
  std::vector<uint8_t> rows(kRows * stride);
  uint64_t end = 0;  // of the previous payload, rounded up to a tar block
  for (int64_t first = 0; first < size(); first += kRows) {
    const int64_t count = std::min(kRows, size() - first);
    const std::span<const uint8_t> block(rows.data(), static_cast<size_t>(count) * stride);
    std::memcpy(rows.data(), table_.data() + static_cast<size_t>(first) * stride, block.size());
    std::atomic_signal_fence(std::memory_order_seq_cst);
    hash.update(block);
    for (int64_t k = 0; k < count; ++k) {
      const auto r = load<format::Record>(block.subspan(static_cast<size_t>(k) * stride));
      const int64_t i = first + k;
      attempt([&] {
        check_order(r, i, end);
        check_entry(r, i);
      });
      end = r.payload_offset +
            (uint64_t{r.payload_size} + format::kTarBlock - 1) / format::kTarBlock * format::kTarBlock;
      digests_.push_back(digest(r, i));
    }
  }
  if (const uint64_t found = hash.digest(); found != header_.head_xxh3)
    damaged("header or tables of the sidecar are damaged", header_.head_xxh3, found);
  if (fault) std::rethrow_exception(fault);
}

// Sections follow the tables in the order of the section table, each aligned, and fill the file. Known ones
// ascend by id, so that the entry points, which few readers need at once, come last.
void Sidecar::read_sections() {
  uint64_t end = header_.header_size + sections_.size() * sizeof(format::Section) + table_.size();
  uint32_t last = 0;  // known section
  for (size_t i = 0; i < sections_.size(); ++i) {
    const format::Section& s = sections_[i];
    const uint64_t start = aligned(end);
    if (s.offset != start) malformed("section " + std::to_string(i) + " is misplaced", start, s.offset);
    if (!within(s.offset, s.size, bytes_.size())) {
      malformed("section " + std::to_string(i) + " exceeds the sidecar", bytes_.size() - s.offset, s.size);
    }
    end = s.offset + s.size;
    if ((s.flags & ~format::kSectionOptional) != 0) unsupported("has section flags", std::to_string(s.flags));
    const bool known = s.id >= format::kKeys && s.id <= format::kEntryPoints;
    if (!known) {
      if ((s.flags & format::kSectionOptional) != 0) continue;
      unsupported("needs a section", "section " + std::to_string(s.id));
    }
    const uint32_t flags = s.id == format::kEntryPoints ? format::kSectionOptional : 0;
    if (s.flags != flags) malformed("section " + section_name(s.id) + " has wrong flags", flags, s.flags);
    if (s.id == last) malformed("section " + section_name(s.id) + " occurs twice", 1, 2);
    if (s.id < last) {
      throw Error(ErrorKind::kFormat, "section " + section_name(s.id) + " comes too late",
                  {.expected = "sections in the order keys, boxes, entry points",
                   .found = section_name(s.id) + " behind " + section_name(last)});
    }
    last = s.id;
    Part& part = parts_[s.id - 1];
    part.bytes = bytes_.subspan(s.offset, s.size);
    part.xxh3 = s.xxh3;
  }
  if (end != bytes_.size()) malformed("bytes follow the last section", end, bytes_.size());
}

void Sidecar::check_order(const format::Record& r, int64_t i, uint64_t end) const {
  if (r.payload_offset % format::kTarBlock != 0 || r.payload_offset < end + format::kTarBlock) {
    malformed_record("payload overlaps what is before it in the shard", i,
                     "offset " + std::to_string(r.payload_offset));
  }
}

void Sidecar::check_entry(const format::Record& r, int64_t i) const {
  if (r.payload_size > format::kMaxPayloadSize)
    malformed_record("payload is too large", i, std::to_string(r.payload_size) + " bytes");
  if (!within(r.payload_offset, r.payload_size, header_.tar_size))
    malformed_record("payload exceeds the shard", i, extent(r.payload_offset, r.payload_size));
  if (r.label < format::kNoLabel) malformed_record("label is negative", i, std::to_string(r.label));
  if (r.width > format::kMaxSide || r.height > format::kMaxSide) {
    malformed_record("image size is out of range", i,
                     std::to_string(r.width) + "x" + std::to_string(r.height));
  }
  const uint32_t orientation = r.flags & format::kOrientationMask;
  if (orientation < 1 || orientation > 8)
    malformed_record("orientation is out of range", i, std::to_string(orientation));
  const uint32_t encoding = r.flags >> format::kEncodingShift & format::kEncodingMask;
  if (encoding >= kEncodingCount) {
    malformed_record("payload has an encoding that this fastinet does not read", i,
                     "encoding " + std::to_string(encoding) + (encoding == kReservedDctCode ? " (dct)" : ""),
                     ErrorKind::kUnsupported);
  }
  if ((r.flags & ~format::kKnownFlags) != 0) {
    malformed_record("unknown flags, which this fastinet does not support", i,
                     std::to_string(r.flags & ~format::kKnownFlags), ErrorKind::kUnsupported);
  }
  if (r.key_size == 0 || r.key_size > format::kMaxKeySize ||
      !within(r.key_offset, r.key_size, part(format::kKeys).bytes.size())) {
    malformed_record("key lies outside of the section of keys", i, extent(r.key_offset, r.key_size));
  }
  if (r.entry_points_size > format::kMaxEntryPointsSize ||
      !within(r.entry_points_offset, r.entry_points_size, part(format::kEntryPoints).bytes.size())) {
    malformed_record("entry points lie outside of their section", i,
                     extent(r.entry_points_offset, r.entry_points_size));
  }
  if (!within(r.boxes_offset, r.boxes_size, part(format::kBoxes).bytes.size()))
    malformed_record("boxes lie outside of their section", i, extent(r.boxes_offset, r.boxes_size));
}

format::Record Sidecar::entry(int64_t i) const {
  const auto r = load<format::Record>(table_.subspan(static_cast<size_t>(i) * header_.record_size));
  if (digest(r, i) != digests_[static_cast<size_t>(i)]) {
    throw Error(ErrorKind::kChecksum,
                "record " + std::to_string(i) + ": sidecar was changed after it was opened");
  }
  check_entry(r, i);  // four bytes of digest are much for a mistake, but not all that memory may hang on
  return r;
}

RecordView Sidecar::record(const format::Record& r) const {
  RecordView view;
  view.entry_points = part(format::kEntryPoints).bytes.subspan(r.entry_points_offset, r.entry_points_size);
  view.label = r.label;
  view.width = static_cast<int32_t>(r.width);
  view.height = static_cast<int32_t>(r.height);
  view.orientation = static_cast<int32_t>(r.flags & format::kOrientationMask);
  view.encoding = static_cast<Encoding>((r.flags >> format::kEncodingShift) & format::kEncodingMask);
  view.clean = (r.flags & format::kClean) != 0;
  view.payload_xxh3 = r.payload_xxh3;
  view.original_xxh3 = r.original_xxh3;
  view.entry_points_xxh3 = r.entry_points_xxh3;
  return view;
}

std::string Sidecar::key(int64_t i) const {
  const format::Record r = entry(i);
  const auto bytes = sound_part(format::kKeys).subspan(r.key_offset, r.key_size);
  return {bytes.begin(), bytes.end()};
}

Boxes Sidecar::boxes(int64_t i) const {
  const format::Record r = entry(i);
  if (r.boxes_size == 0) return {};
  const auto bytes = sound_part(format::kBoxes).subspan(r.boxes_offset, r.boxes_size);
  try {
    return decode_boxes(bytes);
  } catch (const Error& e) {
    throw e.within({.record = i});
  }
}

std::span<const uint8_t> Sidecar::sound_part(format::SectionId id) const {
  const Part& known = part(id);
  if (!known.sound.load(std::memory_order_relaxed)) {
    const uint64_t hash = xxh3(known.bytes);
    if (hash != known.xxh3) damaged(section_name(id) + " of the sidecar are damaged", known.xxh3, hash);
    known.sound.store(true, std::memory_order_relaxed);
  }
  return known.bytes;
}

void Sidecar::check_sections() const {
  uint64_t end = header_.header_size + sections_.size() * sizeof(format::Section) + table_.size();
  for (const format::Section& s : sections_) {
    const auto padding = bytes_.subspan(end, s.offset - end);
    if (std::any_of(padding.begin(), padding.end(), [](uint8_t byte) { return byte != 0; }))
      throw Error(ErrorKind::kFormat, "bytes before the " + section_name(s.id) + " of the sidecar are not 0");
    end = s.offset + s.size;
    const uint64_t hash = xxh3(bytes_.subspan(s.offset, s.size));
    if (hash != s.xxh3) damaged(section_name(s.id) + " of the sidecar are damaged", s.xxh3, hash);
  }
}

}  // namespace fastinet
