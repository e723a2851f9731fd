// The figures of the stages, for people and for programs.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace fastinet {

struct StageRow {
  std::string work;   // which part of the images: a heading of the table
  std::string stage;  // what is done
  std::string by;     // a SIMD level of ours, "any" where levels do not differ, or another library
  double pixels = 0;  // that ns / pixel refers to, over all images; work says which
  std::function<double()> seconds;  // over all images, once measured
};

void print_table(const std::vector<StageRow>& rows, size_t images);

// {"images": N, "rows": [{"work", "stage", "by", "us_per_image", "ns_per_pixel"}, ...]}. Throws
// std::runtime_error if it cannot be written.
void write_json(const std::string& path, const std::vector<StageRow>& rows, size_t images);

}  // namespace fastinet
