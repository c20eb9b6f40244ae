// ConvInteger, MatMulInteger, QLinearConv, QLinearMatMul.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/op_runner.h"

namespace octet::ops {
namespace {

using ir::DType;
using ir::Tensor;
using octet::testing::infer_op;
using octet::testing::OpCase;
using octet::testing::Operand;
using octet::testing::run_op;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Ints = std::vector<int64_t>;

std::vector<int64_t> ints(const octet::testing::OpResult& result) {
  EXPECT_EQ(result.error, "");
  return result.tensor.to_int64s();
}

Tensor u8(Ints shape, const std::vector<uint8_t>& values) {
  return Tensor::of<uint8_t>(std::move(shape), values);
}
Tensor s8(Ints shape, const std::vector<int8_t>& values) {
  return Tensor::of<int8_t>(std::move(shape), values);
}

TEST(MatMulInteger, SubtractsZeroPoints) {
  const Tensor a = u8({4, 3}, {11, 7, 3, 10, 6, 2, 9, 5, 1, 8, 4, 0});
  const Tensor b = u8({3, 2}, {1, 4, 2, 5, 3, 6});
  EXPECT_THAT(ints(run_op({"MatMulInteger", {a, b, u8({}, {12}), u8({}, {0})}})),
              ElementsAre(-38, -83, -44, -98, -50, -113, -56, -128));
  EXPECT_THAT(ints(run_op({"MatMulInteger", {u8({1, 1}, {3}), s8({1, 1}, {-2})}})),
              ElementsAre(-6));
}

TEST(MatMulInteger, TakesZeroPointsPerRowAndColumn) {
  const Tensor a = u8({2, 1}, {10, 20});
  const Tensor b = u8({1, 2}, {5, 7});
  EXPECT_THAT(ints(run_op({"MatMulInteger", {a, b, u8({2}, {1, 2}), u8({2}, {3, 4})}})),
              ElementsAre(18, 27, 36, 54));
  EXPECT_THAT(ints(run_op({"MatMulInteger", {a, b, u8({2, 1}, {1, 2}), u8({1, 2}, {3, 4})}})),
              ElementsAre(18, 27, 36, 54));
  EXPECT_THAT(run_op({"MatMulInteger", {a, b, u8({3}, {1, 2, 3})}}).error,
              HasSubstr("zero points of shape [3]"));
  EXPECT_THAT(run_op({"MatMulInteger", {a, b, s8({}, {1})}}).error,
              HasSubstr("is uint8 and its zero point int8"));
}

TEST(ConvInteger, PadsWithTheZeroPoint) {
  const Tensor x = u8({1, 1, 3, 3}, {2, 3, 4, 5, 6, 7, 8, 9, 10});
  const Tensor w = u8({1, 1, 2, 2}, {1, 1, 1, 1});
  EXPECT_THAT(ints(run_op({"ConvInteger", {x, w, u8({}, {1})}})), ElementsAre(12, 16, 24, 28));
  EXPECT_THAT(ints(run_op({"ConvInteger", {x, w, u8({}, {1})}, {{"pads", Ints{1, 1, 1, 1}}}})),
              ElementsAre(1, 3, 5, 3, 5, 12, 16, 9, 11, 24, 28, 15, 7, 15, 17, 9));
}

OpCase qlinear_conv(Tensor w_scale, Tensor w_zero, Tensor bias, Tensor y_zero) {
  return {"QLinearConv",
          {u8({1, 1, 1, 2}, {11, 12}), Tensor::scalar(0.5F), u8({}, {10}),
           s8({2, 1, 1, 1}, {3, -4}), std::move(w_scale), std::move(w_zero), Tensor::scalar(1.0F),
           std::move(y_zero), std::move(bias)}};
}

TEST(QLinearConv, RequantizesPerChannelHalfToEvenBeforeTheZeroPoint) {
  // Sums: 3 6 | -4 -8; with bias: 4 7 | -3 -7; multipliers 0.5 and 0.25.
  const auto c = qlinear_conv(Tensor::of<float>({2}, {1.0F, 0.5F}), s8({2}, {0, 0}),
                              Tensor::of<int32_t>({2}, {1, 1}), u8({}, {101}));
  EXPECT_THAT(ints(run_op(c)), ElementsAre(103, 105, 100, 99));  // 2 4(3.5) -1(-.75) -2(-1.75)
}

TEST(QLinearConv, HasZeroPointsPerChannel) {
  // w less zero point: 2, -6.
  const auto c = qlinear_conv(Tensor::scalar(2.0F), s8({2}, {1, 2}),
                              Tensor::of<int32_t>({2}, {0, 0}), s8({}, {0}));
  EXPECT_THAT(ints(run_op(c)), ElementsAre(2, 4, -6, -12));
}

TEST(QLinearConv, ChecksItsParameters) {
  auto c = qlinear_conv(Tensor::of<float>({3}, {1, 1, 1}), s8({}, {0}),
                        Tensor::of<int32_t>({2}, {0, 0}), u8({}, {0}));
  EXPECT_EQ(run_op(c).error, "input 4: 3 scales for an axis of extent 2 [Q4]");
  c = qlinear_conv(Tensor::scalar(1.0F), s8({3}, {0, 0, 0}), Tensor::of<int32_t>({2}, {0, 0}),
                   u8({}, {0}));
  EXPECT_NE(run_op(c).error, "");
  c = qlinear_conv(Tensor::scalar(1.0F), s8({}, {0}), Tensor::of<int32_t>({1}, {0}), u8({}, {0}));
  EXPECT_THAT(run_op(c).error, HasSubstr("1 numbers for 2 output channels"));
}

TEST(QLinearConv, GivesItsOutputQuantParams) {
  auto c = qlinear_conv(Tensor::scalar(1.0F), s8({}, {0}), Tensor::of<int32_t>({2}, {0, 0}),
                        u8({}, {9}));
  c.operands[6].constant = true;
  c.operands[7].constant = true;
  auto facts = infer_op(c);
  ASSERT_TRUE(facts.ok());
  EXPECT_EQ((*facts)[0].type.storage, DType::kUint8);
  ASSERT_TRUE((*facts)[0].type.quant.has_value());
  EXPECT_THAT((*facts)[0].type.quant->zero_points(), ElementsAre(9));
}

OpCase qlinear_matmul(Tensor a, Tensor a_scale, Tensor b, Tensor b_scale) {
  return {"QLinearMatMul",
          {std::move(a), std::move(a_scale), u8({}, {0}), std::move(b), std::move(b_scale),
           s8({}, {0}), Tensor::scalar(1.0F), s8({}, {1})}};
}

TEST(QLinearMatMul, TakesScalesPerRowAndColumn) {
  const Tensor a = u8({2, 1}, {10, 20});
  const Tensor b = s8({1, 2}, {1, -1});
  EXPECT_THAT(ints(run_op(qlinear_matmul(a, Tensor::of<float>({2}, {1.0F, 0.5F}), b,
                                         Tensor::of<float>({2}, {1.0F, 2.0F})))),
              ElementsAre(11, -19, 11, -19));
  EXPECT_THAT(ints(run_op(qlinear_matmul(a, Tensor::scalar(1.0F), b, Tensor::scalar(1.0F)))),
              ElementsAre(11, -9, 21, -19));
}

TEST(QLinearMatMul, MultipliesVectors) {
  EXPECT_THAT(ints(run_op(qlinear_matmul(u8({2}, {3, 4}), Tensor::scalar(1.0F), s8({2}, {5, 6}),
                                         Tensor::scalar(0.5F)))),
              ElementsAre(21));  // 39 / 2 is a tie
  EXPECT_THAT(
      ints(run_op(qlinear_matmul(u8({2, 2}, {1, 2, 3, 4}), Tensor::of<float>({2}, {1.0F, 2.0F}),
                                 s8({2}, {1, 1}), Tensor::scalar(1.0F)))),
      ElementsAre(4, 15));
}

TEST(QLinearMatMul, Saturates) {
  EXPECT_THAT(
      ints(run_op(qlinear_matmul(u8({1, 2}, {255, 255}), Tensor::scalar(1.0F),
                                 s8({2, 2}, {127, -128, 127, -128}), Tensor::scalar(1.0F)))),
      ElementsAre(127, -128));
}

}  // namespace
}  // namespace octet::ops
