// The members of a tar archive, found by its headers alone.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace fastinet {

struct TarMember {
  std::string name;
  uint64_t offset = 0;  // of the content, from the start of the archive
  uint64_t size = 0;
};

// A member that is no regular file, and why it is passed over. The offset, as above, tells its place among
// the others.
struct SkippedMember {
  std::string name;
  std::string reason;
  uint64_t offset = 0;
};

struct TarVisitor {
  std::function<void(const TarMember&)> member;
  std::function<void(const SkippedMember&)> skipped;
};

// Reads ustar, pax (path, size; global headers too) and GNU (long names, base-256 sizes) archives. Links,
// folders, devices and sparse files are reported as skipped. The input may be hostile. Throws
// Error{kFormat, kTruncated} naming the offset at fault: a damaged header, a member that exceeds the
// archive, a name of more than 64 KiB. An archive without its two closing zero blocks is accepted if it
// ends after a whole member, as GNU tar does.
void scan_tar(std::span<const uint8_t> archive, const TarVisitor& visitor);

}  // namespace fastinet
