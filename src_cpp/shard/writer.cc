#include "shard/writer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "shard/key.h"
#include "shard/sidecar.h"
#include "shard/tar/header.h"

namespace fastinet {
namespace {

std::span<const uint8_t> as_bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

void check_extension(std::string_view extension) {
  const bool plain = !extension.empty() && std::all_of(extension.begin(), extension.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  });
  if (plain && extension != "cls" && extension != "json") return;
  throw Error(ErrorKind::kArgument, "extension of a payload is not allowed",
              {.expected = "lower-case letters and digits, but not cls or json",
               .found = "'" + std::string(extension) + "'"});
}

}  // namespace

ShardWriter::ShardWriter(std::string tar_path, std::string index_path)
    : tar_(std::move(tar_path)), index_path_(std::move(index_path)) {}

void ShardWriter::write(std::span<const uint8_t> bytes) {
  tar_.write(bytes);
  hasher_.update(bytes);
  offset_ += bytes.size();
}

void ShardWriter::write_member(std::string_view name, std::span<const uint8_t> bytes) {
  static constexpr std::array<uint8_t, format::kTarBlock> kZeros{};
  write(as_bytes(tar::encode_header(name, bytes.size())));
  write(bytes);
  write(std::span(kZeros).first(tar::padding(bytes.size())));
}

void ShardWriter::add(std::string_view key, std::string_view extension, std::span<const uint8_t> payload,
                      int32_t label, const ImageFacts& facts, std::string_view json, const Boxes* boxes,
                      std::optional<uint64_t> original_xxh3) {
  if (finished_) throw Error(ErrorKind::kState, "shard is already finished", {.path = tar_.path()});
  const std::string stem = std::string(key) + ".";
  const std::string name = stem + std::string(extension);
  try {
    check_key(key);
    check_extension(extension);
    const uint64_t payload_offset = offset_ + tar::encode_header(name, payload.size()).size();
    records_.add(key, payload_offset, payload.size(), xxh3(payload), label, facts, boxes, original_xxh3);
  } catch (const Error& e) {
    throw e.within({.path = tar_.path(), .key = std::string(key)});
  }
  write_member(name, payload);
  if (label != format::kNoLabel) write_member(stem + "cls", as_bytes(std::to_string(label)));
  if (!json.empty()) write_member(stem + "json", as_bytes(json));
}

ShardSummary ShardWriter::finish() {
  if (finished_) throw Error(ErrorKind::kState, "shard is already finished", {.path = tar_.path()});
  finished_ = true;
  static constexpr std::array<uint8_t, 2 * format::kTarBlock> kEnd{};
  write(kEnd);
  tar_.commit();
  return write_sidecar(records_, index_path_, offset_, hasher_.finish());
}

ShardSummary write_sidecar(const SidecarBuilder& records, const std::string& index_path, uint64_t tar_size,
                           FileHashes tar) {
  const SidecarFile sidecar = records.build(tar_size, tar.whole);
  OutputFile file(index_path);
  file.write(sidecar.bytes);
  file.commit();
  FileHasher hasher;
  hasher.update(sidecar.bytes);
  FileHashes index = hasher.finish();
  return {.record_count = records.size(),
          .tar_size = tar_size,
          .tar_xxh3 = tar.whole,
          .index_size = sidecar.bytes.size(),
          .index_xxh3 = sidecar.head_xxh3,
          .index_head_size = sidecar.head_size,
          .index_prefix_size = sidecar.prefix_size,
          .index_file_xxh3 = index.whole,
          .tar_chunks = std::move(tar.chunks),
          .index_chunks = std::move(index.chunks)};
}

}  // namespace fastinet
