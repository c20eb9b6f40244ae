#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "compiler/numerics/half.h"
#include "tests/support/op_runner.h"

namespace octet::ops {
namespace {

using ir::Dim;
using ir::DType;
using ir::Granularity;
using ir::Shape;
using ir::Tensor;
using octet::testing::evaluate_op;
using octet::testing::infer_op;
using octet::testing::OpCase;
using octet::testing::Operand;
using octet::testing::run_op;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<double> doubles(const octet::testing::OpResult& result) {
  EXPECT_EQ(result.error, "");
  std::vector<double> out;
  for (int64_t i = 0; i < result.tensor.element_count(); ++i) {
    out.push_back(result.tensor.at_as_double(i));
  }
  return out;
}

Tensor floats(std::vector<int64_t> shape, const std::vector<float>& values) {
  return Tensor::of<float>(std::move(shape), values);
}

Tensor halves(std::vector<int64_t> shape, const std::vector<float>& values) {
  std::vector<std::byte> bytes(values.size() * 2);
  for (size_t i = 0; i < values.size(); ++i) {
    const uint16_t code = numerics::float_to_half(values[i]);
    std::memcpy(&bytes[2 * i], &code, 2);
  }
  return *Tensor::from_bytes(DType::kFloat16, std::move(shape), bytes);
}

TEST(QuantizeLinear, RoundsHalfToEvenBeforeTheZeroPoint) {
  const Tensor x = floats({6}, {0.5F, 1.5F, 2.5F, -0.5F, -1.5F, -2.5F});
  const Tensor one = Tensor::scalar(1.0F);
  // An odd zero point would turn ties around if it came first.
  EXPECT_THAT(doubles(run_op({"QuantizeLinear", {x, one, Tensor::scalar<uint8_t>(3)}})),
              ElementsAre(3, 5, 5, 3, 1, 1));
  EXPECT_THAT(doubles(run_op({"QuantizeLinear", {x, one, Tensor::scalar<int8_t>(0)}})),
              ElementsAre(0, 2, 2, 0, -2, -2));
}

TEST(QuantizeLinear, SaturatesAndTakesWhatIsNotANumber) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const Tensor x = floats({4}, {kInf, -kInf, 1e30F, std::numeric_limits<float>::quiet_NaN()});
  EXPECT_THAT(
      doubles(run_op({"QuantizeLinear", {x, Tensor::scalar(0.5F), Tensor::scalar<int8_t>(5)}})),
      ElementsAre(127, -128, 127, 5));
}

TEST(QuantizeLinear, GivesUint8WithoutAZeroPoint) {
  const auto out = run_op({"QuantizeLinear", {floats({2}, {1.0F, -1.0F}), Tensor::scalar(0.5F)}});
  EXPECT_EQ(out.tensor.dtype(), DType::kUint8);
  EXPECT_THAT(doubles(out), ElementsAre(2, 0));
}

TEST(QuantizeLinear, TakesIntegers) {
  EXPECT_THAT(doubles(run_op({"QuantizeLinear",
                              {Tensor::of<int32_t>({2}, {7, -7}), Tensor::scalar(2.0F),
                               Tensor::scalar<int8_t>(0)}})),
              ElementsAre(4, -4));
}

TEST(QuantizeLinear, WorksAlongAnAxisSince13) {
  const Tensor x = floats({2, 2}, {1, 10, 1, 10});
  const Tensor scales = floats({2}, {1, 10});
  const Tensor zeros = Tensor::of<int8_t>({2}, {0, 1});
  EXPECT_THAT(doubles(run_op({"QuantizeLinear", {x, scales, zeros}, {}, 13})),
              ElementsAre(1, 2, 1, 2));
  EXPECT_THAT(doubles(run_op({"QuantizeLinear", {x, scales, zeros}, {{"axis", int64_t{0}}}, 13})),
              ElementsAre(1, 10, 1, 2));
  EXPECT_THAT(doubles(run_op({"QuantizeLinear", {x, scales, zeros}, {{"axis", int64_t{-2}}}, 13})),
              ElementsAre(1, 10, 1, 2));
  EXPECT_THAT(run_op({"QuantizeLinear", {x, scales, zeros}, {}, 12}).error,
              HasSubstr("must be 1 before opset 13 [Q4]"));
}

TEST(QuantizeLinear, RefusesScalesThatDoNotFit) {
  const Tensor x = *Tensor::zeros(DType::kFloat32, {64, 3});
  const Tensor scales = floats({63}, std::vector<float>(63, 1.0F));
  EXPECT_EQ(run_op({"QuantizeLinear", {x, scales}, {{"axis", int64_t{0}}}}).error,
            "input 1: 63 scales for an axis of extent 64 [Q4]");
  EXPECT_THAT(
      run_op({"QuantizeLinear", {x, Tensor::scalar(1.0F), Tensor::of<uint8_t>({2}, {0, 0})}}).error,
      HasSubstr("2 zero points for 1 scales [Q3]"));
}

TEST(QuantizeLinear, WorksInBlocksSince21) {
  const Tensor x = floats({2, 3}, {2, 4, 6, 8, 10, 12});
  const Tensor scales = floats({2, 2}, {1, 2, 4, 0.5F});
  const Tensor zeros = Tensor::of<int8_t>({2, 2}, {0, 1, 0, -1});
  const ir::AttributeMap blocks = {{"axis", int64_t{1}}, {"block_size", int64_t{2}}};
  EXPECT_THAT(doubles(run_op({"QuantizeLinear", {x, scales, zeros}, blocks, 21})),
              ElementsAre(2, 4, 4, 2, 2, 23));  // 10 / 4 = 2.5 is a tie
  const Tensor rows = floats({1, 3}, {1, 2, 3});
  EXPECT_THAT(
      doubles(run_op(
          {"QuantizeLinear", {x, rows}, {{"axis", int64_t{0}}, {"block_size", int64_t{2}}}, 21})),
      ElementsAre(2, 2, 2, 8, 5, 4));
  EXPECT_THAT(run_op({"QuantizeLinear",
                      {x, scales, zeros},
                      {{"axis", int64_t{1}}, {"block_size", int64_t{4}}},
                      21})
                  .error,
              HasSubstr("input 1: 2 scales on axis 1 of extent 3 in blocks of 4 [Q4]"));
}

TEST(QuantizeLinear, PacksFourBits) {
  const Tensor x = floats({5}, {-100.0F, -1.0F, 2.5F, 7.0F, 100.0F});
  const ir::AttributeMap int4 = {{"output_dtype", int64_t{22}}};
  const auto out = run_op({"QuantizeLinear", {x, Tensor::scalar(1.0F)}, int4, 21});
  EXPECT_EQ(out.tensor.dtype(), DType::kInt4);
  EXPECT_THAT(doubles(out), ElementsAre(-8, -1, 2, 7, 7));
  const auto back = run_op({"DequantizeLinear", {out.tensor, Tensor::scalar(0.5F)}, {}, 21});
  EXPECT_THAT(doubles(back), ElementsAre(-4, -0.5, 1, 3.5, 3.5));
}

TEST(QuantizeLinear, ChecksOutputDtypeAgainstTheZeroPoint) {
  const OpCase c{"QuantizeLinear",
                 {Tensor::scalar(1.0F), Tensor::scalar(1.0F), Tensor::scalar<int8_t>(0)},
                 {{"output_dtype", int64_t{2}}},
                 21};
  EXPECT_THAT(run_op(c).error, HasSubstr("output_dtype is uint8 and input 2 is int8"));
}

TEST(QuantizeLinear, DividesInThePrecisionOfTheScale) {
  // 1 / f16(0.001): 999.5 in float16 (its steps are 0.5 there), 999.87 in float32.
  const Tensor x = halves({1}, {1.0F});
  const Tensor scale = halves({}, {0.001F});
  const Tensor zero = Tensor::scalar<int16_t>(0);
  const double exact = 1.0 / scale.at_as_double(0);
  const double rounded = halves({1}, {static_cast<float>(exact)}).at_as_double(0);
  ASSERT_NE(exact, rounded);
  EXPECT_THAT(doubles(run_op({"QuantizeLinear", {x, scale, zero}, {}, 21})),
              ElementsAre(std::nearbyint(rounded)));
  EXPECT_THAT(
      doubles(run_op({"QuantizeLinear", {x, scale, zero}, {{"precision", int64_t{1}}}, 23})),
      ElementsAre(std::nearbyint(exact)));
}

TEST(QuantizeLinear, GivesItsOutputQuantParamsWhenTheyAreConstant) {
  const Operand x = Operand::of_type(DType::kFloat32, Shape({Dim::named("N"), Dim(2)}));
  const Operand scale = Operand::of_constant(Tensor::scalar(0.25F));
  const Operand zero = Operand::of_constant(Tensor::scalar<uint8_t>(7));
  auto facts = infer_op({"QuantizeLinear", {x, scale, zero}});
  ASSERT_TRUE(facts.ok());
  const auto& quant = (*facts)[0].type.quant;
  ASSERT_TRUE(quant.has_value());
  EXPECT_TRUE(quant->per_tensor());
  EXPECT_THAT(quant->scales(), ElementsAre(0.25F));
  EXPECT_THAT(quant->zero_points(), ElementsAre(7));
  EXPECT_EQ(quant->qmin(), 0);
  EXPECT_EQ(quant->qmax(), 255);

  facts = infer_op({"QuantizeLinear",
                    {x, Operand::of_constant(floats({2}, {1, 2})),
                     Operand::of_constant(Tensor::of<int8_t>({2}, {0, 0}))},
                    {{"axis", int64_t{-1}}}});
  EXPECT_EQ((*facts)[0].type.quant->granularity(), Granularity::kPerAxis);
  EXPECT_EQ((*facts)[0].type.quant->axis(), 1);

  facts = infer_op({"QuantizeLinear", {x, Tensor::scalar(0.25F), zero}});
  EXPECT_FALSE((*facts)[0].type.quant.has_value());
}

TEST(QuantizeLinear, RefusesConstantScalesThatAreNone) {
  for (float scale : {0.0F, -1.0F, std::numeric_limits<float>::infinity(), 1e-42F}) {
    auto facts = infer_op({"QuantizeLinear",
                           {Operand::of_type(DType::kFloat32, Shape()),
                            Operand::of_constant(Tensor::scalar(scale))}});
    ASSERT_FALSE(facts.ok());
    EXPECT_THAT(facts.error().message(), HasSubstr("[Q2]"));
  }
}

TEST(DequantizeLinear, SubtractsTheZeroPointWithoutOverflow) {
  EXPECT_THAT(doubles(run_op({"DequantizeLinear",
                              {Tensor::of<int32_t>({2}, {INT32_MIN, INT32_MAX}),
                               Tensor::scalar(1.0F), Tensor::scalar<int32_t>(1)}})),
              ElementsAre(-2147483648.0, 2147483648.0));
}

TEST(DequantizeLinear, TakesAPerChannelBias) {
  EXPECT_THAT(doubles(run_op({"DequantizeLinear",
                              {Tensor::of<int32_t>({2}, {10, -10}), floats({2}, {0.5F, 2.0F}),
                               Tensor::of<int32_t>({2}, {0, 0})},
                              {{"axis", int64_t{0}}}})),
              ElementsAre(5, -20));
}

TEST(DequantizeLinear, GivesTheTypeOfTheScale) {
  const auto out =
      run_op({"DequantizeLinear",
              {Tensor::of<int8_t>({1}, {3}), halves({}, {0.5F}), Tensor::scalar<int8_t>(1)},
              {},
              19});
  EXPECT_EQ(out.tensor.dtype(), DType::kFloat16);
  EXPECT_THAT(doubles(out), ElementsAre(1.0));
}

TEST(DequantizeLinear, RefusesAZeroPointOfAnotherType) {
  EXPECT_THAT(
      run_op({"DequantizeLinear",
              {Tensor::of<int8_t>({1}, {3}), Tensor::scalar(1.0F), Tensor::scalar<uint8_t>(1)}})
          .error,
      HasSubstr("input 2: uint8 where input 0 is int8"));
}

TEST(DequantizeLinear, TakesEmptyTensors) {
  EXPECT_TRUE(
      doubles(run_op({"DequantizeLinear", {Tensor::of<int8_t>({0, 2}, {}), floats({2}, {1, 2})}}))
          .empty());
  EXPECT_TRUE(doubles(run_op({"QuantizeLinear", {floats({2, 0}, {}), floats({0}, {})}})).empty());
}

TEST(DynamicQuantizeLinear, FollowsTheStandard) {
  const auto outputs = evaluate_op(
      {"DynamicQuantizeLinear", {floats({6}, {0, 2, -3, -2.5F, 1.34F, 0.5F})}, {}, 17, 3});
  ASSERT_TRUE(outputs.ok());
  EXPECT_FLOAT_EQ((*outputs)[1].data<float>()[0], 0.0196078438F);
  EXPECT_EQ((*outputs)[2].data<uint8_t>()[0], 153);
  const auto y = (*outputs)[0].data<uint8_t>();
  EXPECT_THAT(std::vector<uint8_t>(y.begin(), y.end()), ElementsAre(153, 255, 0, 26, 221, 179));
}

TEST(DynamicQuantizeLinear, OfZerosHasAScaleOfOne) {
  const auto outputs = evaluate_op({"DynamicQuantizeLinear", {floats({2}, {0, 0})}, {}, 17, 3});
  ASSERT_TRUE(outputs.ok());
  EXPECT_EQ((*outputs)[1].data<float>()[0], 1.0F);
  EXPECT_EQ((*outputs)[2].data<uint8_t>()[0], 0);
}

}  // namespace
}  // namespace octet::ops
