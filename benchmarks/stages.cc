// What each stage of the way from a JPEG file to a sample costs, ours at every SIMD level and
// libjpeg-turbo's: CPU time of one thread, the best of several rounds in which all take their turn.
//
//   stages [--json FILE] [--rounds N] [--images N] FOLDER
#include "stages.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <string>
#include <string_view>

namespace {

int usage(const char* problem) {
  std::fprintf(stderr, "%s\nusage: stages [--json FILE] [--rounds N] [--images N] FOLDER\n", problem);
  return 2;
}

// `count` of the files below the folder, evenly chosen from all of them.
std::vector<std::string> choose_files(const char* folder, size_t count) {
  std::vector<std::string> all, chosen;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) all.push_back(entry.path().string());
  }
  std::sort(all.begin(), all.end());
  count = std::min(count, all.size());
  for (size_t i = 0; i < count; ++i) chosen.push_back(all[i * all.size() / count]);
  return chosen;
}

int run(const std::string& json, int rounds, const std::vector<std::string>& paths) {
  const fastinet::WorkItems items = fastinet::load_work(paths);
  if (items.empty()) return usage("no whole baseline JPEG files in the folder");

  fastinet::Stopwatch watch;
  fastinet::StageRows rows;
  fastinet::add_our_decoding(items, watch, rows);
  fastinet::add_turbo_decoding(items, watch, rows);
  fastinet::add_resampling(items, watch, rows);
  fastinet::add_whole(items, watch, rows);
  watch.run(rounds);

  std::printf("%zu of %zu files: baseline JPEG, whole\n", items.size(), paths.size());
  fastinet::print_table(rows, items.size());
  std::printf("\n* libjpeg-turbo's decoding of the region, then our resampling at the best level\n");
  if (!json.empty()) fastinet::write_json(json, rows, items.size());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const char* folder = nullptr;
  std::string json;
  int rounds = 5, images = 500;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (!argument.starts_with("--")) {
      if (folder) return usage("more than one folder");
      folder = argv[i];
      continue;
    }
    if (++i == argc) return usage("an option without its value");
    if (argument == "--json") {
      json = argv[i];
    } else if (argument == "--rounds") {
      rounds = std::atoi(argv[i]);
    } else if (argument == "--images") {
      images = std::atoi(argv[i]);
    } else {
      return usage("no such option");
    }
  }
  if (!folder) return usage("no folder given");
  if (rounds < 1 || images < 1) return usage("--rounds and --images must be at least 1");
  try {
    return run(json, rounds, choose_files(folder, static_cast<size_t>(images)));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
