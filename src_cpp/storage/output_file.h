// A file that appears under its name complete or not at all.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fastinet {

// Writes to ".<name>.<16 hexadecimal digits>.fastinet-tmp" in the same folder, locked (flock) while the
// writer lives; commit() makes it durable and renames it over `path`. Without commit the destructor removes
// it. Not safe for concurrent use. Each call throws Error{kIo, kMissing} naming `path`; after that only
// destruction is useful.
class OutputFile {
 public:
  explicit OutputFile(std::string path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  const std::string& path() const { return path_; }

  // Small pieces are collected; large ones go to the kernel without a copy.
  void write(std::span<const uint8_t> bytes);
  void write(std::string_view text) { write({reinterpret_cast<const uint8_t*>(text.data()), text.size()}); }

  // flush, fsync, rename, fsync of the folder.
  void commit();

 private:
  void flush(std::span<const uint8_t> tail);
  void send_to_disk();

  std::string path_;
  std::string temporary_;
  int fd_ = -1;
  std::vector<uint8_t> buffer_;
  uint64_t written_ = 0;  // bytes given to the kernel
  uint64_t sent_ = 0;     // of these, bytes that the disk has been set to write
};

// Removes temporary files of OutputFile in `folder` (not below) whose writer is gone, and nothing else: the
// name must have the form above and its lock must be free. Returns the names removed.
std::vector<std::string> remove_stale_temporaries(const std::string& folder);

}  // namespace fastinet
