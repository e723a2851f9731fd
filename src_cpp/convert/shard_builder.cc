#include "convert/shard_builder.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/hash.h"
#include "convert/extent_reader.h"

namespace fastinet {
namespace {

// Examples of a remark that a shard's report holds.
constexpr size_t kExamples = 8;
constexpr size_t kRareExamples = 256;

size_t examples_of(const std::string& remark) {
  return std::ranges::find(kCommonRemarks, remark) == std::end(kCommonRemarks) ? kRareExamples : kExamples;
}

// What went wrong, without the file's name, which stands beside it in a report.
std::string reason_of(const Error& error) {
  ErrorContext context = error.context();
  context.path.clear();
  context.key.clear();
  return Error(error.kind(), error.problem(), std::move(context)).what();
}

}  // namespace

struct ShardBuilder::Impl {
  Impl(const std::string& tar_path, const std::string& index_path, OnBad policy, Check how, bool entries,
       Judge last_resort, Normaliser to_jpeg)
      : on_bad(policy),
        check(how),
        entry_points(entries),
        judge(std::move(last_resort)),
        normaliser(std::move(to_jpeg)),
        writer(tar_path, index_path) {}

  // The reason against the image; empty for a good one.
  std::string append(const std::string& key, std::span<const uint8_t> payload, int32_t label,
                     const std::string& annotation, const Boxes* boxes, const std::string& origin,
                     std::optional<uint64_t> original_xxh3 = {}) {
    const ImageExamination image(payload, judge, check, entry_points);
    std::string refusal = image.refusal();
    if (normaliser && !image.odd_encoding().empty()) {
      const Normalised normalised = normaliser(payload);
      if (normalised.refusal.empty()) {
        const std::span jpeg(reinterpret_cast<const uint8_t*>(normalised.jpeg.data()),
                             normalised.jpeg.size());
        store(key, jpeg, label, annotation, boxes, ImageExamination(jpeg, judge, check, entry_points),
              original_xxh3.value_or(xxh3(payload)));
        remark_on(key, image.odd_encoding() + " normalised to RGB JPEG");
        return {};
      }
      refusal = normalised.refusal;
    }
    if (!refusal.empty() && on_bad == OnBad::kFail) {
      throw Error(ErrorKind::kDecode, "bad image: " + refusal, {.path = origin, .key = key});
    }
    if (!refusal.empty() && on_bad == OnBad::kSkip) return refusal;
    store(key, payload, label, annotation, boxes, image, original_xxh3);
    return refusal;
  }

  void store(const std::string& key, std::span<const uint8_t> payload, int32_t label,
             const std::string& annotation, const Boxes* boxes, const ImageExamination& image,
             std::optional<uint64_t> original_xxh3) {
    writer.add(key, extension(image.facts().encoding), payload, label, image.facts(), annotation, boxes,
               original_xxh3);
    if (report.labels.empty() || report.labels.back().first != label) report.labels.emplace_back(label, 0);
    ++report.labels.back().second;
    report.payload_bytes += payload.size();
    if (!image.facts().entry_points.empty()) ++report.with_entry_points;
    for (const std::string& remark : image.remarks()) remark_on(key, remark);
  }

  void remark_on(const std::string& key, const std::string& remark) {
    ++report.remarks[remark];
    std::vector<std::string>& keys = report.examples[remark];
    if (keys.size() < examples_of(remark)) keys.push_back(key);
  }

  const OnBad on_bad;
  const Check check;
  const bool entry_points;
  const Judge judge;
  const Normaliser normaliser;
  ExtentReader reader;
  ShardWriter writer;
  ShardReport report;
};

ShardBuilder::ShardBuilder(const std::string& tar_path, const std::string& index_path, OnBad on_bad,
                           Check check, bool entry_points, Judge judge, Normaliser normaliser)
    : impl_(std::make_unique<Impl>(tar_path, index_path, on_bad, check, entry_points, std::move(judge),
                                   std::move(normaliser))) {}

ShardBuilder::~ShardBuilder() = default;

std::vector<std::pair<size_t, std::string>> ShardBuilder::add(std::span<const SampleExtent> samples) {
  std::vector<std::pair<size_t, std::string>> bad;
  for (size_t i = 0; i < samples.size(); ++i) {
    const SampleExtent& sample = samples[i];
    std::span<const uint8_t> payload;
    try {
      payload = impl_->reader.read(sample.path, sample.offset, sample.length, sample.listed_size);
    } catch (const Error& e) {
      if (impl_->on_bad != OnBad::kSkip) throw e.within({.key = sample.key});
      bad.emplace_back(i, reason_of(e));
      continue;
    }
    std::string reason = impl_->append(sample.key, payload, sample.label, sample.annotation,
                                       sample.boxes ? &*sample.boxes : nullptr, sample.path);
    if (!reason.empty()) bad.emplace_back(i, std::move(reason));
  }
  return bad;
}

std::string ShardBuilder::add(const std::string& key, std::span<const uint8_t> payload, int32_t label,
                              const std::string& annotation, const Boxes* boxes, const std::string& origin,
                              std::optional<uint64_t> original_xxh3) {
  return impl_->append(key, payload, label, annotation, boxes, origin, original_xxh3);
}

ShardReport ShardBuilder::finish() {
  impl_->report.files = impl_->writer.finish();
  return impl_->report;
}

}  // namespace fastinet
