#include "shard/chunk_hashes.h"

#include <algorithm>
#include <utility>

#include "shard/format.h"
#include "storage/mapped_file.h"

namespace fastinet {

void FileHasher::update(std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    // One chunk after the other, so that its second hash finds it in the cache.
    const auto piece = bytes.first(std::min<size_t>(bytes.size(), format::kHashChunk - in_chunk_));
    whole_.update(piece);
    chunk_.update(piece);
    in_chunk_ += piece.size();
    if (in_chunk_ == format::kHashChunk) {
      chunks_.push_back(chunk_.digest());
      chunk_.reset();
      in_chunk_ = 0;
    }
    bytes = bytes.subspan(piece.size());
  }
}

FileHashes FileHasher::finish() {
  if (in_chunk_ > 0) chunks_.push_back(chunk_.digest());
  return {whole_.digest(), std::move(chunks_)};
}

FileHashes hash_file(const std::string& path) {
  const MappedFile file(path, MappedFile::Access::kScan);
  FileHasher hasher;
  hasher.update(file.bytes());
  file.check_intact();
  return hasher.finish();
}

}  // namespace fastinet
