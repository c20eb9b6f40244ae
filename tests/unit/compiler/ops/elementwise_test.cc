#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "compiler/numerics/half.h"
#include "tests/support/op_runner.h"

namespace octet::ops {
namespace {

using ir::DType;
using ir::Tensor;
using octet::testing::OpCase;
using octet::testing::Operand;
using octet::testing::run_op;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

template <typename T>
std::vector<T> values(const octet::testing::OpResult& result) {
  EXPECT_EQ(result.error, "");
  const auto data = result.tensor.data<T>();
  return {data.begin(), data.end()};
}

template <typename T>
std::vector<T> binary(const std::string& op, const std::vector<T>& a, const std::vector<T>& b,
                      ir::AttributeMap attributes = {}) {
  return values<T>(run_op({op,
                           {Tensor::of<T>({static_cast<int64_t>(a.size())}, a),
                            Tensor::of<T>({static_cast<int64_t>(b.size())}, b)},
                           std::move(attributes)}));
}

std::vector<float> unary(const std::string& op, const std::vector<float>& x,
                         ir::AttributeMap attributes = {}, int64_t opset = 17) {
  return values<float>(run_op({op,
                               {Tensor::of<float>({static_cast<int64_t>(x.size())}, x)},
                               std::move(attributes),
                               opset}));
}

TEST(Arithmetic, WrapsAroundInIntegers) {
  EXPECT_THAT(binary<int8_t>("Add", {127, -128}, {1, -1}), ElementsAre(-128, 127));
  EXPECT_THAT(binary<uint16_t>("Mul", {65535}, {65535}), ElementsAre(1));
  EXPECT_THAT(binary<int32_t>("Sub", {INT32_MIN}, {1}), ElementsAre(INT32_MAX));
  EXPECT_THAT(binary<int64_t>("Mul", {INT64_MAX}, {2}), ElementsAre(-2));
  EXPECT_THAT(binary<uint8_t>("Sub", {0}, {1}), ElementsAre(255));
}

TEST(Arithmetic, DividesIntegersTowardZero) {
  EXPECT_THAT(binary<int32_t>("Div", {7, -7, 7, -7}, {2, 2, -2, -2}), ElementsAre(3, -3, -3, 3));
  EXPECT_THAT(binary<int8_t>("Div", {-128}, {-1}), ElementsAre(-128));
  EXPECT_THAT(binary<int64_t>("Div", {INT64_MIN}, {-1}), ElementsAre(INT64_MIN));
}

TEST(Arithmetic, RefusesIntegerDivisionByZero) {
  for (const char* op : {"Div", "Mod"}) {
    const auto result =
        run_op({op, {Tensor::of<int32_t>({2}, {1, 2}), Tensor::of<int32_t>({2}, {1, 0})}});
    EXPECT_EQ(result.error, "division by zero");
  }
  // Without an element to compute, nothing is divided.
  const auto empty = run_op({"Div", {Tensor::of<int32_t>({0}, {}), Tensor::scalar<int32_t>(0)}});
  EXPECT_EQ(empty.error, "");
  EXPECT_EQ(empty.tensor.element_count(), 0);
  EXPECT_THAT(binary<float>("Div", {1.0F, -1.0F}, {0.0F, 0.0F}), ElementsAre(kInf, -kInf));
}

TEST(Arithmetic, ModTakesTheSignOfTheDivisorAndFmodOfTheDividend) {
  EXPECT_THAT(binary<int64_t>("Mod", {-4, 7, 5, 4, -7, 8}, {2, -3, 8, -2, 3, 5}),
              ElementsAre(0, -2, 5, 0, 2, 3));
  EXPECT_THAT(
      binary<int64_t>("Mod", {-4, 7, 5, 4, -7, 8}, {2, -3, 8, -2, 3, 5}, {{"fmod", int64_t{1}}}),
      ElementsAre(0, 1, 5, 0, -1, 3));
  EXPECT_THAT(binary<int32_t>("Mod", {INT32_MIN}, {-1}), ElementsAre(0));
  EXPECT_THAT(run_op({"Mod", {Tensor::scalar(1.0F), Tensor::scalar(1.0F)}}).error,
              HasSubstr("fmod must be 1"));
}

TEST(Arithmetic, PowMixesTypes) {
  EXPECT_THAT(binary<float>("Pow", {1.0F, 2.0F, 3.0F}, {4.0F, 5.0F, 6.0F}),
              ElementsAre(1.0F, 32.0F, 729.0F));
  EXPECT_THAT(binary<int32_t>("Pow", {2, -3, 1, -1, 2}, {31, 3, -5, -3, -1}),
              ElementsAre(INT32_MIN, -27, 1, -1, 0));
  EXPECT_THAT(values<float>(run_op(
                  {"Pow", {Tensor::of<float>({2}, {1.5F, -2.0F}), Tensor::of<int64_t>({1}, {2})}})),
              ElementsAre(2.25F, 4.0F));
  EXPECT_THAT(
      values<int64_t>(run_op({"Pow", {Tensor::of<int64_t>({2}, {4, 9}), Tensor::scalar(0.5F)}})),
      ElementsAre(2, 3));
}

TEST(Arithmetic, BroadcastsPerChannel) {
  const auto out = values<float>(run_op(
      {"Mul", {Tensor::of<float>({1, 2, 2}, {1, 2, 3, 4}), Tensor::of<float>({2, 1}, {10, 100})}}));
  EXPECT_THAT(out, ElementsAre(10, 20, 300, 400));
}

TEST(Arithmetic, RoundsHalvesOnce) {
  const auto half = [](float x) { return numerics::float_to_half(x); };
  std::vector<std::byte> bytes(2);
  const uint16_t code = half(2048.0F);
  std::memcpy(bytes.data(), &code, 2);
  const Tensor big = *Tensor::from_bytes(DType::kFloat16, {1}, bytes);
  const uint16_t one = half(1.0F);
  std::memcpy(bytes.data(), &one, 2);
  const Tensor small = *Tensor::from_bytes(DType::kFloat16, {1}, bytes);
  const auto out = run_op({"Add", {big, small}});
  EXPECT_EQ(out.error, "");
  EXPECT_EQ(out.tensor.dtype(), DType::kFloat16);
  EXPECT_EQ(out.tensor.at_as_double(0), 2048.0);  // a tie, to even
}

TEST(BitShift, GivesZeroBeyondTheWidth) {
  EXPECT_THAT(
      binary<uint8_t>("BitShift", {16, 4, 1}, {1, 2, 9}, {{"direction", std::string("RIGHT")}}),
      ElementsAre(8, 1, 0));
  EXPECT_THAT(binary<uint8_t>("BitShift", {129, 4}, {1, 8}, {{"direction", std::string("LEFT")}}),
              ElementsAre(2, 0));
}

TEST(Comparison, OfNotANumberIsFalse) {
  const Tensor a = Tensor::of<float>({3}, {kNan, 1.0F, 2.0F});
  const Tensor b = Tensor::of<float>({3}, {kNan, 1.0F, 3.0F});
  EXPECT_THAT(values<uint8_t>(run_op({"Equal", {a, b}})), ElementsAre(0, 1, 0));
  EXPECT_THAT(values<uint8_t>(run_op({"GreaterOrEqual", {a, b}})), ElementsAre(0, 1, 0));
  EXPECT_THAT(values<uint8_t>(run_op({"Less", {a, b}})), ElementsAre(0, 0, 1));
}

TEST(Comparison, OfStringsAndBytesThatAreNoCleanBools) {
  const Tensor a = *Tensor::of_strings({2}, {"x", "y"});
  const Tensor b = *Tensor::of_strings({1}, {"y"});
  EXPECT_THAT(values<uint8_t>(run_op({"Equal", {a, b}, {}, 19})), ElementsAre(0, 1));
  const Tensor dirty = *Tensor::from_bytes(DType::kBool, {2}, {std::byte{2}, std::byte{0}});
  const Tensor clean = Tensor::of<bool>({2}, {true, true});
  EXPECT_THAT(values<uint8_t>(run_op({"Equal", {dirty, clean}})), ElementsAre(1, 0));
  EXPECT_THAT(values<uint8_t>(run_op({"Xor", {dirty, clean}})), ElementsAre(0, 1));
  EXPECT_THAT(values<uint8_t>(run_op({"Not", {dirty}})), ElementsAre(0, 1));
}

TEST(Choice, LetsNotANumberWin) {
  const Tensor a = Tensor::of<float>({3}, {1.0F, kNan, 3.0F});
  const Tensor b = Tensor::of<float>({3}, {kNan, 2.0F, 2.0F});
  const auto top = values<float>(run_op({"Max", {a, b}}));
  EXPECT_TRUE(std::isnan(top[0]) && std::isnan(top[1]));
  EXPECT_EQ(top[2], 3.0F);
  const auto least = values<float>(run_op({"Min", {a, b}}));
  EXPECT_TRUE(std::isnan(least[0]) && std::isnan(least[1]));
  EXPECT_EQ(least[2], 2.0F);
}

TEST(Variadic, BroadcastsAllOperands) {
  const Tensor a = Tensor::of<float>({2, 1}, {1, 2});
  const Tensor b = Tensor::of<float>({3}, {10, 20, 30});
  const Tensor c = Tensor::scalar(100.0F);
  EXPECT_THAT(values<float>(run_op({"Sum", {a, b, c}})), ElementsAre(111, 121, 131, 112, 122, 132));
  EXPECT_THAT(values<float>(run_op({"Mean", {a, b, c}}))[0], 37.0F);
  EXPECT_THAT(values<float>(run_op({"Max", {a}})), ElementsAre(1, 2));
}

TEST(Unary, RoundsHalfToEven) {
  EXPECT_THAT(unary("Round", {0.5F, 1.5F, 2.5F, -0.5F, -1.5F, 0.9F}),
              ElementsAre(0.0F, 2.0F, 2.0F, -0.0F, -2.0F, 1.0F));
}

TEST(Unary, DefinesTheLeastInteger) {
  EXPECT_THAT(values<int8_t>(run_op({"Abs", {Tensor::of<int8_t>({2}, {-128, -5})}})),
              ElementsAre(-128, 5));
  EXPECT_THAT(values<int32_t>(run_op({"Neg", {Tensor::of<int32_t>({1}, {INT32_MIN})}})),
              ElementsAre(INT32_MIN));
}

TEST(Unary, StaysFiniteForLargeNumbers) {
  EXPECT_THAT(unary("Sigmoid", {-1000.0F, 0.0F, 1000.0F}), ElementsAre(0.0F, 0.5F, 1.0F));
  EXPECT_THAT(unary("Softplus", {-1000.0F, 1000.0F}), ElementsAre(0.0F, 1000.0F));
  EXPECT_THAT(unary("Mish", {-1000.0F, 1000.0F}, {}, 18), ElementsAre(-0.0F, 1000.0F));
}

TEST(Unary, IsInfLooksAtTheSignsItIsAskedFor) {
  const Tensor x = Tensor::of<float>({3}, {kInf, -kInf, kNan});
  EXPECT_THAT(values<uint8_t>(run_op({"IsInf", {x}})), ElementsAre(1, 1, 0));
  EXPECT_THAT(values<uint8_t>(run_op({"IsInf", {x}, {{"detect_negative", int64_t{0}}}})),
              ElementsAre(1, 0, 0));
  EXPECT_THAT(values<uint8_t>(run_op({"IsInf", {x}, {{"detect_positive", int64_t{0}}}})),
              ElementsAre(0, 1, 0));
}

TEST(Unary, TakesEmptyTensors) {
  EXPECT_TRUE(unary("Exp", {}).empty());
  EXPECT_TRUE(unary("Relu", {}).empty());
}

TEST(Clip, TakesBoundsFromAttributesBefore11AndFromInputsSince) {
  EXPECT_THAT(unary("Clip", {-2.0F, 0.5F, 2.0F}, {{"min", -1.0F}, {"max", 1.0F}}, 10),
              ElementsAre(-1.0F, 0.5F, 1.0F));
  EXPECT_THAT(unary("Clip", {-2.0F, 0.5F, 2.0F}, {{"min", -1.0F}, {"max", 1.0F}}, 11),
              ElementsAre(-2.0F, 0.5F, 2.0F));
  const Tensor x = Tensor::of<float>({3}, {-2.0F, 0.5F, 2.0F});
  EXPECT_THAT(values<float>(run_op({"Clip", {x, Operand(), Tensor::scalar(1.0F)}, {}, 13})),
              ElementsAre(-2.0F, 0.5F, 1.0F));
  // min above max: max wins.
  EXPECT_THAT(
      values<float>(run_op({"Clip", {x, Tensor::scalar(3.0F), Tensor::scalar(1.0F)}, {}, 13})),
      ElementsAre(1.0F, 1.0F, 1.0F));
  EXPECT_THAT(values<int8_t>(run_op({"Clip",
                                     {Tensor::of<int8_t>({3}, {-9, 0, 9}),
                                      Tensor::scalar<int8_t>(-3), Tensor::scalar<int8_t>(4)},
                                     {},
                                     12})),
              ElementsAre(-3, 0, 4));
  EXPECT_THAT(run_op({"Clip", {x, Tensor::of<float>({2}, {0, 1})}, {}, 13}).error,
              HasSubstr("input 1: 2 elements, must be 1"));
}

TEST(Activations, KeepNotANumber) {
  for (const char* op : {"Relu", "LeakyRelu", "Elu", "Selu", "Celu", "HardSigmoid", "HardSwish",
                         "Mish", "Gelu", "ThresholdedRelu", "Sigmoid", "Tanh", "Clip"}) {
    EXPECT_TRUE(std::isnan(unary(op, {kNan}, {}, 20)[0])) << op;
  }
}

TEST(Activations, FollowTheirFormulas) {
  EXPECT_THAT(unary("LeakyRelu", {-2.0F, 3.0F}, {{"alpha", 0.5F}}), ElementsAre(-1.0F, 3.0F));
  EXPECT_THAT(unary("HardSigmoid", {-3.0F, 0.0F, 1.0F, 3.0F}),
              ElementsAre(0.0F, 0.5F, 0.2F + 0.5F, 1.0F));
  EXPECT_THAT(unary("ThresholdedRelu", {1.0F, 2.0F, 2.5F}, {{"alpha", 2.0F}}),
              ElementsAre(0.0F, 0.0F, 2.5F));
  EXPECT_NEAR(unary("Gelu", {1.0F}, {}, 20)[0], 0.8413447F, 1e-6F);
  EXPECT_NEAR(unary("Gelu", {1.0F}, {{"approximate", std::string("tanh")}}, 20)[0], 0.8411920F,
              1e-6F);
  EXPECT_NEAR(unary("HardSwish", {1.0F})[0], 2.0F / 3.0F, 1e-6F);
  EXPECT_NEAR(unary("Celu", {-1.0F}, {{"alpha", 2.0F}})[0], 2.0F * (std::exp(-0.5F) - 1.0F), 1e-6F);
  EXPECT_NEAR(unary("Selu", {-1.0F})[0], -1.1113307F, 1e-6F);
}

TEST(PRelu, BroadcastsTheSlopeOneWayOnly) {
  const Tensor x = Tensor::of<float>({1, 2, 2}, {-1, 2, -3, 4});
  EXPECT_THAT(values<float>(run_op({"PRelu", {x, Tensor::of<float>({2, 1}, {0.5F, 2.0F})}})),
              ElementsAre(-0.5F, 2.0F, -6.0F, 4.0F));
  EXPECT_NE(run_op({"PRelu", {Tensor::scalar(1.0F), x}}).error, "");
}

TEST(Where, ChoosesWithBroadcasting) {
  const Tensor condition = Tensor::of<bool>({2, 1}, {true, false});
  const Tensor x = Tensor::of<int64_t>({3}, {1, 2, 3});
  const Tensor y = Tensor::scalar<int64_t>(9);
  EXPECT_THAT(values<int64_t>(run_op({"Where", {condition, x, y}})), ElementsAre(1, 2, 3, 9, 9, 9));
  const auto text = run_op(
      {"Where", {condition, *Tensor::of_strings({}, {"a"}), *Tensor::of_strings({}, {"b"})}});
  EXPECT_THAT(text.tensor.strings(), ElementsAre("a", "b"));
  EXPECT_THAT(run_op({"Where", {x, x, x}}).error, HasSubstr("must be bool"));
}

}  // namespace
}  // namespace octet::ops
