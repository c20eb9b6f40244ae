#include "compiler/base/checked.h"

#include <gtest/gtest.h>

#include <vector>

#include "compiler/base/id.h"

namespace octet {
namespace {

TEST(Checked, GivesNothingOnOverflow) {
  EXPECT_EQ(checked_add(2, 3), 5);
  EXPECT_EQ(checked_add(INT64_MAX, 1), std::nullopt);
  EXPECT_EQ(checked_add(INT64_MIN, -1), std::nullopt);
  EXPECT_EQ(checked_sub(INT64_MIN, 1), std::nullopt);
  EXPECT_EQ(checked_sub(0, INT64_MIN), std::nullopt);
  EXPECT_EQ(checked_mul(int64_t{1} << 32, int64_t{1} << 31), std::nullopt);
  EXPECT_EQ(checked_mul(INT64_MIN, -1), std::nullopt);
  EXPECT_EQ(checked_mul(-3, 4), -12);
}

TEST(CheckedProduct, RefusesOverflowAndNegativeExtents) {
  const auto product = [](std::vector<int64_t> extents) { return checked_product(extents); };
  EXPECT_EQ(product({}), 1);
  EXPECT_EQ(product({2, 3, 4}), 24);
  EXPECT_EQ(product({-1}), std::nullopt);
  EXPECT_EQ(product({int64_t{1} << 32, int64_t{1} << 32}), std::nullopt);
}

TEST(CheckedProduct, IsZeroWithAZeroExtentWhateverTheOthersAre) {
  const std::vector<int64_t> huge = {INT64_MAX, INT64_MAX, 0};
  EXPECT_EQ(checked_product(huge), 0);
  const std::vector<int64_t> negative = {0, -1};
  EXPECT_EQ(checked_product(negative), std::nullopt);
}

TEST(Id, IsInvalidUntilSetAndOrdered) {
  struct Tag;
  using TestId = Id<Tag>;
  EXPECT_FALSE(TestId().valid());
  EXPECT_TRUE(TestId(size_t{3}).valid());
  EXPECT_LT(TestId(size_t{3}), TestId(size_t{4}));
  EXPECT_EQ(TestId(int32_t{3}).index(), 3U);
}

}  // namespace
}  // namespace octet
