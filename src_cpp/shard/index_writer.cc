#include "shard/index_writer.h"

#include <utility>

#include "base/error.h"
#include "base/hash.h"
#include "shard/key.h"

namespace fastinet {

IndexWriter::IndexWriter(std::string tar_path) : tar_(std::move(tar_path), MappedFile::Access::kScan) {}

void IndexWriter::scan(const TarVisitor& visitor) const {
  try {
    scan_tar(tar_.bytes(), visitor);
    tar_.check_intact();
  } catch (const Error& e) {
    tar_.check_intact();
    throw e.within({.path = tar_.path()});
  }
}

std::span<const uint8_t> IndexWriter::content(uint64_t offset, uint64_t size) const {
  const uint64_t limit = tar_.bytes().size();
  if (offset > limit || size > limit - offset) {
    throw Error(ErrorKind::kArgument, "member lies outside of the archive",
                {.path = tar_.path(),
                 .expected = "within " + std::to_string(limit) + " bytes",
                 .found = "offset " + std::to_string(offset) + ", size " + std::to_string(size)});
  }
  return tar_.bytes().subspan(offset, size);
}

void IndexWriter::add(std::string_view key, uint64_t offset, uint64_t size, int32_t label,
                      const ImageFacts& facts, const Boxes* boxes) {
  try {
    check_key(key);
    records_.add(key, offset, size, xxh3(content(offset, size)), label, facts, boxes);
  } catch (const Error& e) {
    throw e.within({.path = tar_.path()});
  }
}

ShardSummary IndexWriter::finish(const std::string& index_path) {
  FileHasher hasher;
  hasher.update(tar_.bytes());
  tar_.check_intact();
  return write_sidecar(records_, index_path, tar_.bytes().size(), hasher.finish());
}

}  // namespace fastinet
