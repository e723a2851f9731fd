// The markers of a JPEG file up to its first scan, read as strictly as it takes to know that Pillow and
// libjpeg-turbo read them alike.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "image/codec/jpeg/header.h"
#include "image/geometry.h"

namespace fastinet {

struct JpegSurvey {
  // Not empty: the file starts as a JPEG file does, but what Pillow makes of it is for Pillow to say; this is
  // the reason. The other fields are then not to be trusted.
  std::string irregular;

  Size size;
  int components = 0;        // 1, 3 or 4
  bool baseline = false;     // SOF0
  bool progressive = false;  // SOF2
  bool single_scan = false;  // the first scan holds all components of a sequential file
  size_t scan_begin = 0;     // offset of the first byte of entropy-coded data

  Bytes exif;                 // behind "Exif\0\0"; empty: none
  Bytes xmp;                  // behind its name space; empty: none
  bool several_exif = false;  // Pillow joins them
};

// FF D8 FF, as Pillow's plugin accepts it.
bool is_jpeg(Bytes data);

// REQUIRES: is_jpeg(data). Views point into `data`. Never throws.
JpegSurvey survey_jpeg(Bytes data);

// What one walk over the segments finds out for all decoders.
struct JpegHeaders {
  JpegSurvey survey;
  jpeg::Header header;                              // of a regular file that the fast path takes
  jpeg::Unsuited unsuited = jpeg::Unsuited::kNone;  // why it does not take the file; kNone: it does
};

// survey_jpeg() and parse_header() in one walk. REQUIRES: is_jpeg(data). Views point into `data`. Never
// throws for bad data.
JpegHeaders read_jpeg_headers(Bytes data);

// Whether EOI follows the scan of a single_scan file, or comes anywhere behind the first scan of others.
bool ends_with_eoi(Bytes data, const JpegSurvey& survey);

// Pixels of the file's largest frame times the number of its scans, from every marker that can be found
// anywhere in `data`: an upper bound of the pixels that any decoder visits. Frames of more than `max_pixels`
// do not count: they are never decoded.
int64_t decode_work(Bytes data, int64_t max_pixels);

}  // namespace fastinet
