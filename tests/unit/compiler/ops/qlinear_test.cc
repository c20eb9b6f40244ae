// Operators of com.microsoft on 8-bit integers: numbers worked out by hand, and operands that do
// not fit. tests/oracle/integer_kernels.py holds them to ONNX Runtime.
#include "tests/support/op_expect.h"

namespace octet::ops {
namespace {

using ir::DType;
using ir::Tensor;
using octet::testing::expect_evaluation_error;
using octet::testing::expect_output;
using octet::testing::Extents;
using octet::testing::f32;
using octet::testing::OpCase;
using octet::testing::Operand;

Tensor u8(Extents shape, const std::vector<uint8_t>& values) {
  return Tensor::of<uint8_t>(std::move(shape), values);
}
Tensor s8(Extents shape, const std::vector<int8_t>& values) {
  return Tensor::of<int8_t>(std::move(shape), values);
}
Tensor zero(uint8_t value) { return Tensor::scalar<uint8_t>(value); }
Tensor scale(float value) { return Tensor::scalar(value); }

OpCase microsoft(std::string op_type, std::vector<Operand> operands,
                 ir::AttributeMap attributes = {}) {
  OpCase out{std::move(op_type), std::move(operands), std::move(attributes)};
  out.domain = "com.microsoft";
  return out;
}

TEST(QLinearAdd, RoundsTiesWithTheZeroPointInside) {
  // (a - 2) * 0.5 + (b - 1) * 0.5 in steps of 1, and 3: ties to even of 2.5 + 3 and 1.5 + 3.
  expect_output(
      microsoft("QLinearAdd", {u8({3}, {5, 3, 255}), scale(0.5F), zero(2), u8({3}, {3, 3, 255}),
                               scale(0.5F), zero(1), scale(1.0F), zero(3)}),
      u8({3}, {6, 4, 255}));
}

TEST(QLinearAdd, ZeroPointsMayBeOmitted) {
  expect_output(microsoft("QLinearAdd", {u8({2}, {4, 6}), scale(0.5F), Operand(), u8({1}, {2}),
                                         scale(1.0F), Operand(), scale(1.0F)}),
                u8({2}, {4, 5}));
}

TEST(QLinearMul, MultipliesWhatTheIntegersMean) {
  // 4 * -3 * 0.25 = -3 of 0.5 each is -6, and 100.
  expect_output(
      microsoft("QLinearMul", {u8({2, 1}, {14, 10}), scale(0.5F), zero(10), u8({1, 2}, {17, 20}),
                               scale(0.5F), zero(20), scale(0.5F), zero(100)}),
      u8({2, 2}, {94, 100, 100, 100}));
}

TEST(QLinearUnary, GoesByRealNumbers) {
  expect_output(microsoft("QLinearLeakyRelu",
                          {s8({3}, {-20, 0, 20}), scale(0.5F), Tensor::scalar<int8_t>(0),
                           scale(0.25F), Tensor::scalar<int8_t>(-5)},
                          {{"alpha", 0.1F}}),
                s8({3}, {-9, -5, 35}));
  expect_output(microsoft("QLinearSigmoid", {u8({3}, {128, 0, 255}), scale(0.5F), zero(128),
                                             scale(1.0F / 256.0F), zero(0)}),
                u8({3}, {128, 0, 255}));
}

TEST(QLinearConcat, BringsPartsToOneScale) {
  expect_output(microsoft("QLinearConcat",
                          {scale(1.0F), zero(10), u8({1, 2}, {4, 5}), scale(0.5F), zero(0),
                           u8({1, 1}, {7}), scale(2.0F), zero(6)},
                          {{"axis", int64_t{1}}}),
                u8({1, 3}, {12, 12, 12}));
}

TEST(QLinearPool, Averages) {
  const Tensor x = u8({1, 1, 2, 2}, {1, 2, 3, 5});
  // 11 / 4 = 2.75 of scale 0.5 in steps of 0.25: 5.5, and 1 inside the rounding.
  expect_output(microsoft("QLinearAveragePool", {x, scale(0.5F), zero(0), scale(0.25F), zero(1)},
                          {{"kernel_shape", Extents{2, 2}}}),
                u8({1, 1, 1, 1}, {6}));
  // The same behind the rounding: 6 and 1.
  expect_output(
      microsoft("QLinearGlobalAveragePool", {x, scale(0.5F), zero(0), scale(0.25F), zero(1)}),
      u8({1, 1, 1, 1}, {7}));
}

TEST(QGemm, GivesIntegersOrFloats) {
  const std::vector<Operand> operands = {u8({1, 2}, {3, 5}),
                                         scale(0.5F),
                                         zero(1),
                                         s8({2, 2}, {1, -2, 3, 4}),
                                         f32({2}, {0.5F, 0.25F}),
                                         s8({2}, {0, 0}),
                                         Tensor::of<int32_t>({2}, {2, -2})};
  // Sums 2 * 1 + 4 * 3 = 14 and 2 * -2 + 4 * 4 = 12, with bias 16 and 10.
  expect_output(microsoft("QGemm", operands), f32({1, 2}, {4.0F, 1.25F}));
  std::vector<Operand> quantized = operands;
  quantized.push_back(scale(0.5F));
  quantized.push_back(zero(3));
  expect_output(microsoft("QGemm", quantized), u8({1, 2}, {11, 5}));
}

TEST(MatMulIntegerToFloat, ScalesColumns) {
  expect_output(microsoft("MatMulIntegerToFloat", {u8({1, 2}, {3, 5}), s8({2, 2}, {1, -2, 3, 4}),
                                                   scale(0.5F), f32({2}, {0.5F, 0.25F}), zero(1),
                                                   s8({2}, {0, 0}), f32({2}, {1.0F, 2.0F})}),
                f32({1, 2}, {4.5F, 3.5F}));
}

TEST(QLinear, OperandsThatDoNotFitAreRefused) {
  const Tensor x = u8({2}, {1, 2});
  expect_evaluation_error(microsoft("QLinearAdd", {x, scale(1.0F), zero(0), x}),
                          ErrorCode::kMalformed, "input 4 is missing");
  expect_evaluation_error(
      microsoft("QLinearAdd", {x, scale(1.0F), zero(0), x, scale(1.0F), zero(0)}),
      ErrorCode::kMalformed, "input 6 is missing");
  expect_evaluation_error(
      microsoft("QLinearSigmoid", {x, f32({2}, {1, 2}), zero(0), scale(1.0F), zero(0)}),
      ErrorCode::kMalformed, "2 scales");
  expect_evaluation_error(microsoft("QLinearSigmoid", {x, scale(1.0F), Tensor::scalar<int8_t>(0),
                                                       scale(1.0F), zero(0)}),
                          ErrorCode::kMalformed, "input 2");
  expect_evaluation_error(
      microsoft("QLinearSigmoid", {f32({1}, {1}), scale(1.0F), zero(0), scale(1.0F), zero(0)}),
      ErrorCode::kUnsupported, "float32");
  expect_evaluation_error(
      microsoft("QLinearConcat", {scale(1.0F), zero(0), x, scale(1.0F)}, {{"axis", int64_t{0}}}),
      ErrorCode::kMalformed, "input");
  expect_evaluation_error(
      microsoft("QGemm", {u8({2}, {1, 2}), scale(1.0F), zero(0), s8({2, 1}, {1, 2}), scale(1.0F)}),
      ErrorCode::kMalformed, "rank 1");
  expect_evaluation_error(microsoft("QGemm", {u8({1, 3}, {1, 2, 3}), scale(1.0F), zero(0),
                                              s8({2, 1}, {1, 2}), scale(1.0F)}),
                          ErrorCode::kMalformed, "2 rows");
  expect_evaluation_error(microsoft("QLinearGlobalAveragePool", {u8({1, 1, 0}, {}), scale(1.0F),
                                                                 zero(0), scale(1.0F), zero(0)}),
                          ErrorCode::kMalformed, "no elements");
}

}  // namespace
}  // namespace octet::ops
