// The choice of a SIMD level, and that it is nobody's but ours.
#include "simd/level.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/level_test.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
// After foreach_target.h.
#include "base/error.h"
#include "hwy/highway.h"
#include "simd/dispatch.h"

HWY_BEFORE_NAMESPACE();
namespace fastinet::HWY_NAMESPACE {

inline int64_t compiled_target() { return HWY_TARGET; }

}  // namespace fastinet::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fastinet {
namespace {

HWY_EXPORT(compiled_target);

int64_t scalar_target() { return HWY_SCALAR; }

// What another user of Highway in this process calls.
int64_t target_of_others() { return HWY_DYNAMIC_DISPATCH(compiled_target)(); }
int64_t our_target() { return FASTINET_DISPATCH(compiled_target, scalar_target)(); }

int64_t target(SimdLevel level) { return kSimdTargets[static_cast<int>(level)]; }

// Restores the choices of both.
class SimdLevels : public testing::Test {
 protected:
  ~SimdLevels() override {
    hwy::DisableTargets(0);
    set_simd_level(available_simd_levels().back());
  }
};

TEST_F(SimdLevels, DispatchCallsTheFunctionOfTheCurrentLevel) {
  for (const SimdLevel level : available_simd_levels()) {
    set_simd_level(level);
    EXPECT_EQ(simd_level(), level);
    EXPECT_EQ(our_target(), target(level)) << simd_level_name(level);
  }
}

TEST_F(SimdLevels, OtherUsersOfHighwayKeepTheirTargetWhateverTheLevel) {
  const int64_t best = target(available_simd_levels().back());
  EXPECT_EQ(target_of_others(), best);
  const int64_t supported = hwy::SupportedTargets();
  for (const SimdLevel level : available_simd_levels()) {
    set_simd_level(level);
    EXPECT_EQ(target_of_others(), best) << simd_level_name(level);
    EXPECT_EQ(hwy::SupportedTargets(), supported) << simd_level_name(level);
  }
}

TEST_F(SimdLevels, DoNotChangeWhenAnotherUserOfHighwayDisablesTargets) {
  const auto levels = available_simd_levels();
  set_simd_level(levels.back());
  hwy::DisableTargets(target(levels.back()));
  EXPECT_EQ(available_simd_levels(), levels);
  EXPECT_EQ(our_target(), target(levels.back()));
  if (levels.size() > 1) {
    EXPECT_NE(target_of_others(), target(levels.back()));
  }
}

// In a process of its own, since the levels are found once.
TEST(SimdLevelsDeathTest, TargetsThatWereDisabledBeforeTheFirstUseStaySoForEveryone) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        const int64_t best = hwy::SupportedTargets() & HWY_TARGETS & -(hwy::SupportedTargets() & HWY_TARGETS);
        hwy::DisableTargets(best);
        bool left_out = true;
        for (const SimdLevel level : available_simd_levels()) {
          left_out &= level == SimdLevel::kScalar || target(level) != best;
        }
        const bool baseline = best == HWY_STATIC_TARGET;  // cannot be disabled
        _exit(baseline || (left_out && target_of_others() != best) ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

TEST_F(SimdLevels, ThatDoNotExistAreAnErrorThatListsThoseThatDo) {
  try {
    parse_simd_level("fast");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kArgument);
    EXPECT_STREQ(
        e.what(),
        "unknown SIMD level in FASTINET_SIMD: expected one of scalar, neon, avx2, avx512, avx512icl, "
        "found fast");
  }
}

TEST_F(SimdLevels, ThatThisProcessorCannotRunAreUnsupported) {
  const auto available = available_simd_levels();
  for (const SimdLevel level : {SimdLevel::kNeon, SimdLevel::kAvx2, SimdLevel::kAvx512Icl}) {
    if (std::find(available.begin(), available.end(), level) != available.end()) continue;
    try {
      parse_simd_level(simd_level_name(level));
      FAIL() << simd_level_name(level);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kUnsupported);
      EXPECT_EQ(e.context().found, simd_level_name(level));
      EXPECT_NE(std::string(e.what()).find("this processor or build cannot run the SIMD level"),
                std::string::npos);
    }
    EXPECT_THROW(set_simd_level(level), Error);
  }
}

}  // namespace
}  // namespace fastinet
#endif  // HWY_ONCE
