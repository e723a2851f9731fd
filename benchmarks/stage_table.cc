#include "stage_table.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <stdexcept>

namespace fastinet {
namespace {

double us_per_image(const StageRow& row, size_t images) {
  return 1e6 * row.seconds() / static_cast<double>(images);
}

double ns_per_pixel(const StageRow& row) { return 1e9 * row.seconds() / row.pixels; }

// Together what is alike, in the order in which it first appears: works, and within them stages.
std::vector<StageRow> grouped(std::vector<StageRow> rows) {
  const auto group = [](auto first, auto last, const std::string StageRow::*by) {
    while (first != last) {
      const std::string value = (*first).*by;
      first = std::stable_partition(first, last, [&](const StageRow& row) { return row.*by == value; });
    }
  };
  group(rows.begin(), rows.end(), &StageRow::work);
  for (auto first = rows.begin(); first != rows.end();) {
    const auto last =
        std::find_if(first, rows.end(), [&](const StageRow& row) { return row.work != first->work; });
    group(first, last, &StageRow::stage);
    first = last;
  }
  return rows;
}

}  // namespace

void print_table(const std::vector<StageRow>& rows, size_t images) {
  std::string work, stage;
  for (const StageRow& row : grouped(rows)) {
    if (row.work != work) {
      std::printf("\n%-60s %12s %12s\n", row.work.c_str(), "us / image", "ns / pixel");
    }
    std::printf("  %-42s %-15s %12.1f %12.3f\n",
                row.work == work && row.stage == stage ? "" : row.stage.c_str(), row.by.c_str(),
                us_per_image(row, images), ns_per_pixel(row));
    work = row.work;
    stage = row.stage;
  }
}

void write_json(const std::string& path, const std::vector<StageRow>& rows, size_t images) {
  std::ofstream out(path);
  out << "{\"images\": " << images << ", \"rows\": [";
  const char* separator = "\n";
  for (const StageRow& row : rows) {  // the names are our own and need no escapes
    out << separator << "  {\"work\": \"" << row.work << "\", \"stage\": \"" << row.stage << "\", \"by\": \""
        << row.by << "\", \"us_per_image\": " << us_per_image(row, images)
        << ", \"ns_per_pixel\": " << ns_per_pixel(row) << "}";
    separator = ",\n";
  }
  out << "\n]}\n";
  out.close();
  if (!out) throw std::runtime_error("cannot write " + path);
}

}  // namespace fastinet
