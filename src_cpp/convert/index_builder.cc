#include "convert/index_builder.h"

#include <utility>

#include "base/error.h"

namespace fastinet {

IndexBuilder::IndexBuilder(const std::string& tar_path, OnBad on_bad, Check check, Judge judge)
    : policy_(on_bad, check, true, std::move(judge)), writer_(tar_path) {}

IndexBuilder::~IndexBuilder() = default;

void IndexBuilder::scan(const TarVisitor& visitor) const { writer_.scan(visitor); }

std::string IndexBuilder::read(uint64_t offset, uint64_t size) const {
  const std::span<const uint8_t> bytes = writer_.content(offset, size);
  std::string content(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  writer_.tar().check_intact();
  return content;
}

std::string IndexBuilder::examine(const std::string& key, uint64_t offset, uint64_t size) {
  image_.reset();
  // Not make_unique: an examination cannot be moved, so it has to be constructed in place.
  std::unique_ptr<ImageExamination> image(
      new ImageExamination(policy_.examine(writer_.content(offset, size))));
  writer_.tar().check_intact();
  std::string refusal = image->refusal();
  if (policy_.accepts(refusal, writer_.tar().path(), key)) {
    image_ = std::move(image);
    key_ = key;
    offset_ = offset;
    size_ = size;
  }
  return refusal;
}

void IndexBuilder::add(int32_t label, const Boxes* boxes) {
  if (image_ == nullptr) throw Error(ErrorKind::kState, "no examined record to add");
  writer_.add(key_, offset_, size_, label, image_->facts(), boxes);
  policy_.count(key_, size_, label, *image_);
  image_.reset();
}

ShardReport IndexBuilder::finish(const std::string& index_path) {
  return policy_.report(writer_.finish(index_path));
}

}  // namespace fastinet
