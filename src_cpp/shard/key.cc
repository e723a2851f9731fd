#include "shard/key.h"

#include <cstdio>

#include "base/error.h"
#include "shard/format.h"

namespace fastinet {
namespace {

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

void check_key(std::string_view key) {
  const auto refuse = [&](const char* problem) {
    throw Error(ErrorKind::kArgument, std::string("key of a record ") + problem, {.key = std::string(key)});
  };
  if (key.empty()) refuse("is empty");
  if (key.size() > format::kMaxKeySize) refuse("has more than 4096 bytes");
  for (const char c : key) {
    if (is_control(c)) refuse("holds a control character");
  }
  size_t start = 0;
  while (true) {
    const size_t slash = key.find('/', start);
    const std::string_view part = key.substr(start, slash - start);
    if (part.empty()) refuse("has an empty path component");
    if (part == "." || part == "..") refuse("has a '.' or '..' path component");
    if (slash == key.npos) {
      if (part.find('.') != part.npos)
        refuse("holds '.' in its last component, where WebDataset's extension starts");
      return;
    }
    start = slash + 1;
  }
}

std::string escape_key(std::string_view name) {
  const size_t slash = name.rfind('/');
  const size_t base = slash == name.npos ? 0 : slash + 1;
  std::string key;
  size_t start = 0;  // of the component
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (c == '/') {
      start = i + 1;
    }
    const bool in_last = i >= base;
    bool escape = c == '%' || is_control(c) || (c == '.' && in_last);
    if (c == '.' && !in_last) {  // only components that are all of "." or ".."
      const std::string_view part = name.substr(start, name.find('/', start) - start);
      escape = part == "." || part == "..";
    }
    if (c == '/' && (i == 0 || name[i - 1] == '/' || i + 1 == name.size())) escape = true;
    if (escape) {
      char text[4];
      std::snprintf(text, sizeof text, "%%%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
      key += text;
    } else {
      key += c;
    }
  }
  check_key(key);
  return key;
}

std::string unescape_key(std::string_view key) {
  std::string name;
  for (size_t i = 0; i < key.size(); ++i) {
    if (key[i] == '%' && i + 2 < key.size() && hex_value(key[i + 1]) >= 0 && hex_value(key[i + 2]) >= 0) {
      name += static_cast<char>(hex_value(key[i + 1]) * 16 + hex_value(key[i + 2]));
      i += 2;
    } else {
      name += key[i];
    }
  }
  return name;
}

}  // namespace fastinet
