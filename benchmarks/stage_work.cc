#include "stage_work.h"

#include <cmath>
#include <fstream>
#include <iterator>
#include <random>
#include <utility>

#include "image/codec/jpeg/scan.h"

namespace fastinet {
namespace {

// torchvision.transforms.RandomResizedCrop.get_params with its defaults, but for the fallback: the whole
// image.
Rect random_resized_crop(std::mt19937& random, Size image) {
  std::uniform_real_distribution<double> scale(0.08, 1.0), log_ratio(std::log(3.0 / 4), std::log(4.0 / 3));
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double area = scale(random) * image.height * image.width, ratio = std::exp(log_ratio(random));
    const int width = static_cast<int>(std::lround(std::sqrt(area * ratio)));
    const int height = static_cast<int>(std::lround(std::sqrt(area / ratio)));
    if (width < 1 || height < 1 || width > image.width || height > image.height) continue;
    return {std::uniform_int_distribution<int>(0, image.height - height)(random),
            std::uniform_int_distribution<int>(0, image.width - width)(random), height, width};
  }
  return {0, 0, image.height, image.width};
}

}  // namespace

jpeg::McuWindow WorkItem::window() const {
  const Rect& r = geometry.crop;
  return {r.top / header.mcu_height, (r.bottom() - 1) / header.mcu_height + 1, r.left / header.mcu_width,
          (r.right() - 1) / header.mcu_width + 1};
}

std::vector<WorkItem> load_work(const std::vector<std::string>& paths) {
  std::vector<WorkItem> items;
  std::mt19937 random(1);
  for (const std::string& path : paths) {
    WorkItem item;
    std::ifstream in(path, std::ios::binary);
    item.file.assign(std::istreambuf_iterator<char>(in), {});
    if (jpeg::parse_header(item.file, item.header) != jpeg::Unsuited::kNone) continue;
    item.entry_bytes = jpeg::make_entry_points(item.header, item.file);
    if (item.entry_bytes.empty()) continue;
    item.geometry.crop = random_resized_crop(random, item.header.size);
    item.geometry.size = {kSide, kSide};
    item.geometry.view = {0, 0, kSide, kSide};
    item.geometry.flip = random() % 2 == 1;
    items.push_back(std::move(item));
  }
  for (WorkItem& item : items) {  // what refers to the bytes, once these stay where they are
    jpeg::parse_header(item.file, item.header);
    item.entries = jpeg::EntryPointView::open(item.entry_bytes, item.header, item.file.size());
    item.survey = survey_jpeg(item.file);
  }
  return items;
}

}  // namespace fastinet
