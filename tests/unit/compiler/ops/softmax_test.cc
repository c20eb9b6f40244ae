#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/op_runner.h"

namespace octet::ops {
namespace {

using ir::Tensor;
using octet::testing::run_op;
using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::HasSubstr;
using ::testing::Pointwise;

std::vector<float> floats(const octet::testing::OpResult& result) {
  EXPECT_EQ(result.error, "");
  const auto data = result.tensor.data<float>();
  return {data.begin(), data.end()};
}

TEST(Softmax, FlattensTrailingAxesBefore13) {
  const Tensor x = Tensor::of<float>({1, 2, 2}, {0, 0, 0, 0});
  EXPECT_THAT(floats(run_op({"Softmax", {x}, {}, 11})),
              ElementsAre(0.25F, 0.25F, 0.25F, 0.25F));  // axis 1 and what follows
  EXPECT_THAT(floats(run_op({"Softmax", {x}, {}, 13})), ElementsAre(0.5F, 0.5F, 0.5F, 0.5F));
  EXPECT_THAT(floats(run_op({"Softmax", {x}, {{"axis", int64_t{0}}}, 13})),
              ElementsAre(1.0F, 1.0F, 1.0F, 1.0F));
  EXPECT_THAT(floats(run_op({"Softmax", {x}, {{"axis", int64_t{-1}}}, 11})),
              ElementsAre(0.5F, 0.5F, 0.5F, 0.5F));
}

TEST(Softmax, OfAVectorWithTheOldDefaultAxisIsAColumnOfOnes) {
  EXPECT_THAT(floats(run_op({"Softmax", {Tensor::of<float>({2}, {1, 5})}, {}, 9})),
              ElementsAre(1.0F, 1.0F));
}

TEST(Softmax, DoesNotOverflow) {
  const Tensor x = Tensor::of<float>({1, 3}, {10000.0F, 10000.0F, -10000.0F});
  EXPECT_THAT(floats(run_op({"Softmax", {x}})), ElementsAre(0.5F, 0.5F, 0.0F));
  const auto logs = floats(run_op({"LogSoftmax", {x}}));
  EXPECT_FLOAT_EQ(logs[0], -std::log(2.0F));
  EXPECT_FLOAT_EQ(logs[2], -20000.0F - std::log(2.0F));
}

TEST(Softmax, RunsAlongAnInnerAxis) {
  const Tensor x = Tensor::of<float>({2, 2}, {0, 1, std::log(3.0F), 1});
  EXPECT_THAT(floats(run_op({"Softmax", {x}, {{"axis", int64_t{0}}}})),
              Pointwise(FloatNear(1e-6F), {0.25F, 0.5F, 0.75F, 0.5F}));
}

TEST(Softmax, RefusesAnAxisOutsideTheRank) {
  EXPECT_THAT(run_op({"Softmax", {Tensor::of<float>({1}, {1})}, {{"axis", int64_t{2}}}}).error,
              HasSubstr("axis 2 for a rank of 1"));
}

TEST(Softmax, TakesEmptyTensors) {
  EXPECT_EQ(floats(run_op({"Softmax", {Tensor::of<float>({2, 0}, {})}})).size(), 0U);
  EXPECT_EQ(floats(run_op({"Softmax", {Tensor::of<float>({0, 3}, {})}, {}, 11})).size(), 0U);
}

TEST(Hardmax, TakesTheFirstOfEqualMaxima) {
  const Tensor x = Tensor::of<float>({2, 3}, {3, 3, 1, 0, 1, 1});
  EXPECT_THAT(floats(run_op({"Hardmax", {x}})), ElementsAre(1, 0, 0, 0, 1, 0));
}

}  // namespace
}  // namespace octet::ops
