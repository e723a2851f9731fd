#include "simd/level.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mutex>

#include "base/error.h"
#include "simd/dispatch.h"

namespace fastinet {
namespace {

constexpr const char* kVariable = "FASTINET_SIMD";

struct Level {
  SimdLevel level;
  const char* name;
};

constexpr Level kLevels[] = {
    {SimdLevel::kScalar, "scalar"}, {SimdLevel::kNeon, "neon"},           {SimdLevel::kAvx2, "avx2"},
    {SimdLevel::kAvx512, "avx512"}, {SimdLevel::kAvx512Icl, "avx512icl"},
};

const Level& find(SimdLevel level) { return kLevels[static_cast<int>(level)]; }

// The targets that this processor has, without those that the process had disabled by hwy::DisableTargets()
// before the first call. Later calls return the same.
int64_t supported_targets() {
  static const int64_t targets = [] {
    const int64_t supported = hwy::SupportedTargets();
    // SupportedTargets() leaves its own choice of a target to all users of libhwy, and overlooks the disabled
    // ones in that. This makes the choice that HWY_DYNAMIC_DISPATCH makes after the same call.
    hwy::GetChosenTarget().Update(supported);
    return supported;
  }();
  return targets;
}

bool available(const Level& level) {
  if (level.level == SimdLevel::kScalar) return true;
  return (supported_targets() & HWY_TARGETS & kSimdTargets[static_cast<int>(level.level)]) != 0;
}

std::string names(const std::vector<SimdLevel>& levels) {
  std::string joined;
  for (SimdLevel level : levels) joined += (joined.empty() ? "" : ", ") + std::string(simd_level_name(level));
  return joined;
}

std::mutex mutex;
std::atomic<int> current{-1};

SimdLevel initial_level() {
  const char* value = std::getenv(kVariable);
  if (value == nullptr || *value == '\0') return available_simd_levels().back();
  return parse_simd_level(value);
}

}  // namespace

const char* simd_level_name(SimdLevel level) { return find(level).name; }

std::vector<SimdLevel> available_simd_levels() {
  std::vector<SimdLevel> levels;
  for (const Level& level : kLevels) {
    if (available(level)) levels.push_back(level.level);
  }
  return levels;
}

SimdLevel parse_simd_level(std::string_view name) {
  for (const Level& level : kLevels) {
    if (name != level.name) continue;
    if (available(level)) return level.level;
    throw Error(ErrorKind::kUnsupported,
                std::string("this processor or build cannot run the SIMD level of ") + kVariable,
                {.expected = "one of " + names(available_simd_levels()), .found = level.name});
  }
  std::vector<SimdLevel> all;
  for (const Level& level : kLevels) all.push_back(level.level);
  throw Error(ErrorKind::kArgument, std::string("unknown SIMD level in ") + kVariable,
              {.expected = "one of " + names(all), .found = std::string(name)});
}

SimdLevel simd_level() {
  int level = current.load(std::memory_order_acquire);
  if (level < 0) {
    const std::lock_guard lock(mutex);
    level = current.load(std::memory_order_relaxed);
    if (level < 0) {
      level = static_cast<int>(initial_level());
      current.store(level, std::memory_order_release);
    }
  }
  return static_cast<SimdLevel>(level);
}

void set_simd_level(SimdLevel level) {
  const std::lock_guard lock(mutex);
  if (!available(find(level))) {
    throw Error(ErrorKind::kUnsupported, "this processor or build cannot run the SIMD level",
                {.expected = "one of " + names(available_simd_levels()), .found = simd_level_name(level)});
  }
  current.store(static_cast<int>(level), std::memory_order_release);
}

}  // namespace fastinet
