// EXIF orientation, as Pillow's Image.getexif finds it: in IFD0, or else in the XMP packet.
#pragma once

#include <optional>

#include "image/survey.h"

namespace fastinet {

// 1 to 8; 1 where none is stored. Nothing where the metadata are so odd that only Pillow can say.
std::optional<int> read_orientation(const JpegSurvey& survey);

}  // namespace fastinet
