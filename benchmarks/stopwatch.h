// CPU time of the calling thread, so that other work on the machine disturbs a figure as little as may be.
#pragma once

#include <time.h>

#include <algorithm>
#include <limits>

namespace fastinet {

inline double thread_seconds() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// The best of `repeats` runs.
template <class Work>
double best_seconds(int repeats, const Work& work) {
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < repeats; ++i) {
    const double start = thread_seconds();
    work();
    best = std::min(best, thread_seconds() - start);
  }
  return best;
}

}  // namespace fastinet
