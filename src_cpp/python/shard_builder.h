// Fills one shard from files: read, judge, hash, append. Knows nothing of Python; the one place where the
// image layer's findings become the shard layer's facts.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "python/image_facts.h"
#include "shard/shard_writer.h"

namespace fastinet {

enum class OnBad {
  kFail,  // throw
  kSkip,  // leave the record out
  kKeep,  // store the bytes as they are; what cannot even be read still throws
};

// A whole file where length is -1, else a part of one.
struct SampleExtent {
  std::string key;
  std::string path;
  int64_t offset = 0;
  int64_t length = -1;
  int32_t label = -1;
  std::string annotation;  // JSON; empty: none
  std::optional<Boxes> boxes;
};

struct ShardReport {
  ShardSummary files;
  uint64_t payload_bytes = 0;
  int64_t with_entry_points = 0;
  std::map<int32_t, int64_t> labels;                         // records by label
  std::map<std::string, int64_t> remarks;                    // images, by what is out of the ordinary
  std::map<std::string, std::vector<std::string>> examples;  // keys of the first few of each
};

// One thread at a time. Destroyed before finish: nothing remains on disk.
class ShardBuilder {
 public:
  ShardBuilder(const std::string& tar_path, const std::string& index_path, OnBad on_bad, bool entry_points,
               Judge judge);
  ~ShardBuilder();

  // Appends the samples in order. Returns the places of those that are no readable images, with the reason:
  // left out or kept, as the policy says. Throws Error naming file and key where the policy does not allow
  // them, Error{kIo} naming the shard where it cannot be written.
  std::vector<std::pair<size_t, std::string>> add(std::span<const SampleExtent> samples);

  // The same for bytes in memory; `origin` is what errors name. Returns the reason; empty: a good image.
  std::string add(const std::string& key, std::span<const uint8_t> payload, int32_t label,
                  const std::string& annotation, const Boxes* boxes, const std::string& origin);

  // Makes shard and sidecar durable under their names.
  ShardReport finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fastinet
