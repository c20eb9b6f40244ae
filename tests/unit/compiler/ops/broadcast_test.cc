#include "compiler/ops/broadcast.h"

#include <gtest/gtest.h>

namespace octet::ops {
namespace {

using ir::Dim;
using ir::Shape;

TEST(BroadcastShapes, FollowNumpy) {
  EXPECT_EQ(*broadcast_extents(std::vector<int64_t>{2, 3, 4}, std::vector<int64_t>{3, 1}),
            (std::vector<int64_t>{2, 3, 4}));
  EXPECT_EQ(*broadcast_extents(std::vector<int64_t>{}, std::vector<int64_t>{5}),
            (std::vector<int64_t>{5}));
  EXPECT_EQ(*broadcast_extents(std::vector<int64_t>{0}, std::vector<int64_t>{1}),
            (std::vector<int64_t>{0}));
  EXPECT_EQ(*broadcast_extents(std::vector<int64_t>{4, 1}, std::vector<int64_t>{1, 0}),
            (std::vector<int64_t>{4, 0}));
}

TEST(BroadcastShapes, RefuseExtentsThatDiffer) {
  auto result = broadcast_extents(std::vector<int64_t>{2, 3}, std::vector<int64_t>{2});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), ErrorCode::kMalformed);
  EXPECT_EQ(result.error().message(), "shapes [2,3] and [2] do not broadcast");
  EXPECT_FALSE(broadcast_extents(std::vector<int64_t>{0}, std::vector<int64_t>{2}).ok());
}

TEST(BroadcastShapes, KeepWhatIsKnownOfSymbolicExtents) {
  const Dim n = Dim::named("N");
  auto shape = broadcast_shapes(Shape({n, Dim(1), Dim(4), Dim()}),
                                Shape({n, Dim::named("C"), Dim(), Dim()}));
  EXPECT_EQ(*shape, Shape({n, Dim::named("C"), Dim(4), Dim()}));
  EXPECT_EQ(*broadcast_dim(n, Dim::named("M")), Dim());
  EXPECT_EQ(*broadcast_dim(n, Dim(7)), Dim(7));
  EXPECT_EQ(*broadcast_dim(n, Dim(1)), n);
  EXPECT_FALSE(broadcast_shapes(Shape(), Shape({n}))->has_rank());
}

TEST(BroadcastPlan, JoinsAxesIntoOneRunForEqualShapes) {
  const std::vector<int64_t> shape = {2, 3, 4};
  const auto plan = make_broadcast_plan<2>(shape, {shape, shape});
  EXPECT_TRUE(plan.extents.empty());
  EXPECT_EQ(plan.run, 24);
  EXPECT_EQ(plan.run_stride, (std::array<int64_t, 2>{1, 1}));
}

TEST(BroadcastPlan, HasOneRunPerChannelForAPerChannelOperand) {
  const std::vector<int64_t> shape = {2, 3, 4, 5};
  const auto plan = make_broadcast_plan<2>(shape, {shape, {3, 1, 1}});
  EXPECT_EQ(plan.extents, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(plan.run, 20);
  EXPECT_EQ(plan.run_stride, (std::array<int64_t, 2>{1, 0}));
}

// Every element's operand offsets against the definition.
void expect_offsets(const std::vector<int64_t>& to, const std::vector<int64_t>& from) {
  const auto plan = make_broadcast_plan<1>(to, {from});
  const auto strides = broadcast_strides(from, to);
  const auto own = row_major_strides(to);
  int64_t next = 0;
  for_each_run(plan, [&](int64_t out, const std::array<int64_t, 1>& offset) {
    ASSERT_EQ(out, next);
    for (int64_t i = 0; i < plan.run; ++i, ++next) {
      int64_t expected = 0;
      for (size_t axis = 0; axis < to.size(); ++axis) {
        expected += next / own[axis] % to[axis] * strides[axis];
      }
      ASSERT_EQ(offset[0] + i * plan.run_stride[0], expected);
    }
  });
  int64_t total = 1;
  for (int64_t extent : to) total *= extent;
  EXPECT_EQ(next, total);
}

TEST(BroadcastPlan, VisitsEveryElementOnce) {
  expect_offsets({}, {});
  expect_offsets({1, 1}, {});
  expect_offsets({2, 3}, {});
  expect_offsets({2, 3, 4, 5}, {3, 1, 5});
  expect_offsets({2, 3, 4, 5}, {2, 1, 4, 1});
  expect_offsets({2, 1, 4, 1, 3}, {4, 1, 1});
  expect_offsets({2, 1, 4, 1, 3}, {2, 1, 1, 1, 3});
  expect_offsets({2, 0, 4}, {4});
  expect_offsets({0}, {1});
}

}  // namespace
}  // namespace octet::ops
