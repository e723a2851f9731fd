#include "shard/verify.h"

#include <memory>
#include <string>

#include "base/hash.h"
#include "shard/dataset.h"

namespace fastinet {
namespace {

void check_tar(const MappedFile& tar, uint64_t expected) {
  const uint64_t hash = xxh3(tar.bytes());
  tar.check_intact();
  if (hash == expected) return;
  throw Error(ErrorKind::kChecksum, "shard is damaged",
              {.path = tar.path(), .expected = "XXH3 " + hash_text(expected), .found = hash_text(hash)});
}

}  // namespace

void check_tar(const std::string& path, uint64_t tar_xxh3) {
  check_tar(MappedFile(path, MappedFile::Access::kScan), tar_xxh3);
}

VerifyCounts verify_shard(const ShardSpec& spec, uint64_t tar_xxh3,
                          const std::function<void(const Error&)>& fault) {
  VerifyCounts counts;
  const auto attempt = [&](const auto& check, const ErrorContext& where) {
    try {
      check();
      return true;
    } catch (const Error& e) {
      fault(e.within(where));
      return false;
    }
  };
  std::shared_ptr<const Shard> shard;
  if (!attempt([&] { shard = std::make_shared<const Shard>(spec); }, {})) return counts;
  const bool sound = attempt([&] { shard->check_sections(); }, {});
  for (int64_t i = 0; i < shard->size(); ++i) {
    ShardedDataset::Handle handle{{}, shard, i};
    if (!attempt([&] { handle.record = shard->record(i); }, {})) return counts;  // changed meanwhile
    ErrorContext where = handle.where();
    where.path = spec.index_path;
    attempt([&] { ShardedDataset::check_payload(handle); }, where);
    attempt([&] { ShardedDataset::check_entry_points(handle); }, where);
    if (sound) attempt([&] { handle.boxes(); }, where);
    ++counts.records;
    counts.payload_bytes += static_cast<int64_t>(handle.record.payload.size());
  }
  attempt([&] { check_tar(shard->tar(), tar_xxh3); }, {});
  attempt(
      [&] {
        if (shard->recorded_tar_xxh3() == tar_xxh3) return;
        throw Error(
            ErrorKind::kChecksum, "sidecar was made for another shard than the manifest names",
            {.expected = "XXH3 " + hash_text(tar_xxh3), .found = hash_text(shard->recorded_tar_xxh3())});
      },
      {.path = spec.index_path});
  return counts;
}

}  // namespace fastinet
