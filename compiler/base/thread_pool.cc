#include "compiler/base/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

namespace octet {

size_t hardware_threads() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    return static_cast<size_t>(std::max(1, CPU_COUNT(&set)));
  }
  return std::max(1U, std::thread::hardware_concurrency());
}

Status parallel_for(size_t threads, size_t count,
                    const std::function<Status(size_t worker, size_t index)>& work) {
  std::atomic<size_t> next{0};
  std::atomic<size_t> first_failed{SIZE_MAX};
  std::mutex mutex;
  std::optional<Error> error;

  const auto run = [&](size_t worker) {
    for (;;) {
      const size_t index = next++;
      // Indices are handed out in order, so all below a failed one are already with a worker.
      if (index >= count || index > first_failed) return;
      Status status = work(worker, index);
      if (status.ok()) continue;
      const std::lock_guard lock(mutex);
      if (index < first_failed) {
        first_failed = index;
        error = status.error();
      }
    }
  };

  const size_t workers = std::max<size_t>(1, std::min(threads, count));
  std::vector<std::thread> pool;
  for (size_t worker = 1; worker < workers; ++worker) {
    try {
      pool.emplace_back(run, worker);
    } catch (const std::system_error&) {
      break;  // The threads that did start take over the work.
    }
  }
  run(0);
  for (std::thread& thread : pool) thread.join();
  if (error) return *error;
  return {};
}

}  // namespace octet
