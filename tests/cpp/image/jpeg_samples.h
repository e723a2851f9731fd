// Real files from the folder that FASTINET_SHARED names (or ../shared beside the repository); none where it
// is not there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace fastinet::jpeg::oracle {

std::vector<std::filesystem::path> files_under(const std::string& folder);
std::vector<uint8_t> read_file(const std::filesystem::path& path);

}  // namespace fastinet::jpeg::oracle
