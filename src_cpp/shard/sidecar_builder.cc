#include "shard/sidecar_builder.h"

#include <cstring>

#include "base/error.h"
#include "base/hash.h"
#include "shard/boxes.h"
#include "shard/sidecar.h"

namespace fastinet {
namespace {

template <typename T>
std::span<const uint8_t> bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(T)};
}

void append(std::vector<uint8_t>& out, std::span<const uint8_t> bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

}  // namespace

void SidecarBuilder::add(std::string_view key, uint64_t payload_offset, uint64_t payload_size,
                         uint64_t payload_xxh3, int32_t label, const ImageFacts& facts, const Boxes* boxes,
                         std::optional<uint64_t> original_xxh3) {
  const auto refuse = [&](const char* problem, const std::string& expected, const std::string& found) {
    throw Error(ErrorKind::kArgument, problem,
                {.key = std::string(key), .expected = expected, .found = found});
  };
  const auto side_ok = [](int32_t side) {
    return side >= 0 && side <= static_cast<int32_t>(format::kMaxSide);
  };
  if (key.empty() || key.size() > format::kMaxKeySize) {
    refuse("key has no allowed length", "1 to " + std::to_string(format::kMaxKeySize) + " bytes",
           std::to_string(key.size()));
  }
  if (payload_size > format::kMaxPayloadSize) {
    refuse("payload is too large", "at most " + std::to_string(format::kMaxPayloadSize) + " bytes",
           std::to_string(payload_size));
  }
  const uint64_t end = records_.empty() ? 0 : records_.back().payload_offset + records_.back().payload_size;
  if (payload_offset < end + format::kTarBlock || payload_offset % format::kTarBlock != 0) {
    refuse("payload is not behind the previous one",
           "a multiple of 512, " + std::to_string(end + format::kTarBlock) + " or more",
           std::to_string(payload_offset));
  }
  if (records_.size() >= format::kMaxRecords) {
    refuse("too many records in one shard", "at most " + std::to_string(format::kMaxRecords), "one more");
  }
  if (label < format::kNoLabel) refuse("label is out of range", "-1 (none) or more", std::to_string(label));
  if (!side_ok(facts.width) || !side_ok(facts.height)) {
    refuse("image size is out of range", "sides of 0 to " + std::to_string(format::kMaxSide),
           std::to_string(facts.width) + "x" + std::to_string(facts.height));
  }
  if (facts.orientation < 1 || facts.orientation > 8) {
    refuse("orientation is out of range", "1 to 8", std::to_string(facts.orientation));
  }
  if (facts.entry_points.size() > format::kMaxEntryPointsSize) {
    refuse("entry points are too large", "at most " + std::to_string(format::kMaxEntryPointsSize) + " bytes",
           std::to_string(facts.entry_points.size()));
  }
  const std::vector<uint8_t> box_bytes =
      boxes != nullptr && !boxes->boxes.empty() ? encode_boxes(*boxes) : std::vector<uint8_t>();
  if (keys_.size() + key.size() > UINT32_MAX || boxes_.size() + box_bytes.size() > UINT32_MAX) {
    refuse("keys or boxes of one shard are too large", "at most 4 GiB", "more");
  }
  if (!seen_.emplace(key).second) refuse("key occurs twice in one shard", "", "");

  format::Record r{};
  r.payload_offset = payload_offset;
  r.payload_xxh3 = payload_xxh3;
  r.original_xxh3 = original_xxh3.value_or(payload_xxh3);
  r.payload_size = static_cast<uint32_t>(payload_size);
  r.label = label;
  r.width = static_cast<uint32_t>(facts.width);
  r.height = static_cast<uint32_t>(facts.height);
  r.flags = static_cast<uint32_t>(facts.orientation) |
            (static_cast<uint32_t>(facts.encoding) << format::kEncodingShift) |
            (facts.clean ? format::kClean : 0);
  r.key_offset = static_cast<uint32_t>(keys_.size());
  r.key_size = static_cast<uint32_t>(key.size());
  keys_.insert(keys_.end(), key.begin(), key.end());
  if (!facts.entry_points.empty()) {
    r.entry_points_offset = entry_points_.size();
    r.entry_points_size = static_cast<uint32_t>(facts.entry_points.size());
    r.entry_points_xxh3 = xxh3(facts.entry_points, payload_xxh3);
    append(entry_points_, facts.entry_points);
  }
  if (!box_bytes.empty()) {
    r.boxes_offset = static_cast<uint32_t>(boxes_.size());
    r.boxes_size = static_cast<uint32_t>(box_bytes.size());
    append(boxes_, box_bytes);
  }
  records_.push_back(r);
}

SidecarFile SidecarBuilder::build(uint64_t tar_size, uint64_t tar_xxh3) const {
  struct Body {
    uint32_t id;
    uint32_t flags;
    std::span<const uint8_t> bytes;
  };
  std::vector<Body> bodies = {{format::kKeys, 0, keys_}};
  if (!boxes_.empty()) bodies.push_back({format::kBoxes, 0, boxes_});
  if (!entry_points_.empty())
    bodies.push_back({format::kEntryPoints, format::kSectionOptional, entry_points_});

  const auto aligned = [](uint64_t n) {
    return (n + format::kAlignment - 1) / format::kAlignment * format::kAlignment;
  };
  const uint64_t head_size = sizeof(format::Header) + bodies.size() * sizeof(format::Section) +
                             records_.size() * sizeof(format::Record);
  std::vector<format::Section> sections;
  uint64_t end = head_size;
  for (const Body& body : bodies) {
    sections.push_back({body.id, body.flags, aligned(end), body.bytes.size(), xxh3(body.bytes)});
    end = sections.back().offset + sections.back().size;
  }

  format::Header header{};
  std::memcpy(header.magic, format::kMagic, sizeof header.magic);
  header.version = format::kVersion;
  header.header_size = sizeof header;
  header.record_count = records_.size();
  header.tar_size = tar_size;
  header.tar_xxh3 = tar_xxh3;
  header.index_size = end;
  header.record_size = sizeof(format::Record);
  header.section_count = static_cast<uint32_t>(sections.size());

  SidecarFile file{.bytes = std::vector<uint8_t>(end), .head_size = head_size, .prefix_size = end};
  std::vector<uint8_t>& out = file.bytes;
  const auto put = [&out](uint64_t offset, std::span<const uint8_t> bytes) {
    if (!bytes.empty()) std::memcpy(out.data() + offset, bytes.data(), bytes.size());
  };
  put(0, {reinterpret_cast<const uint8_t*>(&header), sizeof header});
  put(sizeof header, bytes_of(sections));
  put(sizeof header + bytes_of(sections).size(), bytes_of(records_));
  file.head_xxh3 = head_hash(std::span(out).first(head_size));
  std::memcpy(out.data() + offsetof(format::Header, head_xxh3), &file.head_xxh3, sizeof file.head_xxh3);
  for (size_t i = 0; i < bodies.size(); ++i) put(sections[i].offset, bodies[i].bytes);
  if (sections.back().id == format::kEntryPoints) file.prefix_size = sections.back().offset;
  return file;
}

}  // namespace fastinet
