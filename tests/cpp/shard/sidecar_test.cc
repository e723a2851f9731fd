#include "shard/sidecar.h"

#include <gtest/gtest.h>

#include <cstring>

#include "shard/sidecar_builder.h"
#include "shard/support.h"

namespace fastinet {
namespace {

using namespace test;

// Two records: "a" with entry points and a box, "b" without.
std::vector<uint8_t> sample() {
  SidecarBuilder builder;
  const std::vector<uint8_t> entry_points = {1, 2, 3, 4, 5};
  const Boxes boxes{9, 8, {{1, 0, 0, 5, 5, 0}}};
  builder.add("a", 512, 100, 7, 3, {.width = 9, .height = 8, .entry_points = entry_points}, &boxes);
  builder.add("b", 1536, 10, 8, 4, {}, nullptr);
  return builder.build(4096, 99);
}

template <typename T>
void put(std::vector<uint8_t>& bytes, size_t offset, T value) {
  std::memcpy(bytes.data() + offset, &value, sizeof value);
}

constexpr size_t kSections = 3;
constexpr size_t kTable = sizeof(format::Header) + kSections * sizeof(format::Section);

// The error of a sidecar with one field changed and the checksum put right.
template <typename T>
Error after_change(size_t offset, T value) {
  std::vector<uint8_t> bytes = sample();
  put(bytes, offset, value);
  put(bytes, offsetof(format::Header, head_xxh3),
      head_hash(std::span(bytes).first(kTable + 2 * sizeof(format::Record))));
  return error_of([&] { Sidecar{bytes}; });
}

size_t in_record(size_t i, size_t field) { return kTable + i * sizeof(format::Record) + field; }
size_t in_section(size_t i, size_t field) {
  return sizeof(format::Header) + i * sizeof(format::Section) + field;
}

TEST(Sidecar, GivesBackWhatTheBuilderWasGiven) {
  const std::vector<uint8_t> bytes = sample();
  const Sidecar sidecar(bytes);
  ASSERT_EQ(sidecar.size(), 2);
  EXPECT_EQ(sidecar.key(0), "a");
  EXPECT_EQ(sidecar.key(1), "b");
  EXPECT_EQ(sidecar.record(0).entry_points.size(), 5u);
  EXPECT_EQ(sidecar.record(1).entry_points.size(), 0u);
  EXPECT_EQ(sidecar.record(1).orientation, 1);
  EXPECT_EQ(sidecar.header().tar_xxh3, 99u);
  sidecar.check_sections();
}

TEST(Sidecar, RefusesEveryFieldThatLiesAboutItself) {
  using H = format::Header;
  using S = format::Section;
  using R = format::Record;
  expect_mentions(after_change<uint8_t>(0, 'x'), "wrong magic number");
  expect_mentions(after_change<uint32_t>(offsetof(H, version), 2), "expected version 1, found version 2");
  expect_mentions(after_change<uint64_t>(offsetof(H, index_size), 1),
                  "another size than its header says: expected 1 bytes");
  expect_mentions(after_change<uint32_t>(offsetof(H, header_size), 63), "wrong header size");
  expect_mentions(after_change<uint32_t>(offsetof(H, record_size), 79), "wrong record size");
  expect_mentions(after_change<uint64_t>(offsetof(H, record_count), uint64_t{1} << 40), "too many records");
  expect_mentions(after_change<uint64_t>(offsetof(H, record_count), 1000), "tables do not fit");
  expect_mentions(after_change<uint64_t>(offsetof(H, tar_size), ~uint64_t{0}), "shard is too large");
  expect_mentions(after_change<uint64_t>(offsetof(H, tar_size), 1540), "record 1: payload exceeds the shard");
  expect_mentions(after_change<uint32_t>(offsetof(H, section_count), 65), "too many sections");
  expect_mentions(after_change<uint32_t>(in_section(1, offsetof(S, id)), 1), "section keys occurs twice");
  expect_mentions(after_change<uint32_t>(in_section(1, offsetof(S, id)), 77),
                  "does not know: found section 77");
  expect_mentions(after_change<uint32_t>(in_section(0, offsetof(S, flags)), 2), "unknown section flags");
  expect_mentions(after_change<uint64_t>(in_section(0, offsetof(S, offset)), 8), "section 0 is misplaced");
  expect_mentions(after_change<uint64_t>(in_section(2, offsetof(S, size)), ~uint64_t{0}),
                  "section 2 exceeds the sidecar");
  expect_mentions(after_change<uint64_t>(in_section(2, offsetof(S, size)), 1),
                  "bytes follow the last section");
  expect_mentions(after_change<uint64_t>(in_record(1, offsetof(R, payload_offset)), 1024),
                  "record 1: payload overlaps");
  expect_mentions(after_change<uint64_t>(in_record(1, offsetof(R, payload_offset)), 1537),
                  "record 1: payload overlaps");
  expect_mentions(after_change<uint64_t>(in_record(0, offsetof(R, payload_offset)), 0),
                  "record 0: payload overlaps");
  expect_mentions(after_change<uint32_t>(in_record(1, offsetof(R, payload_size)), ~0u),
                  "record 1: payload is too large");
  expect_mentions(after_change<int32_t>(in_record(1, offsetof(R, label)), -2), "record 1: label is negative");
  expect_mentions(after_change<uint32_t>(in_record(1, offsetof(R, width)), ~0u),
                  "record 1: image size is out of range");
  expect_mentions(after_change<uint32_t>(in_record(1, offsetof(R, flags)), 9),
                  "record 1: orientation is out of range");
  expect_mentions(after_change<uint32_t>(in_record(1, offsetof(R, flags)), 1u << 31 | 1),
                  "record 1: unknown flags");
  expect_mentions(after_change<uint64_t>(in_record(1, offsetof(R, reserved)), 1), "record 1: unknown flags");
  expect_mentions(after_change<uint32_t>(in_record(1, offsetof(R, key_offset)), 2),
                  "record 1: key lies outside");
  expect_mentions(after_change<uint32_t>(in_record(1, offsetof(R, key_size)), 0),
                  "record 1: key lies outside");
  expect_mentions(after_change<uint64_t>(in_record(0, offsetof(R, entry_points_offset)), ~uint64_t{0}),
                  "record 0: entry points lie outside");
  expect_mentions(after_change<uint32_t>(in_record(0, offsetof(R, boxes_size)), 1000),
                  "record 0: boxes lie outside");
}

TEST(Sidecar, SkipsAnUnknownSectionThatIsOptional) {
  std::vector<uint8_t> bytes = sample();
  put<uint32_t>(bytes, in_section(2, 0), 77);
  put<uint32_t>(bytes, in_section(2, 4), format::kSectionOptional);
  put<uint32_t>(bytes, in_record(0, offsetof(format::Record, boxes_size)), 0);
  put(bytes, offsetof(format::Header, head_xxh3),
      head_hash(std::span(bytes).first(kTable + 2 * sizeof(format::Record))));
  EXPECT_EQ(Sidecar(bytes).size(), 2);
}

TEST(Sidecar, IsTruncatedAtEveryShorterLength) {
  const std::vector<uint8_t> bytes = sample();
  for (size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_EQ(error_of([&] { Sidecar{std::span(bytes).first(n)}; }).kind(), ErrorKind::kTruncated) << n;
  }
}

TEST(SidecarBuilder, RefusesValuesBeyondTheLimits) {
  SidecarBuilder builder;
  const auto refused = [&](const char* key, uint64_t offset, uint64_t size, int32_t label,
                           const ImageFacts& facts) {
    return error_of([&] { builder.add(key, offset, size, 0, label, facts, nullptr); });
  };
  expect_mentions(refused("", 512, 1, 0, {}), "key has no allowed length");
  expect_mentions(refused("a", 512, uint64_t{1} << 31, 0, {}), "payload is too large");
  expect_mentions(refused("a", 100, 1, 0, {}), "payload is not behind the previous one");
  expect_mentions(refused("a", 512, 1, -2, {}), "label is out of range");
  expect_mentions(refused("a", 512, 1, 0, {.width = -1}), "image size is out of range");
  expect_mentions(refused("a", 512, 1, 0, {.orientation = 9}),
                  "orientation is out of range: expected 1 to 8, found 9");
  builder.add("a", 512, 1, 0, 0, {}, nullptr);
  expect_mentions(refused("a", 2048, 1, 0, {}), "key occurs twice");
  expect_mentions(refused("b", 512, 1, 0, {}), "payload is not behind the previous one");
}

}  // namespace
}  // namespace fastinet
