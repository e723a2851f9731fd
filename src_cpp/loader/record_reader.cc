#include "loader/record_reader.h"

#include <utility>
#include <vector>

#include "augment/boxes.h"
#include "base/error.h"
#include "image/orientation.h"

namespace fastinet {
namespace {

class ShardReader : public SampleReader {
 public:
  ShardReader(std::shared_ptr<const ShardedDataset> dataset, std::shared_ptr<const TransformPlan> plan,
              const ShardReaderOptions& options, ForeignDecoder foreign)
      : dataset_(std::move(dataset)),
        plan_(std::move(plan)),
        options_(options),
        decoder_(options.format, std::move(foreign)) {}

  void read(const Stream& stream, Sample& sample, uint8_t* pixels) override {
    // What fails here is the shard's fault, not the record's, but for boxes that say so themselves.
    const ShardedDataset::Handle handle = dataset_->record(sample.record);
    if (options_.keys) sample.key = handle.key();
    const Boxes boxes = needs_boxes() ? handle.boxes() : Boxes{};
    try {
      make(handle, boxes, stream, sample, pixels);
    } catch (const Error& error) {
      ShardedDataset::check_intact(handle);  // a shard that shrank is the cause, whatever came of it
      throw error.within(handle.where());
    }  // what else comes, std::bad_alloc above all, says nothing of the record, and passes through as it is
    ShardedDataset::check_intact(handle);
  }

  void prefetch(int64_t record) noexcept override {
    try {
      dataset_->prefetch(record);
    } catch (...) {
      // Told when the record is read.
    }
  }

  Counts counts() const override { return {decoder_.counts(), payload_bytes_}; }

 private:
  bool needs_boxes() const { return options_.boxes || plan_->uses_objects(); }

  void make(const ShardedDataset::Handle& handle, const Boxes& boxes, const Stream& stream, Sample& sample,
            uint8_t* pixels) {
    const RecordView& record = handle.record;
    if (options_.verify) ShardedDataset::check_payload(handle);
    if (!record.entry_points.empty()) ShardedDataset::check_entry_points(handle);
    EncodedImage image{record.payload, record.entry_points, options_.apply_orientation};
    sample.label = record.label;
    sample.image = image.size = size_of(record, image, pixels != nullptr);
    if (needs_boxes()) {
      place(boxes, record, stream, sample);
    } else {
      sample.geometry = plan_->sample(sample.image, stream);
    }
    sample.geometry.dct_scaling = options_.dct_scaling;
    if (pixels != nullptr) {
      decoder_.decode(image, sample.geometry, pixels);
    } else {
      sample.payload = record.payload;
      sample.owner = handle.owner;
    }
    payload_bytes_ += static_cast<int64_t>(record.payload.size());
  }

  void place(const Boxes& boxes, const RecordView& record, const Stream& stream, Sample& sample) const {
    const int orientation = options_.apply_orientation ? record.orientation : 1;
    const std::vector<Rect> objects = object_rects(boxes, orientation, sample.image);
    sample.geometry = plan_->sample(sample.image, stream, objects);
    sample.boxes.clear();
    if (options_.boxes) {
      sample.boxes = transform_boxes(boxes, orientation, sample.image, sample.geometry, options_.min_visible);
    }
  }

  // As the sidecar gives it where that is enough: decoding finds out whether it is true.
  Size size_of(const RecordView& record, const EncodedImage& image, bool decoding) {
    const Size recorded{record.height, record.width};
    const bool known = recorded.height > 0 && recorded.width > 0;
    const bool cheap = record.encoding == Encoding::kJpeg;  // to ask; of others the foreign decoder is asked
    if (known && !options_.apply_orientation && (decoding || !cheap)) return recorded;
    const ImageInfo info = decoder_.info(image);
    if (known) {
      const int orientation = options_.apply_orientation ? record.orientation : 1;
      require_size(turned(recorded, orientation), info.size);
    }
    return info.size;
  }

  const std::shared_ptr<const ShardedDataset> dataset_;
  const std::shared_ptr<const TransformPlan> plan_;
  const ShardReaderOptions options_;
  ImageDecoder decoder_;
  int64_t payload_bytes_ = 0;
};

}  // namespace

std::unique_ptr<SampleReader> make_shard_reader(std::shared_ptr<const ShardedDataset> dataset,
                                                std::shared_ptr<const TransformPlan> plan,
                                                const ShardReaderOptions& options, ForeignDecoder foreign) {
  return std::make_unique<ShardReader>(std::move(dataset), std::move(plan), options, std::move(foreign));
}

}  // namespace fastinet
