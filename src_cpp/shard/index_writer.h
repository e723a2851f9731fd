// The sidecar of a tar that exists already; the tar is only read.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "shard/sidecar_builder.h"
#include "shard/tar/scan.h"
#include "shard/writer.h"
#include "storage/mapped_file.h"

namespace fastinet {

// Not safe for concurrent use. Errors name the tar or the sidecar.
class IndexWriter {
 public:
  // Maps the tar. Throws Error{kMissing, kIo}.
  explicit IndexWriter(std::string tar_path);

  // scan_tar over the whole archive.
  void scan(const TarVisitor& visitor) const;

  // Content of a member. Throws Error{kArgument} outside of the archive.
  std::span<const uint8_t> content(uint64_t offset, uint64_t size) const;

  // Adds the record whose payload is this member. Offsets must ascend. Throws Error{kArgument}, also for a
  // key that check_key refuses.
  void add(std::string_view key, uint64_t offset, uint64_t size, int32_t label, const ImageFacts& facts,
           const Boxes* boxes = nullptr);

  // Hashes the whole tar and writes the sidecar.
  ShardSummary finish(const std::string& index_path);

  const MappedFile& tar() const { return tar_; }

 private:
  MappedFile tar_;
  SidecarBuilder records_;
};

}  // namespace fastinet
