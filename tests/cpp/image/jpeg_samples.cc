#include "image/jpeg_samples.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace fastinet::jpeg::oracle {

std::vector<std::filesystem::path> files_under(const std::string& folder) {
  namespace fs = std::filesystem;
  const char* given = std::getenv("FASTINET_SHARED");
  // This file is tests/cpp/image/jpeg_samples.cc of the repository.
  const fs::path repository = fs::path(__FILE__).parent_path().parent_path().parent_path().parent_path();
  const fs::path root = (given ? fs::path(given) : repository.parent_path() / "shared") / folder;
  std::vector<fs::path> files;
  if (!fs::is_directory(root)) return files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<uint8_t> read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace fastinet::jpeg::oracle
