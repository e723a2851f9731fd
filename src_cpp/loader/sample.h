// One sample of a batch, and how a thread makes it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "augment/boxes.h"
#include "base/random.h"
#include "image/geometry.h"
#include "image/image_decoder.h"

namespace fastinet {

// What a batch knows about a sample besides its pixels.
struct Sample {
  int64_t record = -1;      // in the dataset
  uint32_t occurrence = 0;  // how often the list that is loaded names the record before this place
  int32_t label = -1;
  Size image;  // as the transform saw it
  Geometry geometry;
  std::string key;
  std::vector<SampleBox> boxes;
  std::span<const uint8_t> payload;  // readers of windows only; valid while `owner` lives
  std::shared_ptr<const void> owner;
};

// A thread's way from a record to its sample; one a thread, used by that thread only.
class SampleReader {
 public:
  virtual ~SampleReader() = default;

  // Fills `sample` (whose record is set) and, where `pixels` is not null, writes its pixels there.
  // Throws Error. Where ErrorContext::record is set, the fault lies in that one record and not in its shard.
  virtual void read(const Stream& stream, Sample& sample, uint8_t* pixels) = 0;

  // The record will be read soon. Never throws: what is wrong with it is told when it is read.
  virtual void prefetch(int64_t record) noexcept = 0;

  // Since construction.
  struct Counts {
    DecodeCounts decode;
    int64_t payload_bytes = 0;
  };
  virtual Counts counts() const = 0;
};

}  // namespace fastinet
