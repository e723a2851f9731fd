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

// What a reader of a mapped sidecar gives; where the file has shrunk meanwhile, that is the error.
template <typename Read>
auto reading(const MappedFile& file, const Read& read) {
  try {
    auto result = read();
    file.check_intact();
    return result;
  } catch (const Error& e) {
    file.check_intact();
    throw e.within({.path = file.path()});
  }
}

}  // namespace

MappedSidecar::MappedSidecar(const ShardSpec& spec) : file_(spec.index_path) {
  check_size(file_, spec.index_size);
  sidecar_ = reading(file_, [&] { return std::make_unique<const Sidecar>(file_.bytes()); });
  const format::Header& header = sidecar_->header();
  if (header.head_xxh3 != spec.index_xxh3) {
    throw Error(ErrorKind::kChecksum, "sidecar is not the one that the manifest names",
                {.path = file_.path(),
                 .expected = "XXH3 " + hash_text(spec.index_xxh3),
                 .found = hash_text(header.head_xxh3)});
  }
  if (sidecar_->size() != spec.record_count) {
    throw Error(ErrorKind::kFormat, "sidecar has another number of records than the manifest says",
                {.path = file_.path(),
                 .expected = std::to_string(spec.record_count),
                 .found = std::to_string(sidecar_->size())});
  }
  if (header.tar_size != spec.tar_size) {
    throw Error(ErrorKind::kFormat, "sidecar belongs to a shard of another size",
                {.path = file_.path(),
                 .expected = std::to_string(spec.tar_size) + " bytes",
                 .found = std::to_string(header.tar_size) + " bytes"});
  }
}

std::string MappedSidecar::key(int64_t i) const {
  return reading(file_, [&] { return sidecar_->key(i); });
}

Boxes MappedSidecar::boxes(int64_t i) const {
  return reading(file_, [&] { return sidecar_->boxes(i); });
}

RecordView MappedSidecar::record(int64_t i, format::Record* entry) const {
  return reading(file_, [&] {
    *entry = sidecar_->entry(i);
    return sidecar_->record(*entry);
  });
}

Shard::Shard(const ShardSpec& spec) : index_(spec), tar_(spec.tar_path) { check_size(tar_, spec.tar_size); }

RecordView Shard::record(int64_t i) const {
  BusErrorGuard::keep_installed();
  format::Record entry;
  RecordView view = index_.record(i, &entry);
  view.payload = tar_.bytes().subspan(entry.payload_offset, entry.payload_size);
  return view;
}

void Shard::check_sections() const {
  reading(index_.file(), [&] { return index_.sidecar().check_sections(), true; });
}

bool Shard::is_current() const { return tar_.is_current() && index_.file().is_current(); }

void Shard::check_intact() const {
  tar_.check_intact();
  index_.file().check_intact();
}

}  // namespace fastinet
