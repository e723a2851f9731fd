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
      "Name of the SIMD level in use: the processor's best, or the one that FASTINET_SIMD names.");
  m.def(
      "available_simd_levels",
      [] {
        std::vector<std::string> names;
        for (SimdLevel level : available_simd_levels()) names.emplace_back(simd_level_name(level));
        return names;
      },
      "Names of the SIMD levels that this processor and build can run, worst first.");
  m.def(
      "set_simd_level", [](const std::string& name) { set_simd_level(parse_simd_level(name)); },
      py::arg("name"), "Changes the level of whatever is constructed from now on; for tests and benchmarks.");
}

}  // namespace fastinet::python
