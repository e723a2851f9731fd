// What a sidecar says of an image, compared with the image.
#pragma once

#include <string>
#include <vector>

#include "shard/record.h"

namespace fastinet {

struct Disagreement {
  std::string problem, expected, found;
};

struct ImageFindings {
  std::vector<Disagreement> disagreements;
  bool unsettled = false;  // only decoding the image can tell its size and orientation
};

// With `scan`, the entropy-coded data is walked and every entry point compared, and `unsettled` may be set.
ImageFindings check_image(const RecordView& record, bool scan);

}  // namespace fastinet
