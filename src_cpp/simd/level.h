// Which vector instructions the image kernels use. One build holds them all; the best that the processor has
// is chosen when the first kernel is asked for, or the one named by the environment variable FASTINET_SIMD:
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

// What this processor and build can run, worst first; kScalar always.
std::vector<SimdLevel> available_simd_levels();

// Throws Error{kArgument} for a name that is not one of the above, Error{kUnsupported} for a level that is
// not available here.
SimdLevel parse_simd_level(std::string_view name);

// The level in use. The first call settles it (thread-safe) and configures Highway's dynamic dispatch, so
// REQUIRES: called before any HWY_DYNAMIC_DISPATCH. Highway may lack a scalar target (Arm), so a kernel's
// entry point returns its scalar functions itself when the level is kScalar. Throws as parse_simd_level if
// FASTINET_SIMD is wrong.
SimdLevel simd_level();

// For tests and benchmarks: changes the level of whatever is constructed from now on. Throws
// Error{kUnsupported} for a level that is not available.
void set_simd_level(SimdLevel level);

}  // namespace fastinet
