// Fills one shard from files: read, judge, hash, append. Knows nothing of Python; the one place where the
// image layer's findings become the shard layer's facts.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "convert/examination.h"
#include "shard/writer.h"

namespace fastinet {

enum class OnBad {
  kFail,  // throw
  kSkip,  // leave the record out
  kKeep,  // store the bytes as they are; what cannot even be read still throws
};

// Makes an RGB JPEG file of an image in another encoding.
struct Normalised {
  std::string refusal = {};  // why that cannot be done; empty: it can, and `jpeg` is the file
  std::string jpeg = {};
};
using Normaliser = std::function<Normalised(std::span<const uint8_t>)>;

// A whole file where length is -1, else a part of one.
struct SampleExtent {
  std::string key;
  std::string path;
  int64_t offset = 0;
  int64_t length = -1;
  int64_t listed_size = -1;  // of a whole file when it was listed; -1: not known
  int32_t label = -1;
  std::string annotation;  // JSON; empty: none
  std::optional<Boxes> boxes;
};

struct ShardReport {
  ShardSummary files;
  uint64_t payload_bytes = 0;
  int64_t with_entry_points = 0;
  std::vector<std::pair<int32_t, int64_t>> labels;  // of the records in order, as runs: label, length
  std::map<std::string, int64_t> remarks;           // images, by what is out of the ordinary
  std::map<std::string, std::vector<std::string>> examples;  // keys of the first of each
};

// One thread at a time. Destroyed before finish: nothing remains on disk.
class ShardBuilder {
 public:
  // `normaliser`, where there is one, is given each image with an odd_encoding(), and its file stored
  // instead.
  ShardBuilder(const std::string& tar_path, const std::string& index_path, OnBad on_bad, Check check,
               bool entry_points, Judge judge, Normaliser normaliser = {});
  ~ShardBuilder();

  // Appends the samples in order. Returns the places of those that are no readable images, with the reason:
  // left out or kept, as the policy says. Throws Error naming file and key where the policy does not allow
  // them, Error{kIo} naming the shard where it cannot be written.
  std::vector<std::pair<size_t, std::string>> add(std::span<const SampleExtent> samples);

  // The same for bytes in memory. `origin` is what errors name; `original_xxh3` the hash of the source's file
  // where the payload is a re-encoding of it. Returns the reason; empty: a good image.
  std::string add(const std::string& key, std::span<const uint8_t> payload, int32_t label,
                  const std::string& annotation, const Boxes* boxes, const std::string& origin,
                  std::optional<uint64_t> original_xxh3 = {});

  // Makes shard and sidecar durable under their names.
  ShardReport finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fastinet
