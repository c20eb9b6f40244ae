// Integer operators as devices compute them: numbers worked out by hand, most of them ties.
#include "tests/support/op_expect.h"

namespace octet::ops {
namespace {

using ir::Tensor;
using numerics::DeviceArithmetic;
using octet::testing::expect_output;
using octet::testing::Extents;
using octet::testing::f32;
using octet::testing::OpCase;
using octet::testing::Operand;

constexpr DeviceArithmetic kExact = {};
constexpr DeviceArithmetic kPairs = {.sums = DeviceArithmetic::Sums::kSaturatingPairs};
constexpr DeviceArithmetic kNeon = {.elementwise = DeviceArithmetic::Elementwise::kNeon};
constexpr DeviceArithmetic kFixed = {.requantization =
                                         DeviceArithmetic::Requantization::kFixedPoint};

Tensor u8(Extents shape, const std::vector<uint8_t>& values) {
  return Tensor::of<uint8_t>(std::move(shape), values);
}
Tensor s8(Extents shape, const std::vector<int8_t>& values) {
  return Tensor::of<int8_t>(std::move(shape), values);
}
Tensor i32(Extents shape, const std::vector<int32_t>& values) {
  return Tensor::of<int32_t>(std::move(shape), values);
}
Tensor zero(uint8_t value) { return Tensor::scalar<uint8_t>(value); }
Tensor scale(float value) { return Tensor::scalar(value); }

OpCase on(const DeviceArithmetic& device, std::string op_type, std::vector<Operand> operands,
          ir::AttributeMap attributes = {}, std::string domain = "com.microsoft") {
  OpCase out{std::move(op_type), std::move(operands), std::move(attributes)};
  out.domain = std::move(domain);
  out.device = device;
  return out;
}

// 1.5 steps and a zero point of 3.
TEST(Devices, Add) {
  const std::vector<Operand> operands = {u8({1}, {3}), scale(0.5F), zero(2),     u8({1}, {3}),
                                         scale(0.5F),  zero(1),     scale(1.0F), zero(3)};
  expect_output(on(kExact, "QLinearAdd", operands), u8({1}, {4}));
  expect_output(on(kPairs, "QLinearAdd", operands), u8({1}, {4}));
  expect_output(on(kNeon, "QLinearAdd", operands), u8({1}, {5}));
  expect_output(on(kFixed, "QLinearAdd", operands), u8({1}, {5}));
}

// Half a step, up and down.
TEST(Devices, Mul) {
  const std::vector<Operand> operands = {u8({2}, {11, 9}), scale(0.5F), zero(10),    u8({1}, {1}),
                                         scale(0.5F),      zero(0),     scale(0.5F), zero(100)};
  expect_output(on(kExact, "QLinearMul", operands), u8({2}, {100, 100}));
  expect_output(on(kNeon, "QLinearMul", operands), u8({2}, {100, 100}));
  expect_output(on(kFixed, "QLinearMul", operands), u8({2}, {101, 100}));
}

TEST(Devices, Averages) {
  const Tensor x = u8({1, 1, 2, 2}, {1, 2, 3, 3});  // 2.25 of 0.5 in steps of 0.25: 4.5
  const std::vector<Operand> operands = {x, scale(0.5F), zero(0), scale(0.25F), zero(1)};
  expect_output(on(kExact, "QLinearGlobalAveragePool", operands), u8({1, 1, 1, 1}, {5}));
  expect_output(on(kFixed, "QLinearGlobalAveragePool", operands), u8({1, 1, 1, 1}, {6}));
  const ir::AttributeMap window = {{"kernel_shape", Extents{2, 2}}, {"pads", Extents{1, 0, 0, 0}}};
  expect_output(on(kExact, "QLinearAveragePool", operands, window), u8({1, 1, 2, 1}, {4, 6}));
  expect_output(on(kFixed, "QLinearAveragePool", operands, window), u8({1, 1, 2, 1}, {4, 6}));
  ir::AttributeMap counted = window;
  counted["count_include_pad"] = int64_t{1};  // 3 / 4 of 0.5 is 1.5 steps
  expect_output(on(kExact, "QLinearAveragePool", operands, counted), u8({1, 1, 2, 1}, {2, 6}));
  expect_output(on(kFixed, "QLinearAveragePool", operands, counted), u8({1, 1, 2, 1}, {3, 6}));
}

TEST(Devices, Products) {
  const Tensor a = u8({1, 3}, {255, 255, 255});
  const Tensor b = s8({3, 1}, {127, 127, 127});
  expect_output(on(kExact, "MatMulInteger", {a, b}, {}, ""), i32({1, 1}, {97155}));
  // A pair, and a product alone.
  expect_output(on(kPairs, "MatMulInteger", {a, b}, {}, ""), i32({1, 1}, {32767 + 32385}));
  const Tensor x = u8({1, 3, 1}, {255, 255, 255});
  const Tensor w = s8({1, 3, 1}, {127, 127, 127});
  expect_output(on(kPairs, "ConvInteger", {x, w}, {}, ""), i32({1, 1, 1}, {32767 + 32385}));
  // Zero points are taken off afterwards.
  expect_output(on(kPairs, "ConvInteger", {x, w, zero(1)}, {}, ""),
                i32({1, 1, 1}, {32767 + 32385 - 3 * 127}));
  // Depthwise: exact.
  const Tensor planes = u8({1, 2, 2}, {255, 255, 255, 255});
  const Tensor each = s8({2, 1, 2}, {127, 127, -128, -128});
  expect_output(on(kPairs, "ConvInteger", {planes, each}, {{"group", int64_t{2}}}, ""),
                i32({1, 2, 1}, {64770, -65280}));
}

TEST(Devices, Requantization) {
  // A sum of 5 halves is 2.5.
  const std::vector<Operand> operands = {u8({1, 1}, {5}), scale(0.5F),   zero(0),
                                         s8({1, 1}, {1}), f32({1}, {1}), s8({1}, {0}),
                                         i32({1}, {0}),   scale(1.0F),   zero(10)};
  expect_output(on(kExact, "QGemm", operands), u8({1, 1}, {12}));
  expect_output(on(kFixed, "QGemm", operands), u8({1, 1}, {13}));
  const std::vector<Operand> product = {u8({1, 1}, {5}), scale(0.5F),  zero(0),     s8({1, 1}, {1}),
                                        f32({1}, {1}),   s8({1}, {0}), scale(1.0F), zero(10)};
  expect_output(on(kExact, "QLinearMatMul", product, {}, ""), u8({1, 1}, {12}));
  expect_output(on(kFixed, "QLinearMatMul", product, {}, ""), u8({1, 1}, {13}));
  const std::vector<Operand> conv = {u8({1, 1, 1}, {5}), scale(0.5F),   zero(0),
                                     s8({1, 1, 1}, {1}), f32({1}, {1}), s8({1}, {0}),
                                     scale(1.0F),        zero(10)};
  expect_output(on(kExact, "QLinearConv", conv, {}, ""), u8({1, 1, 1}, {12}));
  expect_output(on(kFixed, "QLinearConv", conv, {}, ""), u8({1, 1, 1}, {13}));
}

}  // namespace
}  // namespace octet::ops
