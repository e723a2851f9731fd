// The loader and its batches.
#include "loader/loader.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/error.h"
#include "loader/record_reader.h"
#include "python/bind.h"
#include "python/gil.h"
#include "python/image.h"
#include "python/text.h"

namespace py = pybind11;

namespace fastinet::python {
namespace {

// How long a wait goes on before Python's signals are looked at.
constexpr std::chrono::milliseconds kSignalSlice{20};

template <typename T>
T choice(const char* what, const std::string& name, const std::map<std::string, T>& choices) {
  const auto found = choices.find(name);
  if (found != choices.end()) return found->second;
  ErrorContext context;
  for (const auto& c : choices) context.expected += (context.expected.empty() ? "" : " or ") + c.first;
  context.found = name;
  throw Error(ErrorKind::kArgument, what, std::move(context));
}

Interpolation interpolation_of(const std::string& name) {
  return choice<Interpolation>(
      "interpolation", name, {{"bilinear", Interpolation::kBilinear}, {"bicubic", Interpolation::kBicubic}});
}

struct PyBatch {
  Batch batch;
  py::object images;  // None where no pixels were made
  py::object memory;  // None where the core allocated it
};

py::object pixels_as_array(Buffer buffer, int64_t count, const OutputFormat& format, Size size) {
  auto owner = std::make_unique<Buffer>(std::move(buffer));
  uint8_t* data = owner->data();
  const py::capsule capsule(owner.get(), [](void* p) { delete static_cast<Buffer*>(p); });
  (void)owner.release();
  const char* dtype = format.dtype == DType::kUint8     ? "uint8"
                      : format.dtype == DType::kFloat16 ? "float16"
                                                        : "float32";
  const py::ssize_t h = size.height;
  const py::ssize_t w = size.width;
  const std::vector<py::ssize_t> shape = format.layout == Layout::kNCHW
                                             ? std::vector<py::ssize_t>{count, 3, h, w}
                                             : std::vector<py::ssize_t>{count, h, w, 3};
  return py::array(py::dtype(dtype), shape, data, capsule);
}

// One row a sample, `Columns` numbers wide.
template <typename T, size_t Columns, typename Row>
py::array_t<T> rows(const Batch& batch, const Row& row) {
  py::array_t<T> array({batch.samples.size(), Columns});
  T* out = array.mutable_data();
  for (const Sample& s : batch.samples) {
    const std::array<T, Columns> values = row(s);
    out = std::copy(values.begin(), values.end(), out);
  }
  return array;
}

template <typename T, typename Value>
py::array_t<T> column(const Batch& batch, const Value& value) {
  py::array_t<T> array(static_cast<py::ssize_t>(batch.samples.size()));
  T* out = array.mutable_data();
  for (const Sample& s : batch.samples) *out++ = static_cast<T>(value(s));
  return array;
}

py::list keys_of(const Batch& batch) {
  py::list keys;
  for (const Sample& s : batch.samples) {
    // Keys of foreign tars may be any bytes.
    keys.append(py::reinterpret_steal<py::str>(
        PyUnicode_DecodeUTF8(s.key.data(), static_cast<py::ssize_t>(s.key.size()), "surrogateescape")));
  }
  return keys;
}

py::list payloads_of(const Batch& batch) {
  py::list payloads;
  for (const Sample& s : batch.samples) {
    using Owner = std::shared_ptr<const void>;
    const py::capsule capsule(new Owner(s.owner), [](void* p) { delete static_cast<Owner*>(p); });
    py::array_t<uint8_t> array(static_cast<py::ssize_t>(s.payload.size()), s.payload.data(), capsule);
    array.attr("flags").attr("writeable") = false;
    payloads.append(std::move(array));
  }
  return payloads;
}

std::array<int32_t, 4> numbers(const Rect& r) { return {r.top, r.left, r.height, r.width}; }
std::array<int32_t, 2> numbers(const Size& s) { return {s.height, s.width}; }

using Numbers = py::array_t<int64_t, py::array::c_style | py::array::forcecast>;

std::vector<int64_t> numbers(const Numbers& a) { return {a.data(), a.data() + a.size()}; }

// What `allocate(bytes)` gives: anything writable with the buffer protocol. Each is used for one batch, and
// let go of when nothing refers to the batch's images; to reuse memory is the business of who allocates it.
class PythonMemory {
 public:
  // Never freed without the GIL, nor once the interpreter is gone.
  static std::shared_ptr<PythonMemory> make(const py::function& allocate) {
    return {new PythonMemory(allocate), [](PythonMemory* memory) {
              if (!Py_IsInitialized()) return;
              const py::gil_scoped_acquire gil;
              delete memory;
            }};
  }

  // Of the buffer at `data`, which is in use; with the GIL.
  py::object given(const uint8_t* data) const { return in_use_.at(data).given; }

  static BufferAllocator allocator(const std::shared_ptr<PythonMemory>& memory) {
    return {[memory](size_t bytes) {
              const py::gil_scoped_acquire gil;
              return memory->allocate(bytes);
            },
            [memory](const uint8_t* data) {
              if (!Py_IsInitialized()) return;
              const py::gil_scoped_acquire gil;
              memory->in_use_.extract(data);  // out of the map before any destructor of Python's runs
            },
            /*reuse=*/false};
  }

 private:
  struct Block {
    py::object given;
    py::buffer_info info;  // holds the export: the memory stays where it is
  };

  explicit PythonMemory(py::function allocate) : allocate_(std::move(allocate)) {}

  uint8_t* allocate(size_t bytes) {
    Block block{allocate_(bytes), {}};
    block.info = py::buffer(block.given).request(/*writable=*/true);
    const auto size = static_cast<size_t>(block.info.size * block.info.itemsize);
    auto* data = static_cast<uint8_t*>(block.info.ptr);
    require(size >= bytes, std::to_string(bytes) + " bytes", std::to_string(size));
    require(PyBuffer_IsContiguous(block.info.view(), 'C') != 0, "contiguous memory", "memory with gaps");
    const size_t offset = reinterpret_cast<uintptr_t>(data) % alignof(float);
    require(offset == 0, "an address that is a multiple of " + std::to_string(alignof(float)),
            std::to_string(offset) + " bytes more");
    require(in_use_.try_emplace(data, std::move(block)).second, "memory of its own for each batch",
            "that of a batch in use");
    return data;
  }

  static void require(bool good, std::string expected, std::string found) {
    if (good) return;
    ErrorContext context;
    context.expected = std::move(expected);
    context.found = std::move(found);
    throw Error(ErrorKind::kArgument, "allocate", std::move(context));
  }

  py::function allocate_;
  std::map<const uint8_t*, Block> in_use_;  // the GIL is its lock
};

// Frees the core's loader without the GIL: its threads may be waiting for it.
class PyLoader {
 public:
  // `memory`: null where the core allocates.
  PyLoader(std::unique_ptr<Loader> loader, OutputFormat format, Size size,
           std::shared_ptr<PythonMemory> memory)
      : loader_(std::move(loader)), format_(format), size_(size), memory_(std::move(memory)) {}
  ~PyLoader() {
    const py::gil_scoped_release release;
    loader_.reset();
  }
  PyLoader(const PyLoader&) = delete;
  PyLoader& operator=(const PyLoader&) = delete;

  Loader& core() { return *loader_; }
  const OutputFormat& format() const { return format_; }
  Size size() const { return size_; }
  py::object memory_of(const Buffer& buffer) const {
    return memory_ ? memory_->given(buffer.data()) : py::none();
  }

 private:
  std::unique_ptr<Loader> loader_;
  OutputFormat format_;
  Size size_;
  std::shared_ptr<PythonMemory> memory_;
};

std::unique_ptr<PyLoader> make_loader(std::shared_ptr<ShardedDataset> dataset,
                                      std::shared_ptr<TransformPlan> plan, int64_t batch_size, int threads,
                                      uint64_t seed, const std::string& order, const Numbers& blocks,
                                      int64_t window, const Numbers& subset, int64_t rank, int64_t world_size,
                                      bool drop_last, const std::string& dtype, const std::string& layout,
                                      const py::object& normalize, size_t prefetch_bytes,
                                      const std::string& on_error, bool pixels, bool keys, bool boxes,
                                      double min_visible, bool verify, bool apply_orientation,
                                      bool dct_scaling, const py::object& allocate) {
  ShardReaderOptions reader;
  reader.format.dtype = choice<DType>(
      "dtype", dtype, {{"uint8", DType::kUint8}, {"float16", DType::kFloat16}, {"float32", DType::kFloat32}});
  reader.format.layout = choice<Layout>("layout", layout, {{"NCHW", Layout::kNCHW}, {"NHWC", Layout::kNHWC}});
  reader.format.normalize = !normalize.is_none();
  if (reader.format.normalize) {
    using Three = std::array<float, 3>;
    std::tie(reader.format.mean, reader.format.std) = normalize.cast<std::pair<Three, Three>>();
  }
  reader.pixels = pixels;
  reader.keys = keys;
  reader.boxes = boxes;
  reader.min_visible = min_visible;
  reader.verify = verify;
  reader.apply_orientation = apply_orientation;
  reader.dct_scaling = dct_scaling;

  const std::optional<Size> size = plan->output_size();
  if (pixels && !size) {
    throw Error(
        ErrorKind::kArgument,
        "the transform leaves images of different sizes, which do not fit into one batch; end it with "
        "RandomResizedCrop, CenterCrop or Resize((height, width))");
  }
  LoaderOptions options;
  options.batch_size = batch_size;
  options.rank = rank;
  options.world = world_size;
  options.drop_last = drop_last;
  options.threads = threads;
  if (pixels) {
    options.sample_bytes = 3 * static_cast<size_t>(size->height) * static_cast<size_t>(size->width) *
                           itemsize(reader.format.dtype);
  }
  options.prefetch_bytes = prefetch_bytes;
  std::shared_ptr<PythonMemory> memory;
  if (!allocate.is_none()) {
    memory = PythonMemory::make(allocate.cast<py::function>());
    options.allocator = PythonMemory::allocator(memory);
  }
  options.on_error = choice<ErrorPolicy>("on_error", on_error,
                                         {{"raise", ErrorPolicy::kRaise},
                                          {"skip", ErrorPolicy::kSkip},
                                          {"substitute", ErrorPolicy::kSubstitute}});
  OrderSpec spec;
  spec.kind = choice<OrderKind>("order", order,
                                {{"sequential", OrderKind::kSequential},
                                 {"shuffled", OrderKind::kShuffled},
                                 {"windowed", OrderKind::kWindowed}});
  spec.size = subset.size() > 0 ? subset.size() : dataset->size();
  spec.seed = seed;
  spec.blocks = numbers(blocks);
  spec.window = window;
  auto readers = [dataset = std::move(dataset), plan = std::move(plan), reader] {
    return make_shard_reader(dataset, plan, reader, pillow_decoder());
  };
  auto loader = std::make_unique<Loader>(options, std::move(spec), numbers(subset), std::move(readers));
  return std::make_unique<PyLoader>(std::move(loader), reader.format, size.value_or(Size{}),
                                    std::move(memory));
}

py::object next_batch(PyLoader& self, int64_t run) {
  for (;;) {
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    const ReleasedGil released;
    if (self.core().wait(run, kSignalSlice)) break;
  }
  std::optional<Batch> batch;
  {
    const ReleasedGil released;
    batch = self.core().next(run);
  }
  if (!batch) return py::none();
  py::object images = py::none();
  py::object memory = py::none();
  if (batch->pixels.data() != nullptr) {
    memory = self.memory_of(batch->pixels);
    images = pixels_as_array(std::move(batch->pixels), static_cast<int64_t>(batch->samples.size()),
                             self.format(), self.size());
  }
  return py::cast(PyBatch{std::move(*batch), std::move(images), std::move(memory)});
}

py::dict stats_of(PyLoader& self) {
  const LoaderStats s = [&] {
    const ReleasedGil released;
    return self.core().stats();
  }();
  py::dict d;
  d["delivered"] = s.delivered;
  d["skipped"] = s.skipped;
  d["substituted"] = s.substituted;
  py::list reasons;
  for (const std::string& reason : s.reasons) reasons.append(text(reason));  // keys in them are bytes
  d["reasons"] = std::move(reasons);
  d["decoded_fast"] = s.decode.fast;
  d["decoded_turbo"] = s.decode.turbo;
  d["decoded_foreign"] = s.decode.foreign;
  d["payload_bytes"] = s.payload_bytes;
  d["consumer_wait_seconds"] = s.consumer_wait_seconds;
  d["worker_wait_seconds"] = s.worker_wait_seconds;
  return d;
}

// From top, left, height, width.
std::vector<Rect> rects_of(const std::vector<std::array<int, 4>>& rows) {
  std::vector<Rect> rects;
  for (const auto& r : rows) rects.push_back({r[0], r[1], r[2], r[3]});
  return rects;
}

// The boxes of all samples in a row: how many each has, edges, labels, visible shares, flags.
py::tuple boxes_of(const Batch& batch) {
  py::array_t<int64_t> counts(static_cast<py::ssize_t>(batch.samples.size()));
  py::ssize_t total = 0;
  int64_t* count = counts.mutable_data();
  for (const Sample& s : batch.samples) {
    *count++ = static_cast<int64_t>(s.boxes.size());
    total += static_cast<py::ssize_t>(s.boxes.size());
  }
  py::array_t<float> edges({total, py::ssize_t{4}});
  py::array_t<int64_t> labels(total);
  py::array_t<float> visible(total);
  py::array_t<int64_t> flags(total);
  float* edge = edges.mutable_data();
  py::ssize_t i = 0;
  for (const Sample& s : batch.samples) {
    for (const SampleBox& b : s.boxes) {
      for (const float value : {b.xmin, b.ymin, b.xmax, b.ymax}) *edge++ = value;
      labels.mutable_data()[i] = b.label;
      visible.mutable_data()[i] = b.visible;
      flags.mutable_data()[i++] = b.flags;
    }
  }
  return py::make_tuple(counts, edges, labels, visible, flags);
}

// A number of a step, from 1 to `high` by its contract, which the plan checks; what no int holds is refused
// here.
int integer(const std::string& what, int high, const py::handle& value) {
  int overflow = 0;
  const long long number = PyLong_AsLongLongAndOverflow(value.ptr(), &overflow);
  if (number == -1 && PyErr_Occurred() != nullptr) throw py::error_already_set();
  if (overflow != 0 || number < INT_MIN || number > INT_MAX) {
    ErrorContext context;
    context.expected = "1 to " + std::to_string(high);
    context.found = overflow == 0
                        ? std::to_string(number)
                        : "one of " + std::to_string(value.attr("bit_length")().cast<int64_t>()) + " bits";
    throw Error(ErrorKind::kArgument, what, std::move(context));
  }
  return static_cast<int>(number);
}

Size size_of(const std::string& name, const py::tuple& step) {
  return {integer(name + ": size", kMaxSide, step[1]), integer(name + ": size", kMaxSide, step[2])};
}

void bind_plan(py::module_& m) {
  py::class_<TransformPlan, std::shared_ptr<TransformPlan>>(m, "TransformPlan")
      .def(py::init([](const py::list& steps) {
        std::vector<TransformStep> plan;
        for (const py::handle& item : steps) {
          const auto step = item.cast<py::tuple>();
          const auto name = step[0].cast<std::string>();
          if (name == "random_resized_crop") {
            RandomResizedCrop crop{size_of("RandomResizedCrop", step),
                                   step[3].cast<std::array<double, 2>>(),
                                   step[4].cast<std::array<double, 2>>(),
                                   interpolation_of(step[5].cast<std::string>()),
                                   {}};
            if (!step[6].is_none()) {
              crop.objects = {step[6].cast<double>(),
                              integer("RandomResizedCrop: max_attempts", 256, step[7])};
            }
            plan.push_back(crop);
          } else if (name == "resize_short") {
            plan.push_back(ResizeShort{integer("Resize: size", kMaxSide, step[1]),
                                       integer("Resize: max_size", kMaxSide, step[2]),
                                       interpolation_of(step[3].cast<std::string>())});
          } else if (name == "resize_to") {
            plan.push_back(ResizeTo{size_of("Resize", step), interpolation_of(step[3].cast<std::string>())});
          } else if (name == "center_crop") {
            plan.push_back(CenterCrop{size_of("CenterCrop", step)});
          } else if (name == "random_horizontal_flip") {
            plan.push_back(RandomHorizontalFlip{step[1].cast<double>()});
          } else {
            throw Error(ErrorKind::kArgument, "unknown transform step " + name);
          }
        }
        return std::make_shared<TransformPlan>(std::move(plan));
      }))
      .def_property_readonly("output_size",
                             [](const TransformPlan& p) -> py::object {
                               const auto size = p.output_size();
                               if (!size) return py::none();
                               return py::make_tuple(size->height, size->width);
                             })
      .def(
          "sample",
          [](const TransformPlan& p, int height, int width, uint64_t seed, uint32_t epoch, uint64_t record,
             const std::vector<std::array<int, 4>>& objects, uint32_t occurrence) {
            if (height < 1 || width < 1) throw Error(ErrorKind::kArgument, "image without pixels");
            if (record >= Stream::kMaxRecords) throw Error(ErrorKind::kArgument, "no record has this number");
            const Stream stream(seed, epoch, record, occurrence);
            const Geometry g = p.sample({height, width}, stream, rects_of(objects));
            return py::make_tuple(numbers(g.crop), numbers(g.size), numbers(g.view), g.flip);
          },
          py::arg("height"), py::arg("width"), py::arg("seed"), py::arg("epoch"), py::arg("record"),
          py::arg("objects") = std::vector<std::array<int, 4>>(), py::arg("occurrence") = 0);
}

void bind_batch(py::module_& m) {
  py::class_<PyBatch>(m, "Batch")
      .def("__len__", [](const PyBatch& b) { return b.batch.samples.size(); })
      .def_readonly("images", &PyBatch::images)
      .def_readonly("memory", &PyBatch::memory)
      .def_property_readonly("position", [](const PyBatch& b) { return b.batch.position; })
      .def_property_readonly(
          "labels",
          [](const PyBatch& b) { return column<int64_t>(b.batch, [](const Sample& s) { return s.label; }); })
      .def_property_readonly(
          "indices",
          [](const PyBatch& b) { return column<int64_t>(b.batch, [](const Sample& s) { return s.record; }); })
      .def_property_readonly("occurrences",
                             [](const PyBatch& b) {
                               return column<int64_t>(b.batch, [](const Sample& s) { return s.occurrence; });
                             })
      .def_property_readonly("keys", [](const PyBatch& b) { return keys_of(b.batch); })
      .def_property_readonly("boxes", [](const PyBatch& b) { return boxes_of(b.batch); })
      .def_property_readonly("payloads", [](const PyBatch& b) { return payloads_of(b.batch); })
      .def_property_readonly("image_sizes",
                             [](const PyBatch& b) {
                               return rows<int32_t, 2>(b.batch,
                                                       [](const Sample& s) { return numbers(s.image); });
                             })
      .def_property_readonly("crops",
                             [](const PyBatch& b) {
                               return rows<int32_t, 4>(
                                   b.batch, [](const Sample& s) { return numbers(s.geometry.crop); });
                             })
      .def_property_readonly("resized",
                             [](const PyBatch& b) {
                               return rows<int32_t, 2>(
                                   b.batch, [](const Sample& s) { return numbers(s.geometry.size); });
                             })
      .def_property_readonly("views",
                             [](const PyBatch& b) {
                               return rows<int32_t, 4>(
                                   b.batch, [](const Sample& s) { return numbers(s.geometry.view); });
                             })
      .def_property_readonly("flips", [](const PyBatch& b) {
        return column<bool>(b.batch, [](const Sample& s) { return s.geometry.flip; });
      });
}

}  // namespace

void bind_loader(py::module_& m) {
  bind_plan(m);
  bind_batch(m);
  py::class_<PyLoader>(m, "Loader")
      .def(py::init(&make_loader), py::arg("dataset"), py::arg("plan"), py::kw_only(), py::arg("batch_size"),
           py::arg("threads"), py::arg("seed"), py::arg("order"), py::arg("blocks"), py::arg("window"),
           py::arg("subset"), py::arg("rank"), py::arg("world_size"), py::arg("drop_last"), py::arg("dtype"),
           py::arg("layout"), py::arg("normalize"), py::arg("prefetch_bytes"), py::arg("on_error"),
           py::arg("pixels"), py::arg("keys"), py::arg("boxes"), py::arg("min_visible"), py::arg("verify"),
           py::arg("apply_orientation"), py::arg("dct_scaling"), py::arg("allocate"))
      .def(
          "share",
          [](PyLoader& self, int64_t position) {
            const Partition p = self.core().partition(position);
            return py::make_tuple(p.samples(), p.batches(), p.padded(), p.dropped());
          },
          py::arg("position"))
      .def(
          "start",
          [](PyLoader& self, uint32_t epoch, int64_t base) { return self.core().start(epoch, base); },
          py::arg("epoch"), py::arg("position"), py::call_guard<ReleasedGil>())
      .def("next", &next_batch, py::arg("run"))
      .def("stats", &stats_of)
      .def(
          "close", [](PyLoader& self) { self.core().close(); }, py::call_guard<ReleasedGil>());
}

}  // namespace fastinet::python
