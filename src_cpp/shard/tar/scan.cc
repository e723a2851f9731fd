#include "shard/tar/scan.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "shard/tar/header.h"

namespace fastinet {
namespace {

constexpr uint64_t kBlock = format::kTarBlock;
constexpr uint64_t kMaxNameSize = 64 << 10;
constexpr uint64_t kMaxExtendedSize = 1 << 20;  // of one pax or long-name member

[[noreturn]] void malformed(const char* problem, uint64_t offset, ErrorKind kind = ErrorKind::kFormat) {
  throw Error(kind, std::string(problem) + " at offset " + std::to_string(offset));
}

// What extended headers say of the next member, or (global) of all that follow.
struct Overrides {
  std::optional<std::string> path;
  std::optional<uint64_t> size;
  bool sparse = false;
};

std::optional<uint64_t> parse_decimal(std::string_view text) {
  if (text.empty() || text.size() > 18) return std::nullopt;
  uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<uint64_t>(c - '0');
  }
  return value;
}

// POSIX.1-2001 pax: records "<length> <keyword>=<value>\n", where the length counts the whole record.
void parse_pax(std::string_view body, uint64_t offset, Overrides& overrides) {
  while (!body.empty() && body[0] != '\0') {
    const size_t space = body.find(' ');
    const auto length = parse_decimal(body.substr(0, space == body.npos ? 0 : space));
    if (!length || *length <= space + 1 || *length > body.size() || body[*length - 1] != '\n') {
      malformed("damaged pax header", offset);
    }
    const std::string_view record = body.substr(space + 1, *length - space - 2);
    const size_t equals = record.find('=');
    if (equals == record.npos) malformed("damaged pax header", offset);
    const std::string_view keyword = record.substr(0, equals);
    const std::string_view value = record.substr(equals + 1);
    if (keyword == "path") {
      if (value.size() > kMaxNameSize) malformed("name of a member is too long", offset);
      if (value.find('\0') != value.npos) malformed("name of a member holds a zero byte", offset);
      overrides.path = value.empty() ? std::nullopt : std::optional<std::string>(value);
    } else if (keyword == "size") {
      const auto size = parse_decimal(value);
      if (!value.empty() && !size) malformed("damaged size in a pax header", offset);
      overrides.size = size;
    } else if (keyword.starts_with("GNU.sparse.")) {
      overrides.sparse = true;
    }
    body.remove_prefix(*length);
  }
}

const char* skip_reason(char type) {
  switch (type) {
    case '1':
      return "hard link";
    case '2':
      return "symbolic link";
    case '3':
    case '4':
      return "device";
    case '5':
      return "folder";
    case '6':
      return "FIFO";
    case 'S':
      return "sparse file";
    case 'V':
      return "volume label";
    default:
      return "unknown type of member";
  }
}

// Types that have no content whatever their size field says, as GNU tar and Python's tarfile treat them.
bool has_content(char type) { return type < '1' || type > '6'; }

}  // namespace

void scan_tar(std::span<const uint8_t> archive, const TarVisitor& visitor) {
  const auto text_at = [&](uint64_t offset, uint64_t size) {
    return std::string_view(reinterpret_cast<const char*>(archive.data()) + offset, size);
  };
  Overrides global;
  Overrides next;
  bool pending = false;  // an extended header waits for its member
  uint64_t offset = 0;
  while (offset < archive.size()) {
    const uint64_t header_offset = offset;
    if (archive.size() - offset < kBlock)
      malformed("archive ends inside a header", offset, ErrorKind::kTruncated);
    const uint8_t* block = archive.data() + offset;
    if (tar::is_zero(block)) break;
    tar::Header header;
    try {
      header = tar::decode_header(block);
    } catch (const Error& e) {
      throw Error(e.kind(), e.problem() + " at offset " + std::to_string(offset), e.context());
    }
    offset += kBlock;
    const bool extended =
        header.type == 'x' || header.type == 'g' || header.type == 'L' || header.type == 'K';
    uint64_t size = header.size;
    if (!extended && next.size) size = *next.size;
    if (!extended && !next.size && global.size) size = *global.size;
    if (!extended && !has_content(header.type)) size = 0;
    if (size > archive.size() - offset)
      malformed("archive ends inside a member", header_offset, ErrorKind::kTruncated);
    const uint64_t content = offset;
    // The padding of the last member may be missing.
    offset = std::min<uint64_t>(archive.size(), offset + size + tar::padding(size));

    if (extended) {
      if (size > kMaxExtendedSize) malformed("extended header is too large", header_offset);
      const std::string_view body = text_at(content, size);
      if (header.type == 'g') {
        parse_pax(body, header_offset, global);
      } else if (header.type == 'x') {
        parse_pax(body, header_offset, next);
        pending = true;
      } else if (header.type == 'L') {
        if (size > kMaxNameSize) malformed("name of a member is too long", header_offset);
        next.path = std::string(body.substr(0, body.find('\0')));
        pending = true;
      }
      continue;
    }
    std::string name = next.path ? *next.path : global.path ? *global.path : header.name;
    const bool sparse = next.sparse || global.sparse;
    next = {};
    pending = false;
    if (header.type == '0' && !sparse) {
      visitor.member({std::move(name), content, size});
    } else {
      visitor.skipped({std::move(name), sparse ? "sparse file" : skip_reason(header.type), content});
    }
  }
  if (pending) malformed("archive ends after an extended header", offset, ErrorKind::kTruncated);
}

}  // namespace fastinet
