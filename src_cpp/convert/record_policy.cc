#include "convert/record_policy.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/error.h"

namespace fastinet {
namespace {

// Examples of a remark in the report of a shard.
constexpr size_t kExamples = 8;
constexpr size_t kRareExamples = 256;

size_t examples_of(const std::string& remark) {
  return std::ranges::find(kCommonRemarks, remark) == std::end(kCommonRemarks) ? kRareExamples : kExamples;
}

}  // namespace

RecordPolicy::RecordPolicy(OnBad on_bad, Check check, bool entry_points, Judge judge)
    : on_bad_(on_bad), check_(check), entry_points_(entry_points), judge_(std::move(judge)) {}

ImageExamination RecordPolicy::examine(std::span<const uint8_t> payload) const {
  return ImageExamination(payload, judge_, check_, entry_points_);
}

bool RecordPolicy::accepts(const std::string& refusal, const std::string& origin,
                           const std::string& key) const {
  if (refusal.empty()) return true;
  if (on_bad_ == OnBad::kFail) {
    throw Error(ErrorKind::kDecode, "bad image: " + refusal, {.path = origin, .key = key});
  }
  return on_bad_ == OnBad::kKeep;
}

void RecordPolicy::count(const std::string& key, uint64_t payload_size, int32_t label,
                         const ImageExamination& image) {
  if (report_.labels.empty() || report_.labels.back().first != label) report_.labels.emplace_back(label, 0);
  ++report_.labels.back().second;
  report_.payload_bytes += payload_size;
  if (!image.facts().entry_points.empty()) ++report_.with_entry_points;
  for (const std::string& text : image.remarks()) remark(key, text);
}

void RecordPolicy::remark(const std::string& key, const std::string& text) {
  ++report_.remarks[text];
  std::vector<std::string>& keys = report_.examples[text];
  if (keys.size() < examples_of(text)) keys.push_back(key);
}

ShardReport RecordPolicy::report(const ShardSummary& files) const {
  ShardReport report = report_;
  report.files = files;
  return report;
}

}  // namespace fastinet
