#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/support/op_runner.h"

namespace octet::ops {
namespace {

using ir::Dim;
using ir::DType;
using ir::Shape;
using ir::Tensor;
using octet::testing::infer_op;
using octet::testing::Operand;
using octet::testing::run_op;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

octet::testing::OpResult cast(const Tensor& x, DType to, ir::AttributeMap attributes = {}) {
  attributes["to"] = static_cast<int64_t>(to);
  return run_op({"Cast", {x}, std::move(attributes), 23});
}

template <typename T>
std::vector<T> values(const octet::testing::OpResult& result) {
  EXPECT_EQ(result.error, "");
  const auto data = result.tensor.data<T>();
  return {data.begin(), data.end()};
}

std::vector<double> doubles(const octet::testing::OpResult& result) {
  EXPECT_EQ(result.error, "");
  std::vector<double> out;
  for (int64_t i = 0; i < result.tensor.element_count(); ++i) {
    out.push_back(result.tensor.at_as_double(i));
  }
  return out;
}

TEST(Cast, TruncatesFloatsTowardZero) {
  const Tensor x = Tensor::of<float>({4}, {1.9F, -1.9F, 0.5F, -0.5F});
  EXPECT_THAT(values<int32_t>(cast(x, DType::kInt32)), ElementsAre(1, -1, 0, 0));
  EXPECT_THAT(values<int64_t>(cast(x, DType::kInt64)), ElementsAre(1, -1, 0, 0));
}

TEST(Cast, DefinesFloatsOutOfRange) {
  const Tensor x = Tensor::of<float>({4}, {kNan, kInf, -kInf, 300.0F});
  EXPECT_THAT(values<uint8_t>(cast(x, DType::kUint8)), ElementsAre(0, 255, 0, 255));
  EXPECT_THAT(values<int64_t>(cast(x, DType::kInt64)), ElementsAre(0, INT64_MAX, INT64_MIN, 300));
  EXPECT_THAT(values<uint64_t>(cast(Tensor::scalar(1.8e19F), DType::kUint64)),
              ElementsAre(static_cast<uint64_t>(1.8e19F)));
}

TEST(Cast, KeepsTheLowBitsOfIntegers) {
  EXPECT_THAT(values<int8_t>(cast(Tensor::of<int16_t>({2}, {200, -129}), DType::kInt8)),
              ElementsAre(-56, 127));
  EXPECT_THAT(values<uint32_t>(cast(Tensor::scalar<int64_t>(-1), DType::kUint32)),
              ElementsAre(UINT32_MAX));
  EXPECT_THAT(doubles(cast(Tensor::of<int32_t>({3}, {9, -9, 7}), DType::kInt4)),
              ElementsAre(-7, 7, 7));
  EXPECT_THAT(doubles(cast(Tensor::of<int32_t>({3}, {17, -1, 15}), DType::kUint4)),
              ElementsAre(1, 15, 15));
  EXPECT_THAT(doubles(cast(Tensor::of<float>({4}, {8.9F, -9.0F, kNan, -1.5F}), DType::kInt4)),
              ElementsAre(-8, 7, 0, -1));
}

TEST(Cast, ReadsPackedIntegers) {
  const Tensor packed = *Tensor::from_bytes(DType::kInt4, {3}, {std::byte{0x8F}, std::byte{0x07}});
  EXPECT_THAT(values<float>(cast(packed, DType::kFloat32)), ElementsAre(-1, -8, 7));
  EXPECT_THAT(values<int64_t>(cast(packed, DType::kInt64)), ElementsAre(-1, -8, 7));
}

TEST(Cast, KnowsBool) {
  const Tensor x = Tensor::of<float>({4}, {0.0F, -0.0F, 0.1F, kNan});
  EXPECT_THAT(values<uint8_t>(cast(x, DType::kBool)), ElementsAre(0, 0, 1, 1));
  const Tensor dirty = *Tensor::from_bytes(DType::kBool, {2}, {std::byte{7}, std::byte{0}});
  EXPECT_THAT(values<float>(cast(dirty, DType::kFloat32)), ElementsAre(1, 0));
  EXPECT_THAT(values<int8_t>(cast(dirty, DType::kInt8)), ElementsAre(1, 0));
}

TEST(Cast, RoundsDoubleToHalfOnce) {
  // Just above the tie between 1 and 1 + 2^-10: float32 would round it onto the tie.
  const double above = 1.0 + std::ldexp(1.0, -11) + std::ldexp(1.0, -40);
  const double below = 1.0 + 3 * std::ldexp(1.0, -11) - std::ldexp(1.0, -40);
  EXPECT_THAT(doubles(cast(Tensor::of<double>({2}, {above, below}), DType::kFloat16)),
              ElementsAre(1.0 + std::ldexp(1.0, -10), 1.0 + std::ldexp(1.0, -10)));
  EXPECT_THAT(doubles(cast(Tensor::of<double>({2}, {1e300, -70000.0}), DType::kFloat16)),
              ElementsAre(kInf, -kInf));
}

TEST(Cast, SaturatesFloat8UnlessToldNotTo) {
  const Tensor x = Tensor::of<float>({3}, {1000.0F, -1000.0F, 0.5F});
  EXPECT_THAT(doubles(cast(x, DType::kFloat8E4M3FN)), ElementsAre(448, -448, 0.5));
  const auto open = doubles(cast(x, DType::kFloat8E4M3FN, {{"saturate", int64_t{0}}}));
  EXPECT_TRUE(std::isnan(open[0]) && std::isnan(open[1]));
  EXPECT_EQ(open[2], 0.5);
  const Tensor large = Tensor::of<float>({2}, {1e6F, -1e6F});
  EXPECT_THAT(doubles(cast(large, DType::kFloat8E5M2, {{"saturate", int64_t{0}}})),
              ElementsAre(kInf, -kInf));
  EXPECT_THAT(doubles(cast(large, DType::kFloat8E5M2)), ElementsAre(57344, -57344));
}

TEST(Cast, PacksFloat4) {
  const Tensor x = Tensor::of<float>({5}, {0.5F, -6.0F, 100.0F, 2.5F, 3.5F});
  EXPECT_THAT(doubles(cast(x, DType::kFloat4E2M1)), ElementsAre(0.5, -6, 6, 2, 4));
}

TEST(Cast, RefusesStringsAndWhatIsNoType) {
  EXPECT_THAT(cast(Tensor::scalar(1.0F), DType::kString).error, HasSubstr("float32 to string"));
  EXPECT_THAT(run_op({"Cast", {Tensor::scalar(1.0F)}, {{"to", int64_t{99}}}}).error,
              HasSubstr("to = 99 is no element type"));
  EXPECT_NE(run_op({"Cast", {Tensor::scalar(1.0F)}}).error, "");
}

TEST(CastLike, TakesTheTypeOfItsSecondOperand) {
  const auto out = run_op({"CastLike", {Tensor::scalar(2.7F), Tensor::of<int8_t>({0}, {})}});
  EXPECT_THAT(values<int8_t>(out), ElementsAre(2));
}

TEST(Elements, GoThroughCastsAndArithmetic) {
  const Dim n = Dim::named("N");
  const Operand shape = Operand::of_elements({n, Dim(6), Dim()});
  const Operand two = Operand::of_constant(Tensor::of<int64_t>({1}, {2}));
  auto elements = [](const char* op, std::vector<Operand> operands,
                     ir::AttributeMap attributes = {}) {
    auto facts = infer_op({op, std::move(operands), std::move(attributes)});
    EXPECT_TRUE(facts.ok());
    return (*facts)[0].elements;
  };
  EXPECT_EQ(elements("Mul", {shape, two}), (std::vector<Dim>{Dim(), Dim(12), Dim()}));
  EXPECT_EQ(elements("Div", {shape, two}), (std::vector<Dim>{Dim(), Dim(3), Dim()}));
  EXPECT_EQ(elements("Sub", {two, shape}), std::nullopt);  // 2 - 6 is no extent
  const Operand one = Operand::of_constant(Tensor::scalar<int64_t>(1));
  EXPECT_EQ(elements("Mul", {shape, one}), shape.facts.elements);
  EXPECT_EQ(elements("Div", {shape, one}), shape.facts.elements);
  EXPECT_EQ(elements("Identity", {shape}), shape.facts.elements);
  EXPECT_EQ(elements("Cast", {shape}, {{"to", int64_t{6}}}), shape.facts.elements);
  EXPECT_EQ(elements("Cast", {shape}, {{"to", int64_t{1}}}), std::nullopt);
  const Operand zero = Operand::of_constant(Tensor::scalar<int64_t>(0));
  EXPECT_EQ(elements("Add", {shape, zero}), shape.facts.elements);
  EXPECT_EQ(elements("Max", {shape, two}), (std::vector<Dim>{Dim(), Dim(6), Dim()}));
}

TEST(Elements, ThatOverflowAreNotKnown) {
  const Operand big = Operand::of_elements({Dim(INT64_MAX), Dim(3)});
  const Operand two = Operand::of_constant(Tensor::scalar<int64_t>(2));
  auto facts = infer_op({"Mul", {big, two}});
  EXPECT_EQ((*facts)[0].elements, (std::vector<Dim>{Dim(), Dim(6)}));
}

}  // namespace
}  // namespace octet::ops
