// The hash of a file together with those of its chunks, so that a part of it can be checked on its own.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/hash.h"

namespace fastinet {

struct FileHashes {
  uint64_t whole = 0;            // XXH3-64 of all bytes
  std::vector<uint64_t> chunks;  // XXH3-64 of each format::kHashChunk bytes; the last chunk may be shorter
};

// Hashes bytes that arrive in pieces of any size, in one pass. Not safe for concurrent use.
class FileHasher {
 public:
  void update(std::span<const uint8_t> bytes);

  // Call once, after the last update.
  FileHashes finish();

 private:
  Xxh3Stream whole_;
  Xxh3Stream chunk_;
  uint64_t in_chunk_ = 0;  // bytes of the chunk that chunk_ has seen
  std::vector<uint64_t> chunks_;
};

// Of the file at `path`. Throws what MappedFile throws, naming the file.
FileHashes hash_file(const std::string& path);

}  // namespace fastinet
