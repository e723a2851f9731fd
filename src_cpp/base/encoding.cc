#include "base/encoding.h"

namespace fastinet {
namespace {

struct Row {
  const char* name;
  const char* extension;
};

// In the order of the codes.
constexpr Row kRows[kEncodingCount] = {{"", "bin"},    {"JPEG", "jpg"}, {"PNG", "png"},  {"GIF", "gif"},
                                       {"BMP", "bmp"}, {"TIFF", "tif"}, {"WEBP", "webp"}};

bool has(std::span<const uint8_t> data, std::string_view magic, size_t offset = 0) {
  const std::string_view text(reinterpret_cast<const char*>(data.data()), data.size());
  return text.size() >= offset && text.substr(offset).starts_with(magic);
}

}  // namespace

const char* name(Encoding encoding) {
  const auto code = static_cast<size_t>(encoding);
  return code < std::size(kRows) ? kRows[code].name : "";
}

Encoding encoding_named(std::string_view name) {
  for (size_t code = 1; code < std::size(kRows); ++code) {
    if (name == kRows[code].name) return static_cast<Encoding>(code);
  }
  return Encoding::kUnknown;
}

const char* extension(Encoding encoding) {
  const auto code = static_cast<size_t>(encoding);
  return kRows[code < std::size(kRows) ? code : 0].extension;
}

std::string describe(Encoding encoding) {
  if (encoding == Encoding::kUnknown) return "no known format";
  const std::string known = name(encoding);
  return known.empty() ? "format " + std::to_string(static_cast<int>(encoding)) : known;
}

Encoding recognise_encoding(std::span<const uint8_t> data) {
  using namespace std::string_view_literals;
  if (has(data, "\xff\xd8\xff")) return Encoding::kJpeg;
  if (has(data, "\x89PNG\r\n\x1a\n")) return Encoding::kPng;
  if (has(data, "GIF87a") || has(data, "GIF89a")) return Encoding::kGif;
  if (has(data, "BM")) return Encoding::kBmp;
  if (has(data, "II*\0"sv) || has(data, "MM\0*"sv)) return Encoding::kTiff;
  if (has(data, "RIFF") && has(data, "WEBP", 8)) return Encoding::kWebp;
  return Encoding::kUnknown;
}

}  // namespace fastinet
