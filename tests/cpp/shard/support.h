// Folders and shards for the tests of this layer.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/hash.h"
#include "shard/dataset.h"
#include "shard/format.h"
#include "shard/writer.h"

namespace fastinet::test {

class TempFolder {
 public:
  TempFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "fastinet-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TempFolder() { std::filesystem::remove_all(path_); }
  std::string file(std::string_view name) const { return (path_ / name).string(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline std::vector<uint8_t> read_bytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void write_bytes(const std::string& path, const std::vector<uint8_t>& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

// In place, as cp does: whoever has the file mapped sees it.
inline void write_over(const std::string& path, const std::vector<uint8_t>& bytes) {
  std::fstream(path, std::ios::binary | std::ios::in | std::ios::out)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

inline void flip_byte(const std::string& path, size_t offset) {
  std::vector<uint8_t> bytes = read_bytes(path);
  bytes.at(offset) ^= 1;
  write_bytes(path, bytes);
}

// Bytes that no two records share.
inline std::vector<uint8_t> payload_of(int64_t i, size_t size) {
  std::vector<uint8_t> bytes(size);
  for (size_t k = 0; k < size; ++k) bytes[k] = static_cast<uint8_t>(i * 31 + static_cast<int64_t>(k) * 7 + 1);
  return bytes;
}

inline ShardSpec spec_of(const std::string& tar, const std::string& index, const ShardSummary& s) {
  return {tar, index, s.record_count, s.tar_size, s.index_size, s.index_xxh3};
}

// Puts the checksums of a sidecar right, and what the manifest says of it.
inline void reseal(ShardSpec& spec) {
  std::vector<uint8_t> bytes = read_bytes(spec.index_path);
  format::Header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  for (uint32_t i = 0; i < header.section_count; ++i) {
    format::Section section;
    uint8_t* const at = bytes.data() + sizeof header + i * sizeof section;
    std::memcpy(&section, at, sizeof section);
    section.xxh3 = xxh3(std::span(bytes).subspan(section.offset, section.size));
    std::memcpy(at, &section, sizeof section);
  }
  const size_t head = sizeof header + header.section_count * sizeof(format::Section) +
                      header.record_count * sizeof(format::Record);
  spec.index_xxh3 = head_hash(std::span(bytes).first(head));
  std::memcpy(bytes.data() + offsetof(format::Header, head_xxh3), &spec.index_xxh3, sizeof spec.index_xxh3);
  write_bytes(spec.index_path, bytes);
}

// A shard of `count` records with keys "<name>/0" on, labels that count from `first_label`, entry points
// and boxes at every second record.
inline ShardSpec make_shard(const TempFolder& folder, const std::string& name, int64_t count,
                            int32_t first_label = 0, size_t payload_size = 1000) {
  const std::string tar = folder.file(name + ".tar");
  const std::string index = folder.file(name + ".idx");
  ShardWriter writer(tar, index);
  for (int64_t i = 0; i < count; ++i) {
    const std::vector<uint8_t> entry_points = payload_of(i + 1000, i % 2 == 0 ? 0 : 20);
    ImageFacts facts{.width = 40 + static_cast<int32_t>(i),
                     .height = 30,
                     .orientation = 1 + static_cast<int32_t>(i % 8),
                     .encoding = Encoding::kJpeg,
                     .clean = i % 3 == 0,
                     .entry_points = entry_points};
    const Boxes boxes{40, 30, {{static_cast<int32_t>(i), 1, 2, 30, 20, 1}}};
    writer.add(name + "/" + std::to_string(i), "jpg", payload_of(i, payload_size + static_cast<size_t>(i)),
               first_label + static_cast<int32_t>(i), facts, "", i % 2 == 0 ? nullptr : &boxes);
  }
  return spec_of(tar, index, writer.finish());
}

// The error that `call` throws; a test failure if it throws none.
template <typename Call>
Error error_of(const Call& call) {
  try {
    call();
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "no error was thrown";
  return Error(ErrorKind::kState, "none");
}

inline void expect_mentions(const Error& error, std::string_view text) {
  EXPECT_NE(std::string_view(error.what()).find(text), std::string_view::npos)
      << error.what() << "\n  lacks: " << text;
}

}  // namespace fastinet::test
