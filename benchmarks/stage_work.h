// What the stages work on: JPEG files, and for each the crop that a training epoch might ask for.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "image/codec/jpeg/entropy_decoder.h"
#include "image/codec/jpeg/entry_points.h"
#include "image/codec/jpeg/header.h"
#include "image/codec/jpeg/survey.h"
#include "image/geometry.h"

namespace fastinet {

constexpr int kSide = 224;  // of the samples

struct WorkItem {
  std::vector<uint8_t> file, entry_bytes;
  JpegSurvey survey;
  jpeg::Header header;
  jpeg::EntryPointView entries;
  Geometry geometry;  // RandomResizedCrop(kSide) and RandomHorizontalFlip

  double pixels() const { return double(header.size.height) * header.size.width; }
  double crop_pixels() const { return double(geometry.crop.height) * geometry.crop.width; }
  jpeg::McuWindow whole() const { return {0, header.mcu_rows, 0, header.mcu_columns}; }
  jpeg::McuWindow window() const;  // the MCUs that the crop touches
};

// Of those of the files that the fast path takes; the others are left out.
std::vector<WorkItem> load_work(const std::vector<std::string>& paths);

}  // namespace fastinet
