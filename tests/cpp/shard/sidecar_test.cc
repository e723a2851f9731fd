#include "shard/sidecar.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <utility>

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
  return builder.build(4096, 99).bytes;
}

template <typename T>
void put(std::vector<uint8_t>& bytes, size_t offset, T value) {
  std::memcpy(bytes.data() + offset, &value, sizeof value);
}

constexpr size_t kSections = 3;
constexpr size_t kTable = sizeof(format::Header) + kSections * sizeof(format::Section);

void reseal(std::vector<uint8_t>& bytes, size_t head = kTable + 2 * sizeof(format::Record)) {
  put(bytes, offsetof(format::Header, head_xxh3), head_hash(std::span(bytes).first(head)));
}

// The error of a sidecar with one field changed and the checksum put right.
template <typename T>
Error after_change(size_t offset, T value) {
  std::vector<uint8_t> bytes = sample();
  put(bytes, offset, value);
  reseal(bytes);
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
  EXPECT_EQ(sidecar.record(sidecar.entry(0)).entry_points.size(), 5u);
  EXPECT_EQ(sidecar.record(sidecar.entry(1)).entry_points.size(), 0u);
  EXPECT_EQ(sidecar.record(sidecar.entry(1)).orientation, 1);
  EXPECT_EQ(sidecar.boxes(0), (Boxes{9, 8, {{1, 0, 0, 5, 5, 0}}}));
  EXPECT_EQ(sidecar.boxes(1), Boxes{});
  EXPECT_EQ(sidecar.header().tar_xxh3, 99u);
  sidecar.check_sections();
}

TEST(Sidecar, RefusesEveryFieldThatLiesAboutItself) {
  using H = format::Header;
  using S = format::Section;
  using R = format::Record;
  expect_mentions(after_change<uint8_t>(0, 'x'), "wrong magic number");
  expect_mentions(after_change<uint32_t>(offsetof(H, version), 3), "expected version 2, found version 3");
  expect_mentions(
      after_change<uint32_t>(offsetof(H, version), 1),
      "expected version 2; `fastinet index` makes new sidecars for the shards of a folder, found version 1");
  expect_mentions(after_change<uint64_t>(offsetof(H, index_size), 1),
                  "another size than its header says: expected 1 bytes");
  expect_mentions(after_change<uint32_t>(offsetof(H, header_size), 64),
                  "wrong header size: expected a multiple of 8 from 72 to 4096, found 64");
  expect_mentions(after_change<uint32_t>(offsetof(H, record_size), 1u << 16),
                  "wrong record size: expected a multiple of 8 from 80 to 4096, found 65536");
  expect_mentions(after_change<uint64_t>(offsetof(H, record_count), uint64_t{1} << 40), "too many records");
  expect_mentions(after_change<uint64_t>(offsetof(H, record_count), 1000), "tables do not fit");
  expect_mentions(after_change<uint64_t>(offsetof(H, tar_size), ~uint64_t{0}), "shard is too large");
  expect_mentions(after_change<uint64_t>(offsetof(H, tar_size), 1540), "record 1: payload exceeds the shard");
  expect_mentions(after_change<uint32_t>(offsetof(H, section_count), 65), "too many sections");
  expect_mentions(after_change<uint32_t>(in_section(1, offsetof(S, id)), 1), "section keys occurs twice");
  expect_mentions(after_change<uint32_t>(in_section(0, offsetof(S, id)), 2), "section boxes occurs twice");
  expect_mentions(after_change<uint32_t>(in_section(2, offsetof(S, flags)), 0),
                  "section entry points has wrong flags: expected 1, found 0");
  expect_mentions(after_change<uint32_t>(in_section(0, offsetof(S, flags)), 1),
                  "section keys has wrong flags: expected 0, found 1");
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
  expect_mentions(after_change<uint32_t>(in_record(1, offsetof(R, key_offset)), 2),
                  "record 1: key lies outside");
  expect_mentions(after_change<uint32_t>(in_record(1, offsetof(R, key_size)), 0),
                  "record 1: key lies outside");
  expect_mentions(error_of([] {
                    std::vector<uint8_t> bytes = sample();
                    put<uint32_t>(bytes, in_section(0, offsetof(S, id)), 2);
                    put<uint32_t>(bytes, in_section(1, offsetof(S, id)), 1);
                    reseal(bytes);
                    Sidecar{bytes};
                  }),
                  "section keys comes too late: expected sections in the order keys, boxes, entry points, "
                  "found keys behind boxes");
  expect_mentions(after_change<uint64_t>(in_record(0, offsetof(R, entry_points_offset)), ~uint64_t{0}),
                  "record 0: entry points lie outside");
  expect_mentions(after_change<uint32_t>(in_record(0, offsetof(R, boxes_size)), 1000),
                  "record 0: boxes lie outside");
}

TEST(Sidecar, WhatANewerVersionMayHaveWrittenIsNotSupportedRatherThanDamaged) {
  using S = format::Section;
  using R = format::Record;
  const auto unsupported = [](const Error& e, const char* text) {
    EXPECT_EQ(e.kind(), ErrorKind::kUnsupported) << e.what();
    EXPECT_EQ(e.context().record, -1) << "the fault is the sidecar's";
    expect_mentions(e, text);
  };
  unsupported(after_change<uint32_t>(offsetof(format::Header, version), 3),
              "expected version 2, found version 3");
  unsupported(after_change<uint32_t>(offsetof(format::Header, flags), 4),
              "sidecar has flags that this fastinet does not know: found 4, reserved 0");
  unsupported(after_change<uint32_t>(in_section(1, offsetof(S, id)), 77),
              "sidecar needs a section that this fastinet does not know: found section 77");
  unsupported(after_change<uint32_t>(in_section(0, offsetof(S, flags)), 2),
              "sidecar has section flags that this fastinet does not know: found 2");
  unsupported(after_change<uint32_t>(in_record(1, offsetof(R, flags)), 1u << 31 | 1),
              "record 1: unknown flags, which this fastinet does not support: found 2147483648");
  unsupported(after_change<uint32_t>(in_record(1, offsetof(R, flags)), 7u << 8 | 1),
              "record 1: payload has an encoding that this fastinet does not read: found encoding 7 (dct)");
  unsupported(after_change<uint32_t>(in_record(1, offsetof(R, flags)), 8u << 8 | 1),
              "record 1: payload has an encoding that this fastinet does not read: found encoding 8");
}

// The sample with 8 bytes more in the header and 16 more in each record.
std::vector<uint8_t> longer_sample() {
  const std::vector<uint8_t> old = sample();
  const auto at = [&](size_t offset) { return old.begin() + static_cast<ptrdiff_t>(offset); };
  std::vector<uint8_t> bytes(at(0), at(sizeof(format::Header)));
  bytes.resize(bytes.size() + 8, 0xab);
  bytes.insert(bytes.end(), at(sizeof(format::Header)), at(kTable));
  for (size_t i = 0; i < 2; ++i) {
    bytes.insert(bytes.end(), at(in_record(i, 0)), at(in_record(i + 1, 0)));
    bytes.resize(bytes.size() + 16, 0xcd);
  }
  const size_t head = bytes.size();
  bytes.insert(bytes.end(), at(in_record(2, 0)), old.end());
  constexpr uint64_t kMore = 8 + 2 * 16;
  put<uint64_t>(bytes, offsetof(format::Header, index_size), bytes.size());
  put<uint32_t>(bytes, offsetof(format::Header, header_size), 80);
  put<uint32_t>(bytes, offsetof(format::Header, record_size), 96);
  for (size_t i = 0; i < kSections; ++i) {
    uint64_t offset;
    uint8_t* const field = bytes.data() + 8 + in_section(i, offsetof(format::Section, offset));
    std::memcpy(&offset, field, sizeof offset);
    offset += kMore;
    std::memcpy(field, &offset, sizeof offset);
  }
  reseal(bytes, head);
  return bytes;
}

TEST(Sidecar, ALongerHeaderAndLongerRecordsAreReadWithoutWhatIsNotKnown) {
  std::vector<uint8_t> bytes = longer_sample();
  {
    const Sidecar sidecar(bytes);
    ASSERT_EQ(sidecar.size(), 2);
    EXPECT_EQ(sidecar.key(1), "b");
    EXPECT_EQ(sidecar.record(sidecar.entry(1)).label, 4);
    EXPECT_EQ(sidecar.record(sidecar.entry(0)).entry_points.size(), 5u);
    EXPECT_EQ(sidecar.boxes(0), (Boxes{9, 8, {{1, 0, 0, 5, 5, 0}}}));
    sidecar.check_sections();
  }
  for (const size_t at : {size_t{75}, kTable + 8 + sizeof(format::Record)}) {  // bytes that are not known
    bytes[at] ^= 1;
    const Error e = error_of([&] { Sidecar{bytes}; });
    EXPECT_EQ(e.kind(), ErrorKind::kChecksum);
    expect_mentions(e, "header or tables of the sidecar are damaged");
    bytes[at] ^= 1;
  }
}

TEST(Sidecar, EveryByteOutsideOfTheEntryPointsLiesInThePrefix) {
  SidecarBuilder builder;
  const std::vector<uint8_t> entry_points = {1, 2, 3, 4, 5};
  builder.add("a", 512, 100, 7, 3, {}, nullptr);
  const SidecarFile without = builder.build(4096, 99);
  EXPECT_EQ(without.prefix_size, without.bytes.size());
  builder.add("b", 1536, 10, 8, 4, {.entry_points = entry_points}, nullptr, 55);
  const SidecarFile with = builder.build(4096, 99);
  EXPECT_EQ(with.head_size,
            sizeof(format::Header) + 2 * sizeof(format::Section) + 2 * sizeof(format::Record));
  EXPECT_EQ(with.prefix_size, with.bytes.size() - entry_points.size());
  EXPECT_TRUE(std::equal(entry_points.begin(), entry_points.end(), with.bytes.end() - 5));
  const Sidecar sidecar(with.bytes);
  EXPECT_EQ(sidecar.record(sidecar.entry(0)).original_xxh3, 7u) << "the payload is the original";
  EXPECT_EQ(sidecar.record(sidecar.entry(1)).original_xxh3, 55u);
}

TEST(Sidecar, ADamagedTableIsDamagedWhateverItSeemsToSay) {
  for (size_t at = sizeof(format::Header); at < kTable + 2 * sizeof(format::Record); ++at) {
    std::vector<uint8_t> bytes = sample();
    bytes[at] ^= 0x80;
    EXPECT_EQ(error_of([&] { Sidecar{bytes}; }).kind(), ErrorKind::kChecksum) << at;
  }
}

TEST(Sidecar, AnEntryThatChangesAfterItWasOpenedIsAnErrorWhateverChanges) {
  std::vector<uint8_t> bytes = sample();
  const Sidecar sidecar(bytes);
  for (size_t field = 0; field < sizeof(format::Record); ++field) {
    for (const uint8_t change : std::initializer_list<uint8_t>{0x01, 0x80, 0xff}) {
      bytes[in_record(1, field)] ^= change;
      for (const Error& e : {error_of([&] { sidecar.entry(1); }), error_of([&] { sidecar.key(1); }),
                             error_of([&] { sidecar.boxes(1); })}) {
        EXPECT_EQ(e.kind(), ErrorKind::kChecksum);
        EXPECT_EQ(e.context().record, -1) << "the fault is the sidecar's";
        expect_mentions(e, "record 1: sidecar was changed after it was opened");
      }
      EXPECT_EQ(sidecar.entry(0).label, 3);
      bytes[in_record(1, field)] ^= change;
    }
  }
  EXPECT_EQ(sidecar.entry(1).label, 4);
  std::swap_ranges(bytes.begin() + kTable, bytes.begin() + kTable + sizeof(format::Record),
                   bytes.begin() + kTable + sizeof(format::Record));
  expect_mentions(error_of([&] { sidecar.entry(0); }), "record 0: sidecar was changed");
}

TEST(Sidecar, KeysAndBoxesAreComparedWithTheirChecksumWhenTheyAreFirstNeeded) {
  for (const auto& [id, name] : {std::pair(format::kKeys, "keys"), std::pair(format::kBoxes, "boxes")}) {
    std::vector<uint8_t> bytes = sample();
    format::Section section;
    std::memcpy(&section, bytes.data() + in_section(id - 1, 0), sizeof section);
    bytes[section.offset] ^= 1;
    const Sidecar sidecar(bytes);  // opening reads no section
    const auto read = [&] { id == format::kKeys ? (void)sidecar.key(0) : (void)sidecar.boxes(0); };
    for (int again = 0; again < 2; ++again) {
      const Error e = error_of(read);
      EXPECT_EQ(e.kind(), ErrorKind::kChecksum);
      EXPECT_EQ(e.context().record, -1) << "the fault is the sidecar's";
      expect_mentions(e, std::string(name) + " of the sidecar are damaged: expected XXH3 ");
    }
    EXPECT_EQ(sidecar.boxes(1), Boxes{}) << "a record without boxes needs no section";
    id == format::kKeys ? (void)sidecar.boxes(0) : (void)sidecar.key(0);  // the other is sound
    bytes[section.offset] ^= 1;
    read();
  }
}

TEST(Sidecar, SkipsAnUnknownSectionThatIsOptional) {
  std::vector<uint8_t> bytes = sample();
  put<uint32_t>(bytes, in_section(2, 0), 77);
  put<uint32_t>(bytes, in_record(0, offsetof(format::Record, entry_points_size)), 0);
  reseal(bytes);
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
