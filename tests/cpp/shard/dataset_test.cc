#include "shard/dataset.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <memory>
#include <span>
#include <thread>
#include <utility>

#include "base/hash.h"
#include "shard/chunk_hashes.h"
#include "shard/format.h"
#include "shard/support.h"

namespace fastinet {
namespace {

using namespace test;

TEST(ShardedDataset, GivesBackEveryRecordThatWasWritten) {
  const TempFolder folder;
  const ShardedDataset dataset(
      {make_shard(folder, "a", 5), make_shard(folder, "empty", 0), make_shard(folder, "b", 3, 5)});
  ASSERT_EQ(dataset.size(), 8);
  for (int64_t i = 0; i < 8; ++i) {
    const int64_t k = i < 5 ? i : i - 5;
    const auto handle = dataset.record(i);
    const RecordView& r = handle.record;
    const std::vector<uint8_t> payload = payload_of(k, 1000 + static_cast<size_t>(k));
    EXPECT_TRUE(std::equal(r.payload.begin(), r.payload.end(), payload.begin(), payload.end()));
    EXPECT_EQ(handle.key(), (i < 5 ? "a/" : "b/") + std::to_string(k));
    EXPECT_EQ(r.label, i);
    EXPECT_EQ(r.width, 40 + k);
    EXPECT_EQ(r.height, 30);
    EXPECT_EQ(r.orientation, 1 + k % 8);
    EXPECT_EQ(r.encoding, Encoding::kJpeg);
    EXPECT_EQ(r.clean, k % 3 == 0);
    EXPECT_EQ(r.entry_points.size(), k % 2 == 0 ? 0u : 20u);
    const Boxes expected = k % 2 == 0 ? Boxes{} : Boxes{40, 30, {{static_cast<int32_t>(k), 1, 2, 30, 20, 1}}};
    EXPECT_EQ(handle.boxes(), expected);
    ShardedDataset::check_payload(handle);
    ShardedDataset::check_entry_points(handle);
  }
  std::vector<int32_t> labels(6);
  dataset.labels(1, 6, labels.data());
  EXPECT_EQ(labels, (std::vector<int32_t>{1, 2, 3, 4, 5, 6}));
  std::vector<uint64_t> hashes(3);
  dataset.payload_hashes(4, 3, hashes.data());
  for (int64_t i = 0; i < 3; ++i) EXPECT_EQ(hashes[i], xxh3(dataset.record(4 + i).record.payload));
  EXPECT_EQ(dataset.keys(4, 2), (std::vector<std::string>{"a/4", "b/0"}));
}

TEST(ShardedDataset, GivesTheClassesThatALabelMapNames) {
  const TempFolder folder;
  ShardSpec mapped = make_shard(folder, "a", 4);
  const ShardSpec plain = mapped;
  mapped.label_map = std::make_shared<const LabelMap>(std::vector<int32_t>{7, 6, -1, 4});
  const std::vector<int32_t> wanted{7, 6, -1, 4};
  const ShardedDataset dataset({mapped});
  std::vector<int32_t> labels(4);
  dataset.labels(0, 4, labels.data());
  EXPECT_EQ(labels, wanted);
  std::vector<RecordFacts> facts(4);
  dataset.facts(0, 4, facts.data());
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(facts[i].label, wanted[i]);
    EXPECT_EQ(dataset.record(static_cast<int64_t>(i)).record.label, wanted[i]);
  }
  EXPECT_EQ(dataset.record(3).boxes().boxes.at(0).label, 4);
  EXPECT_EQ(dataset.boxes(3, 1).rows.at(0).label, 4);
  EXPECT_EQ(ShardedDataset({plain}).record(1).record.label, 1);  // the same mapped files, without the map

  mapped.label_map = std::make_shared<const LabelMap>(std::vector<int32_t>{7});
  const ShardedDataset short_map({mapped});
  for (const Error& e :
       {error_of([&] { short_map.record(1); }), error_of([&] { short_map.labels(0, 4, labels.data()); }),
        error_of([&] { short_map.boxes(1, 1); })}) {
    EXPECT_EQ(e.kind(), ErrorKind::kFormat);
    EXPECT_EQ(e.context().path, mapped.index_path);
    expect_mentions(e, "label is not in the label map");
    expect_mentions(e, "expected -1 to 0, found 1");
  }
}

TEST(FileHasher, HashesTheWholeAndEachChunkHoweverTheBytesArrive) {
  std::vector<uint8_t> bytes(format::kHashChunk + 12345);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * i >> 7);
  const std::span<const uint8_t> all(bytes);
  for (const size_t piece : {size_t{4096} + 1, size_t{3} << 20, bytes.size()}) {
    FileHasher hasher;
    for (size_t at = 0; at < bytes.size(); at += piece)
      hasher.update(all.subspan(at, std::min(piece, bytes.size() - at)));
    const FileHashes hashes = hasher.finish();
    EXPECT_EQ(hashes.whole, xxh3(all));
    EXPECT_EQ(hashes.chunks, (std::vector<uint64_t>{xxh3(all.first(format::kHashChunk)),
                                                    xxh3(all.subspan(format::kHashChunk))}));
  }
  EXPECT_TRUE(FileHasher().finish().chunks.empty());
}

TEST(ShardedDataset, FactsAndBoxesOfARangeAreThoseOfItsRecords) {
  const TempFolder folder;
  const ShardedDataset dataset({make_shard(folder, "a", 5), make_shard(folder, "b", 3, 5)});
  std::vector<RecordFacts> facts(6);
  dataset.facts(2, 6, facts.data());
  const BoxTable table = dataset.boxes(2, 6);
  ASSERT_EQ(table.counts.size(), 6u);
  ASSERT_EQ(table.sizes.size(), 6u);
  size_t row = 0;
  for (size_t i = 0; i < 6; ++i) {
    const auto handle = dataset.record(static_cast<int64_t>(i) + 2);
    const RecordView& r = handle.record;
    const Boxes boxes = handle.boxes();
    EXPECT_EQ(facts[i].label, r.label);
    EXPECT_EQ(facts[i].width, r.width);
    EXPECT_EQ(facts[i].height, r.height);
    EXPECT_EQ(facts[i].payload_bytes, r.payload.size());
    EXPECT_EQ(facts[i].entry_points_bytes, r.entry_points.size());
    EXPECT_EQ(facts[i].orientation, r.orientation);
    EXPECT_EQ(facts[i].encoding, r.encoding);
    EXPECT_EQ(facts[i].clean, r.clean);
    EXPECT_EQ(facts[i].boxes, !boxes.boxes.empty());
    EXPECT_EQ(table.counts[i], static_cast<int64_t>(boxes.boxes.size()));
    EXPECT_EQ(table.sizes[i], std::pair(boxes.width, boxes.height));
    for (const Box& box : boxes.boxes) EXPECT_EQ(table.rows.at(row++), box);
  }
  EXPECT_EQ(row, table.rows.size());
}

// Where the boxes of a shard of four records end: before the entry points of records 1 and 3.
uint64_t boxes_end(const ShardSpec& spec) { return spec.index_size - 2 * 20; }

TEST(ShardedDataset, MalformedBoxesAreAnErrorThatNamesSidecarAndRecord) {
  const TempFolder folder;
  ShardSpec spec = make_shard(folder, "a", 4);
  // Records 1 and 3 have one box each, whose count is its first byte.
  flip_byte(spec.index_path, boxes_end(spec) - (sizeof(format::BoxesHead) + sizeof(format::BoxEntry)));
  reseal(spec);
  const ShardedDataset dataset({spec});
  for (const Error& e :
       {error_of([&] { dataset.boxes(0, 4); }), error_of([&] { dataset.record(3).boxes(); })}) {
    EXPECT_EQ(e.kind(), ErrorKind::kFormat);
    EXPECT_EQ(e.context().record, 3);
    expect_mentions(e, "a.idx: record 3: size of the boxes does not fit their count");
  }
  EXPECT_EQ(dataset.record(1).boxes().boxes.size(), 1u);
}

TEST(ShardedDataset, AFlippedBitInKeysOrBoxesNeverGivesAnotherKeyOrBox) {
  const TempFolder folder;
  const ShardSpec keys = make_shard(folder, "a", 4), boxes = make_shard(folder, "b", 4, 4);
  const size_t tables = sizeof(format::Header) + 3 * sizeof(format::Section) + 4 * sizeof(format::Record);
  flip_byte(keys.index_path, tables);
  flip_byte(boxes.index_path, boxes_end(boxes) - 1);
  flip_byte(keys.tar_path, 512);
  const ShardedDataset dataset({keys, boxes});
  const auto damaged = [](const Error& e, const char* text) {
    EXPECT_EQ(e.kind(), ErrorKind::kChecksum);
    EXPECT_EQ(e.context().record, -1) << "the fault is the sidecar's";
    expect_mentions(e, text);
  };
  damaged(error_of([&] { dataset.record(2).key(); }),
          "a.idx: keys of the sidecar are damaged: expected XXH3 ");
  damaged(error_of([&] { dataset.keys(0, 1); }), "a.idx: keys of the sidecar are damaged: expected XXH3 ");
  damaged(error_of([&] { dataset.record(5).boxes(); }), "b.idx: boxes of the sidecar are damaged");
  damaged(error_of([&] { dataset.boxes(0, 8); }), "b.idx: boxes of the sidecar are damaged");
  EXPECT_EQ(dataset.record(1).boxes().boxes.size(), 1u);
  EXPECT_EQ(dataset.keys(4, 1), std::vector<std::string>{"b/0"});
  // A message does without a key that cannot be trusted.
  const Error e = error_of([&] { ShardedDataset::check_payload(dataset.record(0)); });
  EXPECT_EQ(e.context().key, "");
  expect_mentions(e, "a.tar: record 0: payload is damaged");
}

TEST(ShardedDataset, ASidecarThatIsWrittenInPlaceIsAnErrorAndNoOtherRecord) {
  const TempFolder folder;
  const ShardSpec spec = make_shard(folder, "a", 8), other = make_shard(folder, "b", 8, 100, 5000);
  ASSERT_EQ(spec.index_size, other.index_size);
  const ShardedDataset dataset({spec});
  const auto held = dataset.record(7);
  write_over(spec.index_path, read_bytes(other.index_path));
  for (int64_t i = 0; i < 8; ++i) {
    const Error e = error_of([&] { dataset.record(i); });
    EXPECT_EQ(e.kind(), ErrorKind::kChecksum);
    EXPECT_EQ(e.context().record, -1) << "the fault is the sidecar's";
    expect_mentions(e, "a.idx: record " + std::to_string(i) + ": sidecar was changed after it was opened");
  }
  EXPECT_EQ(error_of([&] { held.key(); }).kind(), ErrorKind::kChecksum);
  EXPECT_EQ(error_of([&] { held.boxes(); }).kind(), ErrorKind::kChecksum);
  ShardedDataset::check_payload(held);  // the tar is as it was
  EXPECT_EQ(held.where().key, "");
  expect_mentions(error_of([&] { dataset.labels(0, 8, std::vector<int32_t>(8).data()); }),
                  "a.idx: sidecar is not the one that the manifest names");
}

TEST(ShardedDataset, WhatIsNoRegularFileIsRefusedAtOnce) {
  const TempFolder folder;
  const ShardSpec good = make_shard(folder, "a", 2);
  const std::string fifo = folder.file("fifo"), device = folder.file("device");
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  std::filesystem::create_symlink("/dev/zero", device);
  std::filesystem::create_directory(folder.file("folder"));
  for (const bool index : {false, true}) {
    for (const auto& [path, number] :
         {std::pair(fifo, ENODEV), std::pair(device, ENODEV), std::pair(folder.file("folder"), EISDIR)}) {
      ShardSpec spec = good;
      (index ? spec.index_path : spec.tar_path) = path;
      const ShardedDataset dataset({spec});
      const Error e = error_of([&] { dataset.record(0); });
      EXPECT_EQ(e.kind(), ErrorKind::kIo);
      EXPECT_EQ(e.context().sys_errno, number);
      expect_mentions(e, path + ": not a regular file");
    }
  }
}

TEST(ShardedDataset, RefusesAnIndexOutsideOfTheDataset) {
  const TempFolder folder;
  const ShardedDataset dataset({make_shard(folder, "a", 2)});
  for (const int64_t index : {int64_t{-1}, int64_t{2}}) {
    const Error e = error_of([&] { dataset.record(index); });
    EXPECT_EQ(e.kind(), ErrorKind::kArgument);
    expect_mentions(e, "expected 0 to 1, found " + std::to_string(index));
  }
  EXPECT_EQ(error_of([&] { dataset.keys(1, 2); }).kind(), ErrorKind::kArgument);
}

TEST(ShardedDataset, NamesAMissingShardOrSidecarWhenItIsOpened) {
  const TempFolder folder;
  const ShardSpec spec = make_shard(folder, "a", 2);
  std::filesystem::rename(spec.index_path, spec.index_path + ".away");
  Error e = error_of([&] { ShardedDataset({spec}); });
  EXPECT_EQ(e.kind(), ErrorKind::kMissing);
  expect_mentions(e, "a.idx: sidecar of a shard is missing");
  std::filesystem::rename(spec.index_path + ".away", spec.index_path);
  std::filesystem::remove(spec.tar_path);
  e = error_of([&] { ShardedDataset({spec}); });
  EXPECT_EQ(e.kind(), ErrorKind::kMissing);
  expect_mentions(e, "a.tar: shard is missing");
}

TEST(ShardedDataset, ReportsATruncatedShardWhenItIsFirstTouched) {
  const TempFolder folder;
  const ShardSpec spec = make_shard(folder, "a", 2);
  std::filesystem::resize_file(spec.tar_path, spec.tar_size - 1);
  const ShardedDataset dataset({spec});
  const Error e = error_of([&] { dataset.record(0); });
  EXPECT_EQ(e.kind(), ErrorKind::kTruncated);
  expect_mentions(
      e, "a.tar: file has another size than the manifest says: expected " + std::to_string(spec.tar_size));
}

TEST(ShardedDataset, FindsAFlippedByteInAPayload) {
  const TempFolder folder;
  const ShardSpec spec = make_shard(folder, "a", 3);
  flip_byte(spec.tar_path, 512 + 10);
  const ShardedDataset dataset({spec});
  const Error e = error_of([&] { ShardedDataset::check_payload(dataset.record(0)); });
  EXPECT_EQ(e.kind(), ErrorKind::kChecksum);
  expect_mentions(e, "a.tar: record 0 (a/0): payload is damaged: expected XXH3 ");
  ShardedDataset::check_payload(dataset.record(1));
}

TEST(ShardedDataset, RefusesASidecarOfAnotherShard) {
  const TempFolder folder;
  const ShardSpec a = make_shard(folder, "a", 3);
  ShardSpec mixed = make_shard(folder, "b", 3, 7);
  ASSERT_EQ(a.index_size, mixed.index_size);
  mixed.index_path = a.index_path;
  const ShardedDataset dataset({mixed});
  const Error e = error_of([&] { dataset.record(0); });
  EXPECT_EQ(e.kind(), ErrorKind::kChecksum);
  expect_mentions(e, "a.idx: sidecar is not the one that the manifest names");
}

TEST(ShardedDataset, AShardThatShrinksUnderItsReadersIsAnError) {
  const TempFolder folder;
  const ShardSpec spec = make_shard(folder, "a", 4, 0, 100000);
  const ShardedDataset dataset({spec});
  const auto first = dataset.record(0);
  const auto last = dataset.record(3);
  ShardedDataset::check_payload(last);
  std::filesystem::resize_file(spec.tar_path, 4096);
  const Error e = error_of([&] { ShardedDataset::check_payload(last); });
  EXPECT_EQ(e.kind(), ErrorKind::kTruncated);
  expect_mentions(e, "a.tar: record 3: file has shrunk while it was read: expected " +
                         std::to_string(spec.tar_size) + " bytes, found 4096 bytes");
  EXPECT_EQ(error_of([&] { ShardedDataset::check_intact(first); }).kind(), ErrorKind::kTruncated);
}

TEST(ShardedDataset, ThreadsThatTouchShardsForTheFirstTimeAgree) {
  const TempFolder folder;
  std::vector<ShardSpec> specs;
  for (int i = 0; i < 12; ++i) specs.push_back(make_shard(folder, "s" + std::to_string(i), 4, i * 4));
  for (int round = 0; round < 5; ++round) {
    const ShardedDataset dataset(specs);
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int64_t i = 0; i < dataset.size(); ++i) {
          const auto handle = dataset.record((i * 5 + t) % dataset.size());
          if (handle.record.label != (i * 5 + t) % dataset.size()) ++wrong;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
  }
}

TEST(ShardedDataset, HandlesOutliveTheDataset) {
  const TempFolder folder;
  ShardedDataset::Handle handle;
  {
    const ShardedDataset dataset({make_shard(folder, "a", 1)});
    handle = dataset.record(0);
  }
  ShardedDataset::check_payload(handle);
}

}  // namespace
}  // namespace fastinet
