// One policy for every record of a shard, and what the accepted records add up to. Knows nothing of Python.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "convert/examination.h"
#include "shard/writer.h"

namespace fastinet {

// What to do with an image that no decoder accepts.
enum class OnBad {
  kFail,  // throw
  kSkip,  // leave the record out
  kKeep,  // store the bytes as they are; a file that cannot be read still throws
};

struct ShardReport {
  ShardSummary files;
  uint64_t payload_bytes = 0;
  int64_t with_entry_points = 0;
  std::vector<std::pair<int32_t, int64_t>> labels;  // of the records in order, as runs: label, length
  std::map<std::string, int64_t> remarks;           // images, by what is unusual about them
  std::map<std::string, std::vector<std::string>> examples;  // keys of the first images of each kind
};

// Shared by everything that fills a shard, whether it writes the tar or only a sidecar. Not thread-safe.
class RecordPolicy {
 public:
  RecordPolicy(OnBad on_bad, Check check, bool entry_points, Judge judge);

  OnBad on_bad() const { return on_bad_; }

  // Calls the judge from this thread. The result points into `payload`.
  ImageExamination examine(std::span<const uint8_t> payload) const;

  // Returns whether a record is stored although, or because, `refusal` says what is wrong with its image
  // ("" for a good one). Throws Error{kDecode} naming `origin` and `key` if the policy is to fail.
  bool accepts(const std::string& refusal, const std::string& origin, const std::string& key) const;

  // Counts a record that was stored.
  void count(const std::string& key, uint64_t payload_size, int32_t label, const ImageExamination& image);

  // Counts one more remark on the image of a record that was stored.
  void remark(const std::string& key, const std::string& text);

  // Returns the totals, with the files that hold the records.
  ShardReport report(const ShardSummary& files) const;

 private:
  const OnBad on_bad_;
  const Check check_;
  const bool entry_points_;
  const Judge judge_;
  ShardReport report_;
};

}  // namespace fastinet
