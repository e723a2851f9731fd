#include "shard/shard.h"

#include "base/error.h"
#include "base/hash.h"

namespace fastinet {
namespace {

void check_size(const MappedFile& file, uint64_t expected) {
  const uint64_t found = file.bytes().size();
  if (found == expected) return;
  throw Error(found < expected ? ErrorKind::kTruncated : ErrorKind::kFormat,
              "file has another size than the manifest says",
              {.path = file.path(),
               .expected = std::to_string(expected) + " bytes",
               .found = std::to_string(found) + " bytes"});
}

Sidecar parse(const MappedFile& file, const ShardSpec& spec) {
  check_size(file, spec.index_size);
  try {
    const Sidecar sidecar(file.bytes());
    file.check_intact();
    const format::Header& header = sidecar.header();
    if (header.head_xxh3 != spec.index_xxh3) {
      throw Error(ErrorKind::kChecksum, "sidecar is not the one that the manifest names",
                  {.expected = "XXH3 " + hash_text(spec.index_xxh3), .found = hash_text(header.head_xxh3)});
    }
    if (sidecar.size() != spec.record_count) {
      throw Error(ErrorKind::kFormat, "sidecar has another number of records than the manifest says",
                  {.expected = std::to_string(spec.record_count), .found = std::to_string(sidecar.size())});
    }
    if (header.tar_size != spec.tar_size) {
      throw Error(ErrorKind::kFormat, "sidecar belongs to a shard of another size",
                  {.expected = std::to_string(spec.tar_size) + " bytes",
                   .found = std::to_string(header.tar_size) + " bytes"});
    }
    return sidecar;
  } catch (const Error& e) {
    throw e.within({.path = file.path()});
  }
}

}  // namespace

MappedSidecar::MappedSidecar(const ShardSpec& spec) : file_(spec.index_path), sidecar_(parse(file_, spec)) {}

Shard::Shard(const ShardSpec& spec) : index_(spec), tar_(spec.tar_path) { check_size(tar_, spec.tar_size); }

RecordView Shard::record(int64_t i) const {
  RecordView view = index_.sidecar().record(i);
  const format::Record entry = index_.sidecar().entry(i);
  view.payload = tar_.bytes().subspan(entry.payload_offset, entry.payload_size);
  return view;
}

void Shard::check_sections() const {
  try {
    index_.sidecar().check_sections();
  } catch (const Error& e) {
    index_.file().check_intact();
    throw e.within({.path = index_path()});
  }
}

void Shard::check_intact() const {
  tar_.check_intact();
  index_.file().check_intact();
}

}  // namespace fastinet
