// A file mapped for reading.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "storage/bus_error.h"

namespace fastinet {

// Holds no file descriptor. Safe for concurrent use.
class MappedFile {
 public:
  // How the pages will be used: kScan reads once from start to end, so that the kernel reads far ahead.
  enum class Access { kRecords, kScan };

  // What stat() says of a file; another identity: replaced, or written to.
  struct Identity {
    uint64_t device = 0, inode = 0;
    int64_t size = 0, changed = 0, changed_ns = 0;
    bool operator==(const Identity&) const = default;
  };

  // Throws Error{kMissing} or Error{kIo}, the latter also for what is no regular file (a FIFO, a device).
  explicit MappedFile(std::string path, Access access = Access::kRecords);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::string& path() const { return path_; }
  std::span<const uint8_t> bytes() const { return {data_, size_}; }

  // Whether the path still leads to the file that is mapped, and nobody has written to it since.
  bool is_current() const;

  // Throws Error{kTruncated} (or {kIo} where the disk failed) once a read of bytes() has met a page that
  // is not there. What was read before the call is good only if the call returns.
  void check_intact() const;

  // Asks the kernel to read a part of bytes() ahead.
  void prefetch(std::span<const uint8_t> part) const;

 private:
  std::string path_;
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
  Identity identity_;
  std::optional<BusErrorGuard> guard_;
};

}  // namespace fastinet
