#include <gtest/gtest.h>

#include <cstring>

#include "shard/support.h"
#include "shard/tar/header.h"
#include "shard/tar/scan.h"

namespace fastinet {
namespace {

using namespace test;

struct Scan {
  std::vector<TarMember> members;
  std::vector<SkippedMember> skipped;
};

Scan scan(const std::string& archive) {
  Scan result;
  scan_tar({reinterpret_cast<const uint8_t*>(archive.data()), archive.size()},
           {[&](const TarMember& m) { result.members.push_back(m); },
            [&](const SkippedMember& s) { result.skipped.push_back(s); }});
  return result;
}

void seal(std::string& header) {
  std::memset(header.data() + 148, ' ', 8);
  unsigned sum = 0;
  for (size_t i = 0; i < 512; ++i) sum += static_cast<uint8_t>(header[i]);
  std::snprintf(header.data() + 148, 8, "%06o", sum);
}

std::string member(const std::string& name, const std::string& content, char type = '0') {
  std::string out = tar::encode_header(name, content.size());
  out[156] = type;
  seal(out);
  return out + content + std::string(tar::padding(content.size()), '\0');
}

TEST(ScanTar, FindsEachMember) {
  const Scan found =
      scan(member("a.jpg", "12345") + member("b.jpg", "") + member("c.jpg", std::string(600, 'x')) +
           std::string(1024, '\0') + "what follows the end is not read");
  ASSERT_EQ(found.members.size(), 3u);
  EXPECT_EQ(found.members[0].name, "a.jpg");
  EXPECT_EQ(found.members[0].offset, 512u);
  EXPECT_EQ(found.members[0].size, 5u);
  EXPECT_EQ(found.members[1].offset, 1536u);
  EXPECT_EQ(found.members[2].offset, 2048u);
  EXPECT_EQ(found.members[2].size, 600u);
}

TEST(ScanTar, AcceptsAnArchiveWithoutItsEndAndWithoutItsLastPadding) {
  std::string archive = member("a", "12345");
  archive.resize(512 + 5);
  EXPECT_EQ(scan(archive).members.size(), 1u);
  EXPECT_EQ(scan("").members.size(), 0u);
}

TEST(ScanTar, SkipsWhatIsNoFileAndSaysWhy) {
  const Scan found = scan(member("link", "", '2') + member("folder/", "", '5') +
                          member("sparse", "abc", 'S') + member("odd", "abc", 'Z') + member("a", "1"));
  ASSERT_EQ(found.skipped.size(), 4u);
  EXPECT_EQ(found.skipped[0].reason, "symbolic link");
  EXPECT_EQ(found.skipped[1].reason, "folder");
  EXPECT_EQ(found.skipped[2].reason, "sparse file");
  EXPECT_EQ(found.skipped[3].reason, "unknown type of member");
  EXPECT_EQ(found.skipped[0].offset, 512u);
  EXPECT_EQ(found.skipped[1].offset, 1024u);
  EXPECT_EQ(found.members.size(), 1u);
}

TEST(ScanTar, ReadsPaxPathsAndSizesAndGnuNames) {
  std::string large = tar::encode_header("short", 0);
  std::memset(large.data() + 124, 0, 12);
  seal(large);
  const Scan found = scan(member("x", "12 path=abc\n11 size=10\n", 'x') + large + std::string(512, 'y') +
                          member("././@LongLink", std::string(300, 'n') + '\0', 'L') + member("cut", "1"));
  ASSERT_EQ(found.members.size(), 2u);
  EXPECT_EQ(found.members[0].name, "abc");
  EXPECT_EQ(found.members[0].size, 10u);
  EXPECT_EQ(found.members[1].name, std::string(300, 'n'));
}

TEST(ScanTar, ReadsBase256Sizes) {
  std::string header = member("a", "");
  std::memset(header.data() + 124, 0, 12);
  header[124] = static_cast<char>(0x80);
  header[135] = 7;
  seal(header);
  const Scan found = scan(header + std::string(512, 'x'));
  ASSERT_EQ(found.members.size(), 1u);
  EXPECT_EQ(found.members[0].size, 7u);
  header[125] = 1;
  seal(header);
  expect_mentions(error_of([&] { scan(header); }),
                  "tar header has a bad size: number is too large at offset 0");
  header[124] = static_cast<char>(0xff);
  seal(header);
  expect_mentions(error_of([&] { scan(header); }), "negative number at offset 0");
}

TEST(ScanTar, NamesTheOffsetOfDamage) {
  const std::string good = member("a", "12345") + member("b", std::string(600, 'x'));
  std::string bad = good;
  bad[1024 + 1] = '!';
  Error e = error_of([&] { scan(bad); });
  EXPECT_EQ(e.kind(), ErrorKind::kFormat);
  expect_mentions(e, "tar header is damaged: checksum does not fit at offset 1024: expected ");
  e = error_of([&] { scan(good.substr(0, 1536 + 599)); });
  EXPECT_EQ(e.kind(), ErrorKind::kTruncated);
  expect_mentions(e, "archive ends inside a member at offset 1024");
  e = error_of([&] { scan(good.substr(0, 1024 + 100)); });
  EXPECT_EQ(e.kind(), ErrorKind::kTruncated);
  expect_mentions(e, "archive ends inside a header at offset 1024");
  e = error_of([&] { scan(member("x", "99 path=abc\n", 'x') + member("a", "")); });
  expect_mentions(e, "damaged pax header at offset 0");
  e = error_of([&] { scan(member("x", "12 path=abc\n", 'x')); });
  expect_mentions(e, "archive ends after an extended header");
}

TEST(EncodeHeader, UsesThePrefixAndOnlyThenPax) {
  const std::string fits(100, 'a');
  EXPECT_EQ(tar::encode_header(fits, 0).size(), 512u);
  const std::string split = std::string(155, 'p') + "/" + std::string(100, 'n');
  const std::string header = tar::encode_header(split, 0);
  EXPECT_EQ(header.size(), 512u);
  EXPECT_EQ(tar::decode_header(reinterpret_cast<const uint8_t*>(header.data())).name, split);
  EXPECT_EQ(tar::encode_header(std::string(101, 'a'), 0).size(), 512u * 3);
  EXPECT_EQ(tar::encode_header(std::string(156, 'p') + "/" + std::string(100, 'n'), 0).size(), 512u * 3);
  for (const size_t length : {101u, 490u, 505u, 991u, 4096u}) {
    const Scan found = scan(tar::encode_header(std::string(length, 'k'), 0));
    ASSERT_EQ(found.members.size(), 1u);
    EXPECT_EQ(found.members[0].name.size(), length);
  }
}

}  // namespace
}  // namespace fastinet
