#include "base/encoding.h"

#include <gtest/gtest.h>

#include <string_view>
#include <utility>

namespace fastinet {
namespace {

using namespace std::string_view_literals;

Encoding recognise(std::string_view bytes) {
  return recognise_encoding({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
}

TEST(Encoding, IsRecognisedByItsFirstBytesAndNeverByFewer) {
  const std::pair<std::string_view, Encoding> files[] = {
      {"\xff\xd8\xff"sv, Encoding::kJpeg},
      {"\x89PNG\r\n\x1a\n"sv, Encoding::kPng},
      {"GIF87a"sv, Encoding::kGif},
      {"GIF89a"sv, Encoding::kGif},
      {"BM"sv, Encoding::kBmp},
      {"II*\0"sv, Encoding::kTiff},
      {"MM\0*"sv, Encoding::kTiff},
      {"RIFF\1\2\3\4WEBP"sv, Encoding::kWebp},
  };
  for (const auto& [bytes, encoding] : files) {
    EXPECT_EQ(recognise(bytes), encoding) << name(encoding);
    EXPECT_EQ(recognise(bytes.substr(0, bytes.size() - 1)), Encoding::kUnknown) << name(encoding);
  }
  EXPECT_EQ(recognise(""), Encoding::kUnknown);
  EXPECT_EQ(recognise("RIFF\1\2\3\4WAVE"), Encoding::kUnknown);
}

TEST(Encoding, HasTheNameThatPillowGivesItAndIsFoundByIt) {
  for (int code = 1; code < kEncodingCount; ++code) {
    const auto encoding = static_cast<Encoding>(code);
    EXPECT_EQ(encoding_named(name(encoding)), encoding);
    EXPECT_EQ(describe(encoding), name(encoding));
  }
  EXPECT_STREQ(name(Encoding::kWebp), "WEBP");
  EXPECT_STREQ(extension(Encoding::kJpeg), "jpg");
  EXPECT_EQ(encoding_named("WebP"), Encoding::kUnknown);
  EXPECT_EQ(describe(Encoding::kUnknown), "no known format");
  EXPECT_EQ(describe(static_cast<Encoding>(9)), "format 9");
  EXPECT_STREQ(extension(static_cast<Encoding>(9)), "bin");
}

}  // namespace
}  // namespace fastinet
