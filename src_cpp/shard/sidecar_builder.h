// Collects records in tar order and lays out the sidecar's bytes as FORMAT.md says.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "shard/format.h"
#include "shard/record.h"

namespace fastinet {

// A finished sidecar and what the manifest says of it.
struct SidecarFile {
  std::vector<uint8_t> bytes;
  uint64_t head_size = 0;    // header and tables
  uint64_t prefix_size = 0;  // everything but the entry points, which come last
  uint64_t head_xxh3 = 0;    // as the header has it
};

class SidecarBuilder {
 public:
  // Throws Error{kArgument} for a value that FORMAT.md does not allow or a key that was added before.
  // Copies what it keeps. `boxes` may be null. `original_xxh3` is the hash of the source's file where the
  // payload is a re-encoding of it.
  void add(std::string_view key, uint64_t payload_offset, uint64_t payload_size, uint64_t payload_xxh3,
           int32_t label, const ImageFacts& facts, const Boxes* boxes,
           std::optional<uint64_t> original_xxh3 = {});

  // The complete sidecar for a tar of this size and hash. The same records give the same bytes.
  SidecarFile build(uint64_t tar_size, uint64_t tar_xxh3) const;

  int64_t size() const { return static_cast<int64_t>(records_.size()); }

 private:
  std::vector<format::Record> records_;
  std::vector<uint8_t> keys_;
  std::vector<uint8_t> entry_points_;
  std::vector<uint8_t> boxes_;
  std::unordered_set<std::string> seen_;
};

}  // namespace fastinet
