// One shard: a mapped tar with its mapped sidecar.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "shard/label_map.h"
#include "shard/record.h"
#include "shard/sidecar.h"
#include "storage/mapped_file.h"

namespace fastinet {

// What the manifest says of a shard.
struct ShardSpec {
  std::string tar_path;
  std::string index_path;
  int64_t record_count = 0;
  uint64_t tar_size = 0;
  uint64_t index_size = 0;
  uint64_t index_xxh3 = 0;  // of the sidecar's header and tables, as FORMAT.md defines
  std::shared_ptr<const LabelMap> label_map = nullptr;  // null: its labels are the dataset's classes
};

// A sidecar that is what the manifest says. Safe for concurrent use.
class MappedSidecar {
 public:
  // Throws Error naming the sidecar.
  explicit MappedSidecar(const ShardSpec& spec);

  const Sidecar& sidecar() const { return *sidecar_; }
  const MappedFile& file() const { return file_; }

  // As those of Sidecar, with the path in errors.
  RecordView record(int64_t i, format::Record* entry) const;
  std::string key(int64_t i) const;
  Boxes boxes(int64_t i) const;

 private:
  MappedFile file_;
  std::unique_ptr<const Sidecar> sidecar_;
};

// Safe for concurrent use. Views live as long as the shard.
class Shard {
 public:
  // Maps and validates both files. Throws Error naming the file at fault.
  explicit Shard(const ShardSpec& spec);

  int64_t size() const { return index_.sidecar().size(); }
  const std::string& path() const { return tar_.path(); }
  const std::string& index_path() const { return index_.file().path(); }
  const MappedFile& tar() const { return tar_; }
  uint64_t recorded_tar_xxh3() const { return index_.sidecar().header().tar_xxh3; }  // by the sidecar

  // REQUIRES: 0 <= i < size(). Throw as those of Sidecar, naming the sidecar.
  RecordView record(int64_t i) const;
  std::string key(int64_t i) const { return index_.key(i); }
  Boxes boxes(int64_t i) const { return index_.boxes(i); }

  // Whether the paths still lead to the files that are mapped, and nobody has written to them since.
  bool is_current() const;

  // Compares the checksums of the sidecar's sections. Throws Error naming the sidecar.
  void check_sections() const;

  // Throws Error{kTruncated} once a mapped page of either file was found missing.
  void check_intact() const;

 private:
  MappedSidecar index_;
  MappedFile tar_;
};

}  // namespace fastinet
