// Writes one shard from files: reads each file, examines its image, and appends it. Knows nothing of Python.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "convert/record_policy.h"

namespace fastinet {

// Converts an image in another encoding to an RGB JPEG file.
struct Normalised {
  std::string refusal = {};  // why that is impossible; empty: `jpeg` is the file
  std::string jpeg = {};
};
using Normaliser = std::function<Normalised(std::span<const uint8_t>)>;

// A whole file if length is -1, otherwise a part of one.
struct SampleExtent {
  std::string key;
  std::string path;
  int64_t offset = 0;
  int64_t length = -1;
  int64_t listed_size = -1;  // of a whole file when it was listed; -1: unknown
  int32_t label = -1;
  std::string annotation;  // JSON; empty: none
  std::optional<Boxes> boxes;
};

// Not thread-safe. Destroyed before finish(), it leaves nothing on disk.
class ShardBuilder {
 public:
  // If there is a `normaliser`, it converts each image with an odd_encoding(), and its result is stored
  // instead.
  ShardBuilder(const std::string& tar_path, const std::string& index_path, OnBad on_bad, Check check,
               bool entry_points, Judge judge, Normaliser normaliser = {});
  ~ShardBuilder();

  // Appends the samples in order. Returns the positions of those that are not readable images, with the
  // reasons; the policy decides whether these are left out or kept. Throws Error naming file and key if the
  // policy is to fail, Error{kIo} naming the shard if it cannot be written.
  std::vector<std::pair<size_t, std::string>> add(std::span<const SampleExtent> samples);

  // Appends bytes in memory. `origin` is the name of the sample in errors; `original_xxh3` is the hash of the
  // source's file if the payload is a re-encoding of it. Returns the reason; empty for a good image.
  std::string add(const std::string& key, std::span<const uint8_t> payload, int32_t label,
                  const std::string& annotation, const Boxes* boxes, const std::string& origin,
                  std::optional<uint64_t> original_xxh3 = {});

  // Publishes shard and sidecar under their names, durably.
  ShardReport finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fastinet
