// EXIF orientation, as Pillow's Image.getexif finds it: in IFD0, or else in the XMP packet.
#pragma once

#include "image/codec/jpeg/survey.h"

namespace fastinet {

struct Orientation {
  int value = 1;        // 1 to 8; 1 where none is stored; 0: the metadata are so odd that only Pillow can say
  bool broken = false;  // the EXIF segment or its first directory is damaged, be the orientation found or not
};

Orientation read_orientation(const JpegSurvey& survey);

}  // namespace fastinet
