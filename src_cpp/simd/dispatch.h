// Calls of Highway's functions at the current simd_level(). Takes the place of HWY_DYNAMIC_DISPATCH, whose
// choice is one variable of the shared library libhwy: to change it would change it for every other user of
// Highway in the process.
//
//   HWY_EXPORT(square);  // the function in each of the targets that this build has
//   void square(float* values, size_t n) { FASTINET_DISPATCH(square, square_scalar)(values, n); }
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "hwy/targets.h"
#include "simd/level.h"

// The function of the current level: from the table of HWY_EXPORT(EXPORTED), or SCALAR. Highway itself has a
// scalar target on some processors only.
#define FASTINET_DISPATCH(EXPORTED, SCALAR) \
  (*::fastinet::function_of_level(HWY_DISPATCH_TABLE(EXPORTED), SCALAR))

namespace fastinet {

// Highway's target of each SimdLevel.
inline constexpr int64_t kSimdTargets[] = {HWY_SCALAR, HWY_NEON, HWY_AVX2, HWY_AVX3, HWY_AVX3_DL};

template <class Function, size_t kEntries>
Function* function_of_level(Function* const (&table)[kEntries], Function* scalar) {
  const SimdLevel level = simd_level();
  if (level == SimdLevel::kScalar) return scalar;
  if constexpr (kEntries == 1) {  // built for one target
    return table[0];
  } else {
    // As hwy::ChosenTarget::GetIndex() would find the target, were it the only one.
    const int64_t entry = HWY_CHOSEN_TARGET_SHIFT(kSimdTargets[static_cast<int>(level)]);
    return table[std::countr_zero(static_cast<uint64_t>(entry))];
  }
}

}  // namespace fastinet
