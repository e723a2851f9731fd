// Makes the sidecar of a tar that exists, by the same policy as ShardBuilder. Knows nothing of Python.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "convert/record_policy.h"
#include "shard/boxes.h"
#include "shard/index_writer.h"

namespace fastinet {

// The tar is only read. Not thread-safe. Destroyed before finish(), it leaves nothing on disk.
class IndexBuilder {
 public:
  // Maps the tar. Throws Error{kMissing, kIo}.
  IndexBuilder(const std::string& tar_path, OnBad on_bad, Check check, Judge judge);
  ~IndexBuilder();

  // Calls `visitor` for every member of the archive.
  void scan(const TarVisitor& visitor) const;

  // Returns the content of a member. Throws Error{kArgument} if it lies outside of the archive, and
  // Error{kIo} if the tar has been truncated meanwhile.
  std::string read(uint64_t offset, uint64_t size) const;

  // Examines the image of a record. Returns what is wrong with it, or "" for a good image; as the policy
  // says, the record can then be added or is left out. Offsets must ascend from call to call. Throws
  // Error{kDecode} naming tar and key if the policy is to fail, and as read().
  std::string examine(const std::string& key, uint64_t offset, uint64_t size);

  // Returns whether the policy accepts the image that was examined last. If so, add() can be called.
  bool accepted() const { return image_ != nullptr; }

  // Adds the record whose image was examined last. Throws Error{kState} if the policy does not accept it, and
  // Error{kArgument} for a key that check_key refuses.
  void add(int32_t label, const Boxes* boxes);

  // Hashes the whole tar and writes the sidecar.
  ShardReport finish(const std::string& index_path);

 private:
  RecordPolicy policy_;
  IndexWriter writer_;
  std::string key_;
  uint64_t offset_ = 0;
  uint64_t size_ = 0;
  std::unique_ptr<ImageExamination> image_;  // of a record that the policy accepts
};

}  // namespace fastinet
