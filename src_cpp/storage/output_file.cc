#include "storage/output_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <random>
#include <utility>

#include "base/error.h"
#include "base/hash.h"

namespace fastinet {
namespace {

constexpr std::string_view kSuffix = ".fastinet-tmp";
constexpr size_t kTokenSize = 16;
constexpr size_t kBufferSize = size_t{1} << 20;
constexpr size_t kDirectSize = size_t{64} << 10;  // from here on a copy costs more than a system call
constexpr size_t kWriteBehind = size_t{4} << 20;  // bytes after which the disk is set to work

size_t folder_length(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? 0 : slash + 1;
}

std::string temporary_name(const std::string& path) {
  std::random_device random;
  const uint64_t token = uint64_t{random()} << 32 | random();
  const size_t folder = folder_length(path);
  return path.substr(0, folder) + "." + path.substr(folder) + "." + hash_text(token) + std::string(kSuffix);
}

bool is_temporary_name(std::string_view name) {
  if (name.size() < kSuffix.size() + kTokenSize + 3 || !name.starts_with('.') || !name.ends_with(kSuffix))
    return false;
  name.remove_suffix(kSuffix.size());
  const std::string_view token = name.substr(name.size() - kTokenSize);
  return name[name.size() - kTokenSize - 1] == '.' &&
         token.find_first_not_of("0123456789abcdef") == token.npos;
}

}  // namespace

OutputFile::OutputFile(std::string path) : path_(std::move(path)), temporary_(temporary_name(path_)) {
  fd_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd_ < 0) throw io_error("cannot create the file", path_, errno);
  flock(fd_, LOCK_EX | LOCK_NB);  // where the file system has no locks, clean-up leaves the file alone
  buffer_.reserve(kBufferSize);
}

OutputFile::~OutputFile() {
  if (fd_ < 0) return;
  unlink(temporary_.c_str());
  close(fd_);
}

void OutputFile::write(std::span<const uint8_t> bytes) {
  if (bytes.size() >= kDirectSize || buffer_.size() + bytes.size() > kBufferSize) {
    flush(bytes);
  } else {
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  }
}

void OutputFile::flush(std::span<const uint8_t> tail) {
  std::array<iovec, 2> parts = {iovec{buffer_.data(), buffer_.size()},
                                iovec{const_cast<uint8_t*>(tail.data()), tail.size()}};
  size_t left = buffer_.size() + tail.size();
  written_ += left;
  while (left > 0) {
    const ssize_t written = writev(fd_, parts.data(), static_cast<int>(parts.size()));
    if (written < 0) {
      if (errno == EINTR) continue;
      throw io_error("cannot write the file", path_, errno);
    }
    left -= static_cast<size_t>(written);
    auto done = static_cast<size_t>(written);
    for (iovec& part : parts) {
      const size_t step = std::min(done, part.iov_len);
      part.iov_base = static_cast<uint8_t*>(part.iov_base) + step;
      part.iov_len -= step;
      done -= step;
    }
  }
  buffer_.clear();
  if (written_ - sent_ >= kWriteBehind) send_to_disk();
}

// So that fsync at the end waits for the last few bytes, not for all of them. What fails here fails there
// too.
void OutputFile::send_to_disk() {
#ifdef SYNC_FILE_RANGE_WRITE
  sync_file_range(fd_, static_cast<off_t>(sent_), static_cast<off_t>(written_ - sent_),
                  SYNC_FILE_RANGE_WRITE);
#endif
  sent_ = written_;
}

void OutputFile::commit() {
  flush({});
  if (fsync(fd_) != 0) throw io_error("cannot write the file to disk", path_, errno);
  if (rename(temporary_.c_str(), path_.c_str()) != 0)
    throw io_error("cannot give the file its name", path_, errno);
  close(std::exchange(fd_, -1));
  const size_t length = folder_length(path_);
  const std::string folder = length == 0 ? "." : path_.substr(0, length);
  const int dir = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0) throw io_error("cannot open the folder", folder, errno);
  const int result = fsync(dir);
  const int error = errno;
  close(dir);
  // Some network file systems cannot sync a folder and say so with EINVAL.
  if (result != 0 && error != EINVAL) throw io_error("cannot write the folder to disk", folder, error);
}

std::vector<std::string> remove_stale_temporaries(const std::string& folder) {
  DIR* const dir = opendir(folder.c_str());
  if (dir == nullptr) throw io_error("cannot list the folder", folder, errno);
  std::vector<std::string> names;
  while (const dirent* const entry = readdir(dir)) {
    if (is_temporary_name(entry->d_name)) names.emplace_back(entry->d_name);
  }
  closedir(dir);
  std::sort(names.begin(), names.end());
  std::erase_if(names, [&](const std::string& name) {
    const std::string path = folder + "/" + name;
    const int fd = open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return true;
    struct stat status {};
    const bool ours = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    const bool removed = ours && flock(fd, LOCK_EX | LOCK_NB) == 0 && unlink(path.c_str()) == 0;
    close(fd);
    return !removed;
  });
  return names;
}

}  // namespace fastinet
