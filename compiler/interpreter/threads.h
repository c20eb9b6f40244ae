// The number of OpenMP threads that oneDNN uses on the calling thread.
#pragma once

#include <algorithm>
#include <climits>
#include <cstddef>

// OpenMP 4.5, sections 3.2.1 and 3.2.3. Not by way of omp.h: each compiler has one of its own, and
// clang-tidy reads neither g++'s nor, where libomp is not installed, any other.
extern "C" int omp_get_max_threads();
extern "C" void omp_set_num_threads(int);

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
