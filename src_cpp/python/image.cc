// fastinet._core.decode and probe, and Pillow as the core's foreign decoder.
#include "python/image.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "base/error.h"
#include "image/codec/probe.h"
#include "python/bind.h"

namespace py = pybind11;

namespace fastinet::python {
namespace {

using ByteArray = py::array_t<uint8_t, py::array::c_style>;

Bytes bytes_of(const ByteArray& data) { return {data.data(), static_cast<size_t>(data.size())}; }

// fastinet._pillow.decode, or the exception as the core knows it. What is no fault (KeyboardInterrupt,
// SystemExit) passes through.
py::object ask_pillow(const EncodedImage& image) {
  try {
    const py::object decode_image = py::module_::import("fastinet.images.pillow").attr("decode");
    return decode_image(to_python(image.data), image.apply_orientation);
  } catch (const py::error_already_set& error) {
    if (error.matches(PyExc_MemoryError)) throw std::bad_alloc();
    if (error.matches(PyExc_Exception)) throw Error(ErrorKind::kDecode, error.what());
    throw;
  }
}

RgbImage decode_with_pillow(const EncodedImage& image) {
  const py::gil_scoped_acquire gil;
  const py::object result = ask_pillow(image);
  if (py::isinstance<py::str>(result)) throw Error(ErrorKind::kDecode, result.cast<std::string>());
  const auto [height, width, pixels] = result.cast<std::tuple<int, int, py::bytes>>();
  const std::string_view view = pixels;
  RgbImage rgb{{height, width}, {}};
  rgb.pixels.assign(view.begin(), view.end());
  return rgb;
}

// The scratch of decode() outlives the call; one a thread.
ImageDecoder& thread_decoder() {
  thread_local ImageDecoder decoder(OutputFormat{}, pillow_decoder());
  return decoder;
}

// Resizing goes through an image of the crop's height and the result's width.
void require_bounded(const Geometry& g) {
  const int64_t result = int64_t{g.size.height} * g.size.width;
  const int64_t between = int64_t{g.crop.height} * g.size.width;
  if (std::max(result, between) <= kMaxImagePixels) return;
  throw Error(
      ErrorKind::kArgument, "size of the resized crop is too large",
      {.expected = "at most " + std::to_string(kMaxImagePixels) +
                   " pixels in it, and in the crop's height by its width",
       .found = "height " + std::to_string(g.size.height) + ", width " + std::to_string(g.size.width) +
                " from a crop of height " + std::to_string(g.crop.height)});
}

// crop None: the whole image. size None: the crop's.
py::array_t<uint8_t> decode(const ByteArray& data, std::optional<std::array<int, 4>> crop,
                            std::optional<std::array<int, 2>> size, bool flip,
                            const std::string& interpolation, bool apply_orientation, bool dct_scaling) {
  ImageDecoder& decoder = thread_decoder();
  const EncodedImage image{bytes_of(data), {}, apply_orientation};

  Geometry geometry;
  if (crop) {
    geometry.crop = {(*crop)[0], (*crop)[1], (*crop)[2], (*crop)[3]};
  } else {
    const py::gil_scoped_release release;
    const Size whole = decoder.info(image).size;
    geometry.crop = {0, 0, whole.height, whole.width};
  }
  geometry.size = size ? Size{(*size)[0], (*size)[1]} : Size{geometry.crop.height, geometry.crop.width};
  geometry.view = {0, 0, geometry.size.height, geometry.size.width};
  geometry.flip = flip;
  geometry.interpolation = interpolation == "bicubic" ? Interpolation::kBicubic : Interpolation::kBilinear;

  geometry.dct_scaling = dct_scaling;
  if (size) require_bounded(geometry);

  py::array_t<uint8_t> out({geometry.size.height, geometry.size.width, 3});
  void* const pixels = out.mutable_data();
  const py::gil_scoped_release release;
  decoder.decode(image, geometry, pixels);
  return out;
}

py::tuple image_size(const ByteArray& data, bool apply_orientation) {
  const EncodedImage image{bytes_of(data), {}, apply_orientation};
  const Size size = [&] {
    const py::gil_scoped_release release;
    return thread_decoder().info(image).size;
  }();
  return py::make_tuple(size.height, size.width);
}

py::dict decode_counts() {
  const DecodeCounts& counts = thread_decoder().counts();
  py::dict d;
  d["fast"] = counts.fast;
  d["turbo"] = counts.turbo;
  d["foreign"] = counts.foreign;
  return d;
}

py::dict probe_to_dict(const ByteArray& data) {
  const ProbeResult result = [&] {
    const py::gil_scoped_release release;
    return probe(bytes_of(data));
  }();
  py::dict d;
  d["format"] = name(result.encoding);
  d["regular"] = result.regular;
  d["irregular"] = result.irregular;
  d["height"] = result.size.height;
  d["width"] = result.size.width;
  d["broken_exif"] = result.broken_exif;
  d["orientation"] = result.orientation;
  d["components"] = result.components;
  d["baseline"] = result.baseline;
  d["progressive"] = result.progressive;
  d["complete"] = result.complete;
  d["sound"] = result.sound;
  d["entry_points"] =
      py::bytes(reinterpret_cast<const char*>(result.entry_points.data()), result.entry_points.size());
  return d;
}

}  // namespace

py::bytes to_python(Bytes data) {
  PyObject* const copy = PyBytes_FromStringAndSize(reinterpret_cast<const char*>(data.data()),
                                                   static_cast<Py_ssize_t>(data.size()));
  if (copy == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::bytes>(copy);
}

ForeignDecoder pillow_decoder() { return decode_with_pillow; }

void bind_image(py::module_& m) {
  m.attr("MAX_IMAGE_PIXELS") = kMaxImagePixels;
  m.def("decode", &decode, py::arg("data"), py::arg("crop"), py::arg("size"), py::arg("flip"),
        py::arg("interpolation"), py::arg("apply_orientation"), py::arg("dct_scaling") = false);
  m.def("image_size", &image_size, py::arg("data"), py::arg("apply_orientation"));
  m.def("decode_counts", &decode_counts);
  m.def("probe", &probe_to_dict, py::arg("data"));
}

}  // namespace fastinet::python
