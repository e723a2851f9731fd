#include "shard/dataset.h"

#include <dirent.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <map>
#include <string_view>

#include "base/error.h"
#include "base/hash.h"
#include "shard/shard_pool.h"

namespace fastinet {
namespace {

std::pair<std::string_view, std::string_view> split_path(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == path.npos) return {".", path};
  return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

// The names in a folder.
class Listing {
 public:
  explicit Listing(const std::string& folder) {
    DIR* const dir = opendir(folder.c_str());
    if (dir == nullptr) {
      throw io_error(
          errno == ENOENT ? "folder of the shards is missing" : "cannot list the folder of the shards",
          folder, errno);
    }
    while (const dirent* const entry = readdir(dir)) names_.emplace_back(entry->d_name);
    closedir(dir);
    std::sort(names_.begin(), names_.end());
  }

  // Shards are mostly asked for in the order of their names, so the answer is mostly near the last one.
  bool contains(std::string_view name) {
    for (size_t step = 0; step < 3 && last_ + step < names_.size(); ++step) {
      if (names_[last_ + step] == name) return last_ += step, true;
    }
    const auto found = std::lower_bound(names_.begin(), names_.end(), name);
    if (found == names_.end() || *found != name) return false;
    last_ = static_cast<size_t>(found - names_.begin());
    return true;
  }

 private:
  std::vector<std::string> names_;
  size_t last_ = 0;
};

// One listing a folder: 14,000 shards cost milliseconds, where a stat each would cost seconds on a
// network file system.
void check_files_are_there(const std::vector<ShardSpec>& shards) {
  std::map<std::string, Listing, std::less<>> folders;
  const auto check = [&](const std::string& path, const char* problem) {
    const auto [folder, name] = split_path(path);
    auto it = folders.find(folder);
    if (it == folders.end()) it = folders.emplace(folder, Listing(std::string(folder))).first;
    if (!it->second.contains(name)) throw io_error(problem, path, ENOENT);
  };
  for (const ShardSpec& shard : shards) {
    check(shard.tar_path, "shard is missing");
    check(shard.index_path, "sidecar of a shard is missing");
  }
}

int32_t class_of(const LabelMap* map, int32_t label) { return map == nullptr ? label : (*map)(label); }

void map_boxes(const LabelMap* map, Boxes& boxes) {
  if (map == nullptr) return;
  for (Box& box : boxes.boxes) box.label = (*map)(box.label);
}

}  // namespace

struct ShardedDataset::Impl {
  explicit Impl(std::vector<ShardSpec> shards) : specs(std::move(shards)), slots(specs.size()) {
    ends.reserve(specs.size());
    int64_t total = 0;
    for (const ShardSpec& spec : specs) {
      if (spec.record_count < 0 || spec.record_count > INT64_MAX - total) {
        throw Error(ErrorKind::kArgument, "number of records is out of range",
                    {.path = spec.tar_path, .found = std::to_string(spec.record_count)});
      }
      ends.push_back(total += spec.record_count);
    }
  }

  ~Impl() {
    for (const auto& slot : slots) delete slot.load();
  }

  // The shard, mapped where it is not now. Readers of a mapped shard take no lock.
  std::shared_ptr<const Shard> open(size_t number) {
    const Pooled* pooled = slots[number].load(std::memory_order_acquire);
    if (pooled == nullptr) {
      auto made = std::make_unique<const Pooled>(PooledShard::of(specs[number]));
      if (slots[number].compare_exchange_strong(pooled, made.get())) pooled = made.release();
    }
    return (*pooled)->get();
  }

  // Calls visit(sidecar, number in the shard, label map or null) for each record of the range.
  template <typename Visit>
  void scan(const ShardedDataset& dataset, int64_t first, int64_t count, const Visit& visit) {
    if (first < 0 || count < 0 || count > dataset.size() - first) {
      throw Error(ErrorKind::kArgument, "range of records is outside of the dataset",
                  {.expected = "within [0, " + std::to_string(dataset.size()) + ")",
                   .found = "[" + std::to_string(first) + ", " + std::to_string(first + count) + ")"});
    }
    while (count > 0) {
      const auto [number, start] = dataset.locate(first);
      const int64_t take = std::min(count, specs[static_cast<size_t>(number)].record_count - start);
      const MappedSidecar index(specs[static_cast<size_t>(number)]);
      for (int64_t i = start; i < start + take; ++i) {
        try {
          visit(index, i, specs[static_cast<size_t>(number)].label_map.get());
        } catch (const Error& e) {
          index.file().check_intact();
          throw e.within({.path = index.file().path()});
        }
      }
      index.file().check_intact();
      first += take;
      count -= take;
    }
  }

  const std::vector<ShardSpec> specs;
  std::vector<int64_t> ends;  // number of records up to and with each shard

 private:
  using Pooled = std::shared_ptr<PooledShard>;
  std::vector<std::atomic<const Pooled*>> slots;  // each set once, when the shard is first touched
};

ShardedDataset::ShardedDataset(std::vector<ShardSpec> shards)
    : impl_(std::make_unique<Impl>(std::move(shards))) {
  check_files_are_there(impl_->specs);
}
ShardedDataset::~ShardedDataset() = default;

int64_t ShardedDataset::size() const { return impl_->ends.empty() ? 0 : impl_->ends.back(); }
int64_t ShardedDataset::shard_count() const { return static_cast<int64_t>(impl_->specs.size()); }
const ShardSpec& ShardedDataset::shard(int64_t number) const {
  return impl_->specs.at(static_cast<size_t>(number));
}

std::pair<int64_t, int64_t> ShardedDataset::locate(int64_t index) const {
  if (index < 0 || index >= size()) {
    throw Error(ErrorKind::kArgument, "record index is outside of the dataset",
                {.expected = "0 to " + std::to_string(size() - 1), .found = std::to_string(index)});
  }
  const auto end = std::upper_bound(impl_->ends.begin(), impl_->ends.end(), index);
  const int64_t before = end == impl_->ends.begin() ? 0 : *(end - 1);
  return {end - impl_->ends.begin(), index - before};
}

ShardedDataset::Handle ShardedDataset::record(int64_t index) const {
  const auto [number, i] = locate(index);
  std::shared_ptr<const Shard> shard = impl_->open(static_cast<size_t>(number));
  RecordView view = shard->record(i);
  const std::shared_ptr<const LabelMap>& map = impl_->specs[static_cast<size_t>(number)].label_map;
  if (map != nullptr) {
    try {
      view.label = (*map)(view.label);
    } catch (const Error& e) {
      throw e.within({.path = shard->index_path()});
    }
  }
  return {view, std::move(shard), i, map};
}

std::string ShardedDataset::Handle::key() const { return owner->key(number); }

Boxes ShardedDataset::Handle::boxes() const {
  Boxes boxes = owner->boxes(number);
  try {
    map_boxes(label_map.get(), boxes);
  } catch (const Error& e) {
    throw e.within({.path = owner->index_path(), .record = number});
  }
  return boxes;
}

ErrorContext ShardedDataset::Handle::where() const {
  ErrorContext context{.path = owner->path(), .record = number};
  try {
    context.key = key();
  } catch (const Error&) {
    // Rather none than a wrong one.
  }
  return context;
}

void ShardedDataset::check_intact(const Handle& handle) {
  try {
    handle.owner->check_intact();
  } catch (const Error& e) {
    throw e.within({.record = handle.number});
  }
}

void ShardedDataset::check_payload(const Handle& handle) {
  const uint64_t hash = xxh3(handle.record.payload);
  check_intact(handle);
  if (hash == handle.record.payload_xxh3) return;
  throw Error(ErrorKind::kChecksum, "payload is damaged",
              {.expected = "XXH3 " + hash_text(handle.record.payload_xxh3), .found = hash_text(hash)})
      .within(handle.where());
}

void ShardedDataset::check_entry_points(const Handle& handle) {
  const RecordView& r = handle.record;
  const uint64_t hash = r.entry_points.empty() ? 0 : xxh3(r.entry_points, r.payload_xxh3);
  check_intact(handle);
  if (hash == r.entry_points_xxh3) return;
  throw Error(ErrorKind::kChecksum, "entry points are damaged or of another payload",
              {.path = handle.owner->index_path(),
               .expected = "XXH3 " + hash_text(r.entry_points_xxh3),
               .found = hash_text(hash)})
      .within(handle.where());
}

void ShardedDataset::prefetch(int64_t index) const {
  const Handle handle = record(index);
  handle.owner->tar().prefetch(handle.record.payload);
}

void ShardedDataset::labels(int64_t first, int64_t count, int32_t* out) const {
  impl_->scan(*this, first, count, [&](const MappedSidecar& index, int64_t i, const LabelMap* map) {
    *out++ = class_of(map, index.sidecar().entry(i).label);
  });
}

void ShardedDataset::payload_hashes(int64_t first, int64_t count, uint64_t* out) const {
  impl_->scan(*this, first, count, [&](const MappedSidecar& index, int64_t i, const LabelMap*) {
    *out++ = index.sidecar().entry(i).payload_xxh3;
  });
}

std::vector<std::string> ShardedDataset::keys(int64_t first, int64_t count) const {
  std::vector<std::string> keys;
  keys.reserve(static_cast<size_t>(std::max<int64_t>(count, 0)));
  impl_->scan(*this, first, count, [&](const MappedSidecar& index, int64_t i, const LabelMap*) {
    keys.push_back(index.sidecar().key(i));
  });
  return keys;
}

void ShardedDataset::facts(int64_t first, int64_t count, RecordFacts* out) const {
  impl_->scan(*this, first, count, [&](const MappedSidecar& index, int64_t i, const LabelMap* map) {
    const format::Record entry = index.sidecar().entry(i);
    const RecordView r = index.sidecar().record(entry);
    *out++ = {class_of(map, r.label),
              r.width,
              r.height,
              entry.payload_size,
              entry.entry_points_size,
              static_cast<uint8_t>(r.orientation),
              r.encoding,
              r.clean,
              entry.boxes_size > 0,
              entry.payload_offset};
  });
}

BoxTable ShardedDataset::boxes(int64_t first, int64_t count) const {
  BoxTable table;
  impl_->scan(*this, first, count, [&](const MappedSidecar& index, int64_t i, const LabelMap* map) {
    Boxes boxes = index.sidecar().boxes(i);
    map_boxes(map, boxes);
    table.counts.push_back(static_cast<int64_t>(boxes.boxes.size()));
    table.sizes.emplace_back(boxes.width, boxes.height);
    table.rows.insert(table.rows.end(), boxes.boxes.begin(), boxes.boxes.end());
  });
  return table;
}

}  // namespace fastinet
