// Samples from shards: find the record, check its bytes, choose the window, decode into the slot.
#pragma once

#include <memory>

#include "augment/program.h"
#include "loader/sample.h"
#include "shard/dataset.h"

namespace fastinet {

struct ShardReaderOptions {
  OutputFormat format;
  bool pixels = true;      // false: windows only; samples then carry their payload and its owner
  bool keys = false;       // samples carry their key
  bool boxes = false;      // samples carry their boxes
  double min_visible = 0;  // boxes of which a smaller share is left are dropped
  bool verify = true;      // check the payload's checksum before it is decoded
  bool apply_orientation = false;
  bool dct_scaling = false;  // see Geometry
};

std::unique_ptr<SampleReader> make_shard_reader(std::shared_ptr<const ShardedDataset> dataset,
                                                std::shared_ptr<const TransformPlan> plan,
                                                const ShardReaderOptions& options, ForeignDecoder foreign);

}  // namespace fastinet
