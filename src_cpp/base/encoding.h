// How the payload of a record is encoded: codes, names, file name extensions and magic numbers, once.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace fastinet {

// The values are the codes of FORMAT.md.
enum class Encoding : uint8_t {
  kUnknown = 0,
  kJpeg = 1,
  kPng = 2,
  kGif = 3,
  kBmp = 4,
  kTiff = 5,
  kWebp = 6,
};
inline constexpr int kEncodingCount = 7;

// FORMAT.md reserves this code for the quantised DCT coefficients of a JPEG file, which no reader decodes
// yet.
inline constexpr uint32_t kReservedDctCode = 7;

// Pillow's name, such as "JPEG" or "WEBP"; empty for kUnknown.
const char* name(Encoding encoding);

// The inverse of name(). kUnknown for any other text.
Encoding encoding_named(std::string_view name);

// The usual file name extension, without a dot; "bin" for kUnknown.
const char* extension(Encoding encoding);

// For error messages: the name, or "no known format", or "format 9" for a code outside of the enumeration.
std::string describe(Encoding encoding);

// The encoding that the first bytes announce. File names play no part.
Encoding recognise_encoding(std::span<const uint8_t> data);

}  // namespace fastinet
