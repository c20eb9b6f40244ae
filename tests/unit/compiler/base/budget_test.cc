#include "compiler/base/budget.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace octet {
namespace {

TEST(MemoryBudget, RefusesWhatDoesNotFitAndChargesNothingThen) {
  MemoryBudget budget(100);
  EXPECT_TRUE(budget.charge(60).ok());
  const Status refused = budget.charge(41);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::kResourceLimit);
  EXPECT_EQ(budget.used(), 60);
  EXPECT_TRUE(budget.charge(40).ok());
  budget.release(100);
  EXPECT_EQ(budget.used(), 0);
}

TEST(MemoryBudget, RefusesNegativeAndOverflowingCharges) {
  MemoryBudget budget(100);
  EXPECT_TRUE(budget.charge(50).ok());
  EXPECT_FALSE(budget.charge(-1).ok());
  EXPECT_FALSE(budget.charge(INT64_MAX).ok());
  EXPECT_EQ(budget.used(), 50);
}

TEST(MemoryBudget, NeverPassesTheLimitFromManyThreads) {
  MemoryBudget budget(1000);
  std::atomic<int> granted{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) granted += budget.charge(1).ok() ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(granted, 1000);
  EXPECT_EQ(budget.used(), 1000);
}

TEST(MemoryBudget, HasADefaultWithinTheMachine) {
  EXPECT_GT(MemoryBudget::default_limit_bytes(), 0);
  EXPECT_LE(MemoryBudget::default_limit_bytes(), int64_t{8} << 30);
}

}  // namespace
}  // namespace octet
