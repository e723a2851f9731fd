// The resampler alone, on an array instead of a JPEG: for tests against Pillow and torch.
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "image/pixel_pipeline.h"
#include "image/resample/resampler.h"
#include "python/bind.h"

namespace py = pybind11;

namespace fastinet::python {
namespace {

using Four = std::array<int, 4>;
using Pixels = py::array_t<uint8_t, py::array::c_style | py::array::forcecast>;

Rect rect(const Four& r) { return {r[0], r[1], r[2], r[3]}; }

template <class T>
T choose(const std::string& what, const std::string& name,
         std::initializer_list<std::pair<const char*, T>> choices) {
  std::string expected;
  for (const auto& [choice, value] : choices) {
    if (name == choice) return value;
    expected += (expected.empty() ? "" : " or ") + std::string(choice);
  }
  throw Error(ErrorKind::kArgument, "unknown " + what, {.expected = expected, .found = name});
}

OutputFormat output_format(const std::string& dtype, const std::string& layout,
                           const std::optional<std::array<float, 3>>& mean,
                           const std::optional<std::array<float, 3>>& std_) {
  OutputFormat format;
  format.dtype = choose<DType>(
      "dtype", dtype, {{"uint8", DType::kUint8}, {"float16", DType::kFloat16}, {"float32", DType::kFloat32}});
  format.layout = choose<Layout>("layout", layout, {{"NCHW", Layout::kNCHW}, {"NHWC", Layout::kNHWC}});
  format.normalize = mean.has_value() || std_.has_value();
  if (format.normalize) {
    format.mean = mean.value_or(std::array<float, 3>{0, 0, 0});
    format.std = std_.value_or(std::array<float, 3>{1, 1, 1});
  }
  return format;
}

// Only the source region of the image, in planes of its own, so that reading outside of it shows.
struct PlanarCopy {
  PlanarCopy(const Pixels& image, const Rect& region) {
    const bool gray = image.ndim() == 2;
    planes.channels = gray ? 1 : 3;
    planes.region = region;
    planes.stride = region.width + static_cast<ptrdiff_t>(Planes::kReadPadding);
    const size_t size = planes.stride * region.height;
    samples.assign(size * planes.channels, 0xA5);
    const ptrdiff_t pixel = planes.channels;
    for (int c = 0; c < 3; ++c) {
      uint8_t* const plane = samples.data() + (gray ? 0 : c * size);
      planes.plane[c] = plane;
      if (gray && c > 0) continue;
      for (int y = 0; y < region.height; ++y) {
        const uint8_t* const row =
            image.data() + ((region.top + y) * image.shape(1) + region.left) * pixel + c;
        for (int x = 0; x < region.width; ++x) plane[y * planes.stride + x] = row[x * pixel];
      }
    }
  }

  std::vector<uint8_t> samples;
  Planes planes;
};

py::array resample(const Pixels& image, const Four& crop, std::array<int, 2> size, const Four& view,
                   bool flip, const std::string& interpolation, const std::string& dtype,
                   const std::string& layout, const std::optional<std::array<float, 3>>& mean,
                   const std::optional<std::array<float, 3>>& std_) {
  if (image.ndim() != 2 && !(image.ndim() == 3 && image.shape(2) == 3)) {
    throw Error(ErrorKind::kArgument, "the image has a wrong shape",
                {.expected = "(height, width) or (height, width, 3)",
                 .found = std::to_string(image.ndim()) + " axes"});
  }
  const Geometry geometry{
      rect(crop),
      {size[0], size[1]},
      rect(view),
      flip,
      choose<Interpolation>("interpolation", interpolation,
                            {{"bilinear", Interpolation::kBilinear}, {"bicubic", Interpolation::kBicubic}})};
  const Rect& c = geometry.crop;
  if (c.top < 0 || c.left < 0 || c.height < 1 || c.width < 1 || c.bottom() > image.shape(0) ||
      c.right() > image.shape(1) || size[0] < 1 || size[1] < 1 || view[2] < 0 || view[3] < 0) {
    throw Error(ErrorKind::kArgument, "the geometry does not fit the image",
                {.expected = "a crop within the image, a size of 1 or more"});
  }
  const OutputFormat format = output_format(dtype, layout, mean, std_);
  PixelPipeline pixels(format);
  const std::vector<py::ssize_t> shape = format.layout == Layout::kNCHW
                                             ? std::vector<py::ssize_t>{3, view[2], view[3]}
                                             : std::vector<py::ssize_t>{view[2], view[3], 3};
  py::array out(py::dtype(dtype), shape);
  const PlanarCopy source(image, source_region(geometry));
  {
    const py::gil_scoped_release release;
    pixels.run(source.planes, geometry, {}, out.mutable_data());
  }
  return out;
}

}  // namespace

void bind_resample(py::module_& m) {
  // "Pillow's pixels" are those of the Pillow that is installed, as they are for torchvision.
  const auto pillow = py::module_::import("PIL").attr("__version__").cast<std::string>();
  follow_pillow(std::stoi(pillow));
  m.def("resample", &resample, py::arg("image"), py::arg("crop"), py::arg("size"), py::arg("view"),
        py::arg("flip") = false, py::arg("interpolation") = "bilinear", py::arg("dtype") = "uint8",
        py::arg("layout") = "NHWC", py::arg("mean") = py::none(), py::arg("std") = py::none(),
        "Resamples the crop (top, left, height, width) of an (H, W, 3) or gray (H, W) uint8 image to `size`\n"
        "(height, width) and returns the view (top, left, height, width) of it, flipped last.");
}

}  // namespace fastinet::python
