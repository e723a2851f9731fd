// The one error type of the core. Every failure carries what a person needs to find the bytes at fault.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace fastinet {

// Each kind is one exception class of fastinet.errors (python/errors.cc holds the map).
enum class ErrorKind {
  kIo,           // the operating system refused: ErrorContext::sys_errno says why
  kMissing,      // a file that the dataset names is not there
  kTruncated,    // a file is shorter than its index says
  kFormat,       // bytes that FORMAT.md does not allow
  kChecksum,     // bytes differ from the checksum recorded for them
  kDecode,       // an image that cannot be decoded
  kUnsupported,  // valid input that this build or option does not handle
  kArgument,     // the caller passed a value outside the contract
  kState,        // the call is not possible now: closed, or in a forked child
};

// Where and what. Empty strings and negative numbers mean "not known here"; outer layers fill them in.
struct ErrorContext {
  std::string path{};      // shard, sidecar, manifest or image file
  int64_t record = -1;     // number of the record in the file at `path`
  std::string key{};       // key of the record
  std::string expected{};  // what the contract, index or checksum says
  std::string found{};     // what was there instead
  int sys_errno = 0;
};

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& problem, ErrorContext context = {});

  ErrorKind kind() const { return kind_; }
  const std::string& problem() const { return problem_; }
  const ErrorContext& context() const { return context_; }

  // The same error with the empty fields of its context filled from `outer`.
  Error within(const ErrorContext& outer) const;

 private:
  ErrorKind kind_;
  std::string problem_;
  ErrorContext context_;
};

// kIo (or kMissing for ENOENT) from errno, which the caller has not yet disturbed.
Error io_error(const std::string& problem, const std::string& path, int sys_errno);

}  // namespace fastinet
