// Writes one shard: the tar, then its sidecar.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shard/chunk_hashes.h"
#include "shard/record.h"
#include "shard/sidecar_builder.h"
#include "storage/output_file.h"

namespace fastinet {

// What the manifest records of a finished shard.
struct ShardSummary {
  int64_t record_count = 0;
  uint64_t tar_size = 0;
  uint64_t tar_xxh3 = 0;
  uint64_t index_size = 0;
  uint64_t index_xxh3 = 0;               // of the sidecar's header and tables
  uint64_t index_head_size = 0;          // of its header and tables
  uint64_t index_prefix_size = 0;        // of everything in it but the entry points
  uint64_t index_file_xxh3 = 0;          // of the whole sidecar
  std::vector<uint64_t> tar_chunks{};    // hashes of the tar's chunks
  std::vector<uint64_t> index_chunks{};  // hashes of the sidecar's chunks
};

// The same records give the same bytes. Nothing appears under the final names before finish(), and the
// sidecar appears last, so that a shard with a sidecar is complete. Not safe for concurrent use. Errors name
// the file; after Error{kIo} only destruction is useful, and it removes the temporary files.
class ShardWriter {
 public:
  ShardWriter(std::string tar_path, std::string index_path);

  // Adds <key>.<extension>, <key>.cls (unless label is -1) and <key>.json (unless json is empty).
  // Throws Error{kArgument} for a key that check_key refuses or that was added before, for an extension
  // that is not of [a-z0-9]+ or is cls or json, and for facts outside of FORMAT.md's limits; the writer is
  // then as before the call.
  void add(std::string_view key, std::string_view extension, std::span<const uint8_t> payload, int32_t label,
           const ImageFacts& facts, std::string_view json = {}, const Boxes* boxes = nullptr,
           std::optional<uint64_t> original_xxh3 = {});

  int64_t size() const { return records_.size(); }

  // Bytes of the tar so far, so that a caller can bound shards by size.
  uint64_t tar_size() const { return offset_; }

  ShardSummary finish();

 private:
  void write(std::span<const uint8_t> bytes);
  void write_member(std::string_view name, std::span<const uint8_t> bytes);

  OutputFile tar_;
  std::string index_path_;
  SidecarBuilder records_;
  FileHasher hasher_;
  uint64_t offset_ = 0;
  bool finished_ = false;
};

// Writes a finished sidecar and returns what the manifest records.
ShardSummary write_sidecar(const SidecarBuilder& records, const std::string& index_path, uint64_t tar_size,
                           FileHashes tar);

}  // namespace fastinet
