#include "convert/shard_builder.h"

#include <utility>

#include "base/error.h"
#include "base/hash.h"
#include "convert/extent_reader.h"

namespace fastinet {
namespace {

// Returns the message without the file's name, which the report gives separately.
std::string reason_of(const Error& error) {
  ErrorContext context = error.context();
  context.path.clear();
  context.key.clear();
  return Error(error.kind(), error.problem(), std::move(context)).what();
}

}  // namespace

struct ShardBuilder::Impl {
  Impl(const std::string& tar_path, const std::string& index_path, OnBad on_bad, Check check,
       bool entry_points, Judge judge, Normaliser to_jpeg)
      : policy(on_bad, check, entry_points, std::move(judge)),
        normaliser(std::move(to_jpeg)),
        writer(tar_path, index_path) {}

  // Returns what is wrong with the image; "" for a good one.
  std::string append(const std::string& key, std::span<const uint8_t> payload, int32_t label,
                     const std::string& annotation, const Boxes* boxes, const std::string& origin,
                     std::optional<uint64_t> original_xxh3 = {}) {
    const ImageExamination image = policy.examine(payload);
    std::string refusal = image.refusal();
    if (normaliser && !image.odd_encoding().empty()) {
      const Normalised normalised = normaliser(payload);
      if (normalised.refusal.empty()) {
        const std::span jpeg(reinterpret_cast<const uint8_t*>(normalised.jpeg.data()),
                             normalised.jpeg.size());
        store(key, jpeg, label, annotation, boxes, policy.examine(jpeg),
              original_xxh3.value_or(xxh3(payload)));
        policy.remark(key, image.odd_encoding() + " normalised to RGB JPEG");
        return {};
      }
      refusal = normalised.refusal;
    }
    if (policy.accepts(refusal, origin, key)) {
      store(key, payload, label, annotation, boxes, image, original_xxh3);
    }
    return refusal;
  }

  void store(const std::string& key, std::span<const uint8_t> payload, int32_t label,
             const std::string& annotation, const Boxes* boxes, const ImageExamination& image,
             std::optional<uint64_t> original_xxh3) {
    writer.add(key, extension(image.facts().encoding), payload, label, image.facts(), annotation, boxes,
               original_xxh3);
    policy.count(key, payload.size(), label, image);
  }

  RecordPolicy policy;
  const Normaliser normaliser;
  ExtentReader reader;
  ShardWriter writer;
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
      if (impl_->policy.on_bad() != OnBad::kSkip) throw e.within({.key = sample.key});
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

ShardReport ShardBuilder::finish() { return impl_->policy.report(impl_->writer.finish()); }

}  // namespace fastinet
