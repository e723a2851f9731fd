// CPU time of the calling thread, so that other work on the machine disturbs a figure as little as may be.
#pragma once

#include <time.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <vector>

namespace fastinet {

inline double thread_seconds() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// Pieces of work measured side by side: each in turn, round after round, so that a busy machine burdens all
// alike. What counts is the best round of each.
class Stopwatch {
 public:
  // The work's number, for seconds().
  size_t add(std::function<void()> work) {
    entries_.push_back({std::move(work)});
    return entries_.size() - 1;
  }

  void run(int rounds) {
    for (int round = 0; round < rounds; ++round) {
      for (Entry& entry : entries_) {
        const double start = thread_seconds();
        entry.work();
        entry.best = std::min(entry.best, thread_seconds() - start);
      }
    }
  }

  double seconds(size_t number) const { return entries_[number].best; }

 private:
  struct Entry {
    std::function<void()> work;
    double best = std::numeric_limits<double>::infinity();
  };
  std::vector<Entry> entries_;
};

}  // namespace fastinet
