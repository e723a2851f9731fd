// The shards of one split, opened lazily: opening costs nothing for shards that are not read.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "shard/record.h"
#include "shard/shard.h"

namespace fastinet {

// What the record table says of one record, for looking at many at once.
struct RecordFacts {
  int32_t label = -1;
  int32_t width = 0;
  int32_t height = 0;
  uint32_t payload_bytes = 0;
  uint32_t entry_points_bytes = 0;
  uint8_t orientation = 1;
  Encoding encoding = Encoding::kUnknown;
  bool clean = false;
  bool boxes = false;           // whether it has any
  uint64_t payload_offset = 0;  // in the tar
};

// Boxes of several records in a row.
struct BoxTable {
  std::vector<int64_t> counts;                     // of each record
  std::vector<std::pair<int32_t, int32_t>> sizes;  // width and height of each, as Boxes; 0 by 0 without boxes
  std::vector<Box> rows;
};

// Safe for concurrent use. A shard is mapped (without a file descriptor) and validated when it is first
// touched. It is shared with the other datasets of this process and stays mapped until they and all handles
// are gone, or until so many shards are mapped that it is this one's turn to go (shard/shard_pool.h).
class ShardedDataset {
 public:
  // Looks only into the folders that hold the files. Throws Error{kMissing} where one is not there.
  explicit ShardedDataset(std::vector<ShardSpec> shards);
  ~ShardedDataset();

  int64_t size() const;
  int64_t shard_count() const;
  const ShardSpec& shard(int64_t number) const;

  // Shard of a record, and the record's number in it. Throws Error{kArgument} outside of [0, size()).
  std::pair<int64_t, int64_t> locate(int64_t index) const;

  // A record and what keeps its mapping alive.
  struct Handle {
    RecordView record;
    std::shared_ptr<const Shard> owner;
    int64_t number = -1;                                  // of the record in its shard
    std::shared_ptr<const LabelMap> label_map = nullptr;  // of the boxes; `record` is mapped already

    // Throw Error{kChecksum} naming the sidecar where it is damaged, boxes() also Error{kFormat} naming the
    // record.
    std::string key() const;
    Boxes boxes() const;

    // For messages: shard, number and key, the last only if it can be trusted.
    ErrorContext where() const;
  };
  // The record with its label as the dataset's class. Throws Error naming the file at fault. A fault that
  // shows here is the shard's: ErrorContext::record is not set.
  Handle record(int64_t index) const;

  // Throws Error{kTruncated} where the files have shrunk under the mapping. To be called after the last
  // read of the record's bytes: what was read before is good only if this returns.
  static void check_intact(const Handle& handle);

  // check_intact, and Error{kChecksum} where the payload's bytes are not those that were converted.
  static void check_payload(const Handle& handle);

  // Error{kChecksum} where the entry points are damaged or were made for another payload.
  static void check_entry_points(const Handle& handle);

  // Asks the kernel to read the record's bytes ahead.
  void prefetch(int64_t index) const;

  // Labels of records [first, first + count) into `out`, from the sidecars alone, which do not stay mapped.
  void labels(int64_t first, int64_t count, int32_t* out) const;

  // XXH3-64 of the payloads of the same, as the sidecars give it.
  void payload_hashes(int64_t first, int64_t count, uint64_t* out) const;

  // Keys of the same, in order.
  std::vector<std::string> keys(int64_t first, int64_t count) const;

  // The same records' facts into `out`.
  void facts(int64_t first, int64_t count, RecordFacts* out) const;

  // The same records' boxes. Throws Error{kChecksum} naming the sidecar, Error{kFormat} naming also the
  // record.
  BoxTable boxes(int64_t first, int64_t count) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fastinet
