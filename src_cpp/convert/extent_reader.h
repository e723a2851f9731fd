// Reads source files, or parts of them, into memory.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace fastinet {

// Keeps its buffer and the last file open between reads. One thread at a time.
class ExtentReader {
 public:
  ExtentReader() = default;
  ~ExtentReader();
  ExtentReader(const ExtentReader&) = delete;
  ExtentReader& operator=(const ExtentReader&) = delete;

  // `length` bytes from `offset`, or all from there on where it is -1; valid until the next call. Throws
  // Error{kMissing} or Error{kIo} as the operating system refuses, Error{kIo} for what is no regular file or
  // too large, Error{kTruncated} for a file that ends before the extent, Error{kIo} for one that has other
  // than `listed_size` bytes from `offset` on, where that is not -1 and `length` is.
  std::span<const uint8_t> read(const std::string& path, int64_t offset, int64_t length,
                                int64_t listed_size = -1);

 private:
  void open(const std::string& path);
  void close();

  int fd_ = -1;
  int64_t file_size_ = 0;
  std::string path_;
  std::vector<uint8_t> buffer_;
};

}  // namespace fastinet
