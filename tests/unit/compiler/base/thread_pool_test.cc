#include "compiler/base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace octet {
namespace {

TEST(ParallelFor, VisitsEveryIndexOnce) {
  for (const size_t threads : {size_t{0}, size_t{1}, size_t{3}, size_t{64}}) {
    std::vector<std::atomic<int>> visits(1000);
    ASSERT_TRUE(parallel_for(threads, visits.size(), [&](size_t, size_t index) -> Status {
                  ++visits[index];
                  return {};
                }).ok());
    for (const auto& count : visits) EXPECT_EQ(count, 1);
  }
  EXPECT_TRUE(parallel_for(4, 0, [](size_t, size_t) -> Status { return bad_data("called"); }).ok());
}

TEST(ParallelFor, NeverRunsOneWorkerTwiceAtATime) {
  std::vector<std::atomic<int>> busy(4);
  const Status status = parallel_for(4, 2000, [&](size_t worker, size_t) -> Status {
    if (worker >= busy.size()) return internal_error("worker ", worker);
    if (busy[worker]++ != 0) return internal_error("overlap");
    --busy[worker];
    return {};
  });
  EXPECT_TRUE(status.ok());
}

TEST(ParallelFor, ReturnsTheErrorOfTheLowestIndexWhateverTheTiming) {
  for (int round = 0; round < 20; ++round) {
    const Status status = parallel_for(4, 200, [&](size_t, size_t index) -> Status {
      if (index % 50 != 17) return {};
      // The lowest failing index is the slowest to fail.
      if (index == 17) std::this_thread::sleep_for(std::chrono::milliseconds(2));
      return bad_data("index ", index);
    });
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().message(), "index 17");
  }
}

TEST(HardwareThreads, IsAtLeastOne) { EXPECT_GE(hardware_threads(), 1U); }

}  // namespace
}  // namespace octet
