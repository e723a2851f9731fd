#include <pybind11/stl.h>

#include <string>
#include <vector>

#include "python/bind.h"
#include "simd/level.h"

namespace py = pybind11;

namespace fastinet::python {

void bind_dispatch(py::module_& m) {
  m.def(
      "simd_level", [] { return simd_level_name(simd_level()); },
      "Returns the name of the SIMD level in use: the fastest that this processor can run, or the one that "
      "the\n"
      "environment variable FASTINET_SIMD names.");
  m.def(
      "available_simd_levels",
      [] {
        std::vector<std::string> names;
        for (SimdLevel level : available_simd_levels()) names.emplace_back(simd_level_name(level));
        return names;
      },
      "Returns the names of the SIMD levels that this processor and build can run, from the slowest to the\n"
      "fastest.");
  m.def(
      "set_simd_level", [](const std::string& name) { set_simd_level(parse_simd_level(name)); },
      py::arg("name"),
      "Changes the SIMD level of this process, for objects that are constructed from now on. For tests and\n"
      "benchmarks. Raises UnsupportedError for a level that this processor or build cannot run.");
}

}  // namespace fastinet::python
