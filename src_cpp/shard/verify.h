// Every checksum of one shard.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/error.h"
#include "shard/shard.h"

namespace fastinet {

struct VerifyCounts {
  int64_t records = 0;
  int64_t payload_bytes = 0;
};

// Reads the whole shard: the sidecar's sections, each payload, entry points and boxes, and the hash of the
// whole tar against the manifest's. Reports each fault to `fault` and goes on where it can.
VerifyCounts verify_shard(const ShardSpec& spec, uint64_t tar_xxh3,
                          const std::function<void(const Error&)>& fault);

// Compares the whole tar with its hash, which alone covers what lies beside the payloads. Throws
// Error{kChecksum}, and what MappedFile throws.
void check_tar(const std::string& path, uint64_t tar_xxh3);

}  // namespace fastinet
