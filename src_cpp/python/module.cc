// The extension module fastinet._core: one bind function a concept, each in its own file.
#include "python/bind.h"

PYBIND11_MODULE(_core, m) {
  m.doc() = "C++ core of fastinet.";
  fastinet::python::bind_errors(m);
  fastinet::python::bind_dispatch(m);
  fastinet::python::bind_resample(m);
  fastinet::python::bind_image(m);
  fastinet::python::bind_shard(m);
  fastinet::python::bind_loader(m);
  fastinet::python::bind_convert(m);
  fastinet::python::bind_tar(m);
  fastinet::python::bind_image_check(m);
}
