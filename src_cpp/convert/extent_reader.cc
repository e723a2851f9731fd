#include "convert/extent_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "shard/format.h"

namespace fastinet {
namespace {

const char* kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a named pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

}  // namespace

ExtentReader::~ExtentReader() { close(); }

std::span<const uint8_t> ExtentReader::read(const std::string& path, int64_t offset, int64_t length,
                                            int64_t listed_size) {
  if (fd_ < 0 || path != path_) open(path);
  const bool whole = length < 0;
  if (whole) length = std::max<int64_t>(file_size_ - offset, 0);
  if (offset < 0 || offset > file_size_ || length > file_size_ - offset) {
    throw Error(ErrorKind::kTruncated, "the file ends before the image does",
                {.path = path,
                 .expected = std::to_string(length) + " bytes from offset " + std::to_string(offset),
                 .found = "a file of " + std::to_string(file_size_) + " bytes"});
  }
  if (whole && listed_size >= 0 && length != listed_size) {
    throw Error(
        ErrorKind::kIo, "the file changed since it was listed",
        {.path = path, .expected = std::to_string(listed_size) + " bytes", .found = std::to_string(length)});
  }
  if (length > static_cast<int64_t>(format::kMaxPayloadSize)) {
    throw Error(ErrorKind::kIo, "too large for a record",
                {.path = path,
                 .expected = "at most " + std::to_string(format::kMaxPayloadSize) + " bytes",
                 .found = std::to_string(length)});
  }
  const size_t size = static_cast<size_t>(length);
  if (buffer_.size() < size) buffer_.resize(std::max(size, 2 * buffer_.size()));
  size_t done = 0;
  while (done < size) {
    const ssize_t n = ::pread(fd_, buffer_.data() + done, size - done, offset + static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw io_error("cannot read", path, errno);
    if (n == 0) {
      throw Error(ErrorKind::kTruncated, "the file became shorter while it was read", {.path = path});
    }
    done += static_cast<size_t>(n);
  }
  if (whole) close();  // a folder of images: it will not be asked for again
  return {buffer_.data(), size};
}

void ExtentReader::open(const std::string& path) {
  close();
  // O_NONBLOCK: a named pipe must not stop the conversion.
  fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  const int refused = fd_ < 0 ? errno : 0;
  struct stat status;
  // A socket cannot be opened; what it is says more than that.
  const int found = fd_ < 0 ? ::stat(path.c_str(), &status) : ::fstat(fd_, &status);
  if (found == 0 && !S_ISREG(status.st_mode)) {
    close();
    throw Error(ErrorKind::kIo, "not an image",
                {.path = path, .expected = "a regular file", .found = kind_of(status.st_mode)});
  }
  if (refused != 0) throw io_error("cannot open", path, refused);
  if (found != 0) throw io_error("cannot read", path, errno);
  file_size_ = status.st_size;
  path_ = path;
}

void ExtentReader::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

}  // namespace fastinet
