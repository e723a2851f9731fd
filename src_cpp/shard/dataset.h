// The shards of one split, opened lazily: opening costs nothing for shards that are not read.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "shard/record.h"

namespace fastinet {

struct ShardSpec {
  std::string tar_path;
  std::string index_path;
  int64_t record_count = 0;
  uint64_t tar_size = 0;
  uint64_t index_size = 0;
  uint64_t index_xxh3 = 0;  // of the sidecar's header and record table, as FORMAT.md defines
};

// Safe for concurrent use. A shard is mapped and validated when it is first touched, and kept within a
// bound on open shards; views stay valid while the returned handle lives.
class ShardedDataset {
 public:
  explicit ShardedDataset(std::vector<ShardSpec> shards);
  ~ShardedDataset();

  int64_t size() const;
  int64_t shard_count() const;

  // A record and the handle that keeps its mapping alive. Throws Error naming shard and record.
  struct Handle {
    RecordView record;
    std::shared_ptr<const void> owner;
  };
  Handle record(int64_t index) const;

  // Throws Error{kChecksum} where the payload's bytes are not those that were converted, and
  // Error{kTruncated} where the file has shrunk under the mapping.
  static void check_payload(const Handle& handle);

  // Asks the kernel to read the record's bytes ahead.
  void prefetch(int64_t index) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fastinet
