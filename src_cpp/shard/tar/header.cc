#include "shard/tar/header.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <optional>
#include <utility>

#include "base/error.h"

namespace fastinet::tar {
namespace {

// Fields of a header block: offset and size, as POSIX.1-2001 (pax, "ustar Interchange Format") gives them.
struct Field {
  size_t offset, size;
};
constexpr Field kName{0, 100}, kMode{100, 8}, kUid{108, 8}, kGid{116, 8}, kSize{124, 12}, kMtime{136, 12},
    kChecksum{148, 8}, kType{156, 1}, kMagic{257, 8}, kPrefix{345, 155};
constexpr uint64_t kMaxOctalSize = 077777777777;

void put(Block& block, Field field, std::string_view text) {
  std::copy_n(text.data(), std::min(text.size(), field.size), block.data() + field.offset);
}

void put_octal(Block& block, Field field, uint64_t value) {
  char text[24];
  const int length = std::snprintf(text, sizeof text, "%0*llo", static_cast<int>(field.size - 1),
                                   static_cast<unsigned long long>(value));
  put(block, field, {text, static_cast<size_t>(length)});
}

// Sum of the block's bytes with the checksum field taken as spaces.
uint64_t checksum(const uint8_t* block) {
  uint64_t sum = 0;
  for (size_t i = 0; i < format::kTarBlock; ++i) {
    sum += i - kChecksum.offset < kChecksum.size ? uint64_t{' '} : block[i];
  }
  return sum;
}

// Name and prefix, where they fit.
std::optional<std::pair<std::string_view, std::string_view>> split_name(std::string_view name) {
  if (name.size() <= kName.size) return std::pair{name, std::string_view()};
  for (size_t slash = name.find('/'); slash != std::string_view::npos; slash = name.find('/', slash + 1)) {
    if (slash > kPrefix.size) break;
    const std::string_view rest = name.substr(slash + 1);
    if (slash > 0 && !rest.empty() && rest.size() <= kName.size)
      return std::pair{rest, name.substr(0, slash)};
  }
  return std::nullopt;
}

Block encode_block(std::string_view name, std::string_view prefix, uint64_t size, char type) {
  Block block{};
  put(block, kName, name);
  put_octal(block, kMode, 0644);
  put_octal(block, kUid, 0);
  put_octal(block, kGid, 0);
  put_octal(block, kSize, size);
  put_octal(block, kMtime, 0);
  put(block, kType, {&type, 1});
  put(block, kMagic, {"ustar\00000", 8});
  put(block, kPrefix, prefix);
  char sum[8];
  std::snprintf(sum, sizeof sum, "%06llo", static_cast<unsigned long long>(checksum(block.data())));
  sum[7] = ' ';
  put(block, kChecksum, {sum, sizeof sum});
  return block;
}

std::string_view as_text(const Block& block) {
  return {reinterpret_cast<const char*>(block.data()), block.size()};
}

// "<length> path=<name>\n", where the length counts itself.
std::string pax_record(std::string_view name) {
  const size_t rest = std::strlen(" path=\n") + name.size();
  size_t length = rest + 1;
  while (length != rest + std::to_string(length).size()) length = rest + std::to_string(length).size();
  return std::to_string(length) + " path=" + std::string(name) + "\n";
}

std::string text_field(const uint8_t* block, Field field) {
  const char* text = reinterpret_cast<const char*>(block + field.offset);
  return {text, strnlen(text, field.size)};
}

uint64_t number_field(const uint8_t* block, Field field, const char* what) {
  const uint8_t* in = block + field.offset;
  const auto refuse = [&](const char* why) {
    throw Error(ErrorKind::kFormat, std::string("tar header has a bad ") + what + ": " + why);
  };
  uint64_t value = 0;
  if ((in[0] & 0x80) != 0) {  // GNU's base-256, big-endian; the bit below the mark is the sign
    if ((in[0] & 0x40) != 0) refuse("negative number");
    for (size_t i = 0; i < field.size; ++i) {
      if (value >> 55 != 0) refuse("number is too large");
      value = value << 8 | (i == 0 ? in[0] & 0x3fu : in[i]);
    }
    return value;
  }
  size_t i = 0;
  while (i < field.size && in[i] == ' ') ++i;
  for (; i < field.size && in[i] >= '0' && in[i] <= '7'; ++i) value = value << 3 | (in[i] - uint64_t{'0'});
  if (i < field.size && in[i] != ' ' && in[i] != 0) refuse("not an octal number");
  return value;
}

}  // namespace

std::string encode_header(std::string_view name, uint64_t size) {
  if (size > kMaxOctalSize) {
    throw Error(ErrorKind::kArgument, "member is too large for a tar header",
                {.found = std::to_string(size) + " bytes"});
  }
  if (const auto parts = split_name(name)) {
    return std::string(as_text(encode_block(parts->first, parts->second, size, '0')));
  }
  std::string out;
  const std::string record = pax_record(name);
  out += as_text(encode_block("././@PaxHeader", "", record.size(), 'x'));
  out += record;
  out.append(padding(record.size()), '\0');
  // What a reader without pax sees: the end of the name, which holds the extension.
  std::string_view rest = name.substr(name.size() - kName.size);
  rest.remove_prefix(std::min(rest.find_first_not_of('/'), rest.size()));
  out += as_text(encode_block(rest, "", size, '0'));
  return out;
}

Header decode_header(const uint8_t* block) {
  const uint64_t wanted = number_field(block, kChecksum, "checksum");
  const uint64_t sum = checksum(block);
  if (sum != wanted) {
    // Old archivers summed signed bytes.
    int64_t as_signed = 0;
    for (size_t i = 0; i < format::kTarBlock; ++i) {
      as_signed += i - kChecksum.offset < kChecksum.size ? ' ' : static_cast<int8_t>(block[i]);
    }
    if (as_signed != static_cast<int64_t>(wanted)) {
      throw Error(ErrorKind::kFormat, "tar header is damaged: checksum does not fit",
                  {.expected = std::to_string(wanted), .found = std::to_string(sum)});
    }
  }
  Header header;
  header.name = text_field(block, kName);
  const bool posix = std::memcmp(block + kMagic.offset, "ustar\0", 6) == 0;  // GNU keeps times in the prefix
  const std::string prefix = posix ? text_field(block, kPrefix) : "";
  if (!prefix.empty()) header.name = prefix + "/" + header.name;
  header.type = static_cast<char>(block[kType.offset]);
  if (header.type == '\0' && header.name.ends_with('/')) header.type = '5';  // a folder, before POSIX
  if (header.type == '\0' || header.type == '7') header.type = '0';
  header.size = number_field(block, kSize, "size");
  return header;
}

bool is_zero(const uint8_t* block) {
  return std::all_of(block, block + format::kTarBlock, [](uint8_t b) { return b == 0; });
}

}  // namespace fastinet::tar
