// The vector instructions that the image kernels use. One build holds all levels. The process uses the best
// one that its processor has, or the one that the environment variable FASTINET_SIMD names:
//
//   scalar     plain C++, the reference that the others are tested against
//   neon       Arm Advanced SIMD
//   avx2       AVX2 with FMA and F16C (Haswell)
//   avx512     AVX-512 F, BW, DQ, VL (Skylake-X)
//   avx512icl  the same with VNNI, VBMI, VBMI2, ... (Ice Lake, Zen 4)
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fastinet {

enum class SimdLevel { kScalar, kNeon, kAvx2, kAvx512, kAvx512Icl };

const char* simd_level_name(SimdLevel level);

// The levels that this processor and build can run, from the slowest to the fastest; always with kScalar.
// Targets that another user of Highway in the process had disabled (hwy::DisableTargets) before the first
// call are left out; those that are disabled later are not.
std::vector<SimdLevel> available_simd_levels();

// Throws Error{kArgument} for a name that is not one of the above, Error{kUnsupported} for a level that this
// processor or build cannot run.
SimdLevel parse_simd_level(std::string_view name);

// The level in use. It belongs to fastinet alone: Highway's own choice, which all its users in the process
// share, stays as it is. The first call reads FASTINET_SIMD, and throws as parse_simd_level() if that is
// wrong. Thread-safe.
SimdLevel simd_level();

// For tests and benchmarks: changes the level, process-wide, of objects that are constructed and of functions
// that are called from now on. Throws Error{kUnsupported} for a level that is not available. Thread-safe.
void set_simd_level(SimdLevel level);

}  // namespace fastinet
