// The number of OpenMP threads that oneDNN uses on the calling thread.
#pragma once

#include <omp.h>

#include <algorithm>
#include <climits>
#include <cstddef>

namespace octet::interpreter {

// Sets it for the lifetime of the object. A primitive must be executed with the number it was made
// with.
class ThreadCount {
 public:
  explicit ThreadCount(size_t threads) : before_(omp_get_max_threads()) {
    const size_t most = std::clamp<size_t>(threads, 1, INT_MAX);
    omp_set_num_threads(static_cast<int>(most));
  }
  ~ThreadCount() { omp_set_num_threads(before_); }
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;

 private:
  int before_;
};

}  // namespace octet::interpreter
