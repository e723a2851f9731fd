#include "base/error.h"

#include <cerrno>
#include <system_error>
#include <utility>

namespace fastinet {
namespace {

std::string describe(const std::string& problem, const ErrorContext& c) {
  std::string text;
  if (!c.path.empty()) text += c.path + ": ";
  if (c.record >= 0) text += "record " + std::to_string(c.record);
  if (!c.key.empty()) text += (c.record >= 0 ? " (" + c.key + ")" : "record " + c.key);
  if (c.record >= 0 || !c.key.empty()) text += ": ";
  text += problem;
  if (!c.expected.empty()) text += ": expected " + c.expected;
  if (!c.found.empty()) text += (c.expected.empty() ? ": found " : ", found ") + c.found;
  if (c.sys_errno != 0) text += ": " + std::generic_category().message(c.sys_errno);
  return text;
}

}  // namespace

Error::Error(ErrorKind kind, const std::string& problem, ErrorContext context)
    : std::runtime_error(describe(problem, context)),
      kind_(kind),
      problem_(problem),
      context_(std::move(context)) {}

Error Error::within(const ErrorContext& outer) const {
  ErrorContext merged = context_;
  if (merged.path.empty()) merged.path = outer.path;
  if (merged.record < 0) merged.record = outer.record;
  if (merged.key.empty()) merged.key = outer.key;
  if (merged.expected.empty()) merged.expected = outer.expected;
  if (merged.found.empty()) merged.found = outer.found;
  if (merged.sys_errno == 0) merged.sys_errno = outer.sys_errno;
  return Error(kind_, problem_, std::move(merged));
}

Error io_error(const std::string& problem, const std::string& path, int sys_errno) {
  ErrorContext context;
  context.path = path;
  context.sys_errno = sys_errno;
  return Error(sys_errno == ENOENT ? ErrorKind::kMissing : ErrorKind::kIo, problem, std::move(context));
}

}  // namespace fastinet
