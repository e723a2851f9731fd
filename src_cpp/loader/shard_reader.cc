#include "loader/shard_reader.h"

#include <utility>
#include <vector>

#include "base/error.h"
#include "loader/box_transform.h"
#include "shard/boxes.h"

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
    const ShardedDataset::Handle handle = dataset_->record(sample.record);
    try {
      make(handle, stream, sample, pixels);
    } catch (const Error& error) {
      ShardedDataset::check_intact(handle);  // a shard that shrank is the cause, whatever came of it
      throw error.within(where(handle));
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
  void make(const ShardedDataset::Handle& handle, const Stream& stream, Sample& sample, uint8_t* pixels) {
    const RecordView& record = handle.record;
    if (options_.verify) ShardedDataset::check_payload(handle);
    if (!record.entry_points.empty()) ShardedDataset::check_entry_points(handle);
    const EncodedImage image{record.payload, record.entry_points, options_.apply_orientation};
    sample.label = record.label;
    sample.image = size_of(record, image);
    if (options_.boxes || plan_->uses_objects()) {
      place(decode_boxes(record.boxes), record, stream, sample);
    } else {
      sample.geometry = plan_->sample(sample.image, stream);
    }
    sample.geometry.dct_scaling = options_.dct_scaling;
    if (options_.keys) sample.key = record.key;
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

  Size size_of(const RecordView& record, const EncodedImage& image) {
    const bool known = record.width > 0 && record.height > 0;
    if (known && !options_.apply_orientation) return {record.height, record.width};
    return decoder_.info(image).size;
  }

  static ErrorContext where(const ShardedDataset::Handle& handle) {
    ErrorContext context;
    context.path = handle.owner->path();
    context.record = handle.number;
    context.key = handle.record.key;
    return context;
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
