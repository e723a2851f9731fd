#include "storage/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/error.h"

namespace fastinet {
namespace {

MappedFile::Identity identity_of(const struct stat& status) {
  return {status.st_dev, status.st_ino, status.st_size, status.st_ctim.tv_sec, status.st_ctim.tv_nsec};
}

// Opens nothing but a regular file, and waits for nobody: a FIFO's other end may never come.
int open_regular(const std::string& path, struct stat* status) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) throw io_error(errno == ENOENT ? "file is missing" : "cannot open the file", path, errno);
  const bool known = fstat(fd, status) == 0;
  if (known && S_ISREG(status->st_mode)) return fd;
  const int error = !known ? errno : S_ISDIR(status->st_mode) ? EISDIR : ENODEV;  // mmap's word for the rest
  close(fd);
  throw io_error("not a regular file", path, error);
}

}  // namespace

MappedFile::MappedFile(std::string path, Access access) : path_(std::move(path)) {
  struct stat status {};
  const int fd = open_regular(path_, &status);
  identity_ = identity_of(status);
  size_ = static_cast<size_t>(status.st_size);
  if (size_ > 0) {
    void* const address = mmap(nullptr, size_, PROT_READ, MAP_SHARED, fd, 0);
    const int error = errno;
    if (address == MAP_FAILED) {
      close(fd);
      throw io_error(error == ENOMEM
                         ? "cannot map the file; the system setting vm.max_map_count bounds how many"
                         : "cannot map the file",
                     path_, error);
    }
    data_ = static_cast<const uint8_t*>(address);
    if (access == Access::kScan) madvise(address, size_, MADV_SEQUENTIAL);
    guard_.emplace(data_, size_);
  }
  close(fd);
}

MappedFile::~MappedFile() {
  guard_.reset();  // before the addresses can belong to something else
  if (data_ != nullptr) munmap(const_cast<uint8_t*>(data_), size_);
}

bool MappedFile::is_current() const {
  struct stat status {};
  return stat(path_.c_str(), &status) == 0 && identity_of(status) == identity_;
}

void MappedFile::check_intact() const {
  if (!guard_ || !guard_->broken()) return;
  struct stat status {};
  const bool there = stat(path_.c_str(), &status) == 0;
  const auto now = static_cast<size_t>(there ? status.st_size : 0);
  if (there && now >= size_)
    throw io_error("the disk failed to deliver a page of the mapped file", path_, EIO);
  throw Error(ErrorKind::kTruncated, "file has shrunk while it was read",
              {.path = path_,
               .expected = std::to_string(size_) + " bytes",
               .found = there ? std::to_string(now) + " bytes" : "no file"});
}

void MappedFile::prefetch(std::span<const uint8_t> part) const {
  if (part.empty()) return;
  static const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<uintptr_t>(part.data()) & ~(page - 1);
  const auto end = reinterpret_cast<uintptr_t>(part.data()) + part.size();
  madvise(reinterpret_cast<void*>(begin), end - begin, MADV_WILLNEED);
}

}  // namespace fastinet
