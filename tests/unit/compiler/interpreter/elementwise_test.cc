// Elementwise operators against reference evaluation, on row-major values and behind a convolution,
// where values are blocked.
#include <limits>

#include "tests/unit/compiler/interpreter/compare.h"

namespace octet::interpreter {
namespace {

// Values of a range, and those where functions turn.
Tensor sweep(float low, float high) {
  std::vector<float> values = {0.0F, -0.0F, 1e-30F, -1e-30F, 0.625F, -0.625F, 1.0F, -1.0F};
  for (int i = 0; i <= 2000; ++i) {
    values.push_back(low + (high - low) * static_cast<float>(i) / 2000.0F);
  }
  return Tensor::of<float>({static_cast<int64_t>(values.size())}, values);
}

// Every element within `tolerance` of its own magnitude.
void expect_relative(const std::string& op, const Tensor& x, double tolerance,
                     ir::AttributeMap attributes = {}) {
  auto b = builder(20);
  b.output(b.op(op, {b.input("x", x.shape())}, std::move(attributes)));
  const auto graph = std::make_shared<const Graph>(b.finish());
  Options reference;
  reference.kernels = Kernels::kReference;
  const auto expected = run(graph, {x}, reference)[0].to_floats();
  const auto actual = run(graph, {x})[0].to_floats();
  for (size_t i = 0; i < expected.size(); ++i) {
    if (expected[i] == actual[i] || (std::isnan(expected[i]) && std::isnan(actual[i]))) continue;
    EXPECT_LE(std::fabs(static_cast<double>(actual[i]) - expected[i]),
              tolerance * std::fabs(expected[i]) + 1e-37)
        << op << " of " << x.data<float>()[i] << ": " << actual[i] << ", not " << expected[i];
  }
}

TEST(Unary, FunctionsAreAccurateOverTheirRange) {
  expect_relative("Exp", sweep(-87.0F, 88.7F), 4e-7);
  expect_relative("Sigmoid", sweep(-80.0F, 80.0F), 5e-7);
  expect_relative("Tanh", sweep(-12.0F, 12.0F), 4e-7);
  expect_relative("Erf", sweep(-6.0F, 6.0F), 5e-7);
  expect_relative("HardSwish", sweep(-6.0F, 6.0F), 1e-6);
  expect_relative("HardSigmoid", sweep(-6.0F, 6.0F), 1e-6);
  expect_relative("Sqrt", sweep(0.0F, 6.0F), 1e-7);
  expect_relative("Reciprocal", sweep(1.0F, 6.0F), 1e-7);
  expect_relative("Elu", sweep(-20.0F, 6.0F), 4e-7);
  expect_relative("LeakyRelu", sweep(-6.0F, 6.0F), 1e-7, {{"alpha", 0.3F}});
}

TEST(Unary, FunctionsKeepWhatHasNoNumber) {
  const float inf = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor x = Tensor::of<float>({7}, {inf, -inf, nan, 3e38F, -3e38F, 1e-40F, -1e-40F});
  for (const char* op : {"Exp", "Sigmoid", "Tanh", "Erf", "Relu", "LeakyRelu", "Abs", "Neg", "Sqrt",
                         "Reciprocal", "HardSigmoid", "Elu"}) {
    auto b = builder();
    b.output(b.op(op, {b.input("x", {7})}));
    const auto graph = std::make_shared<const Graph>(b.finish());
    Options reference;
    reference.kernels = Kernels::kReference;
    const auto expected = run(graph, {x}, reference)[0].to_floats();
    const auto actual = run(graph, {x})[0].to_floats();
    for (size_t i = 0; i < expected.size(); ++i) {
      if (std::isnan(expected[i])) {
        EXPECT_TRUE(std::isnan(actual[i])) << op << " " << i;
      } else if (std::isinf(expected[i])) {
        EXPECT_EQ(actual[i], expected[i]) << op << " " << i;
      } else {
        EXPECT_NEAR(actual[i], expected[i], 1e-6 * std::fabs(expected[i]) + 1e-37)
            << op << " " << i;
      }
    }
  }
}

TEST(Unary, BehindConvIsLikeReference) {
  for (const char* op : {"Abs", "Elu", "Erf", "Exp", "Gelu", "HardSigmoid", "HardSwish",
                         "LeakyRelu", "Neg", "Relu", "Sigmoid", "Tanh"}) {
    for (int64_t channels : {16, 21}) {
      auto b = builder(20);
      const ValueId x = blocked(b, "conv", channels);
      b.output(x);  // not fused
      const ValueId y = b.op(op, {x}, {}, "op");
      const ValueId w = b.constant("w", random_tensor(5, {7, channels, 1, 1}));
      b.output(b.op("Conv", {y, w}, {}, "after"));  // padding that is not zero would show
      b.output(y);
      expect_like_reference(b.finish(), 1, 5e-6);
    }
  }
}

TEST(Unary, GeluPowAndClipAreLikeReference) {
  auto b = builder(20);
  const ValueId x = b.input("x", {3, 50});
  b.output(b.op("Gelu", {x}));
  b.output(b.op("Gelu", {x}, {{"approximate", std::string("tanh")}}));
  b.output(b.op("Pow", {x, b.constant("two", Tensor::scalar(2.0F))}));
  b.output(b.op("Pow", {x, b.constant("three", Tensor::of<int64_t>({1}, {3}))}));
  const ValueId low = b.constant("low", Tensor::scalar(-0.25F));
  const ValueId high = b.input("high", Ints{});
  b.output(b.op("Clip", {x, low}));
  b.output(b.op("Clip", {x, ValueId(), low}));
  b.output(b.op("Clip", {x, low, high}));
  b.output(b.op("Clip", {x}));
  expect_like_reference(b.finish());
}

TEST(Binary, WithBroadcastingIsLikeReference) {
  const std::pair<Ints, Ints> shapes[] = {
      {{2, 3, 4}, {2, 3, 4}},
      {{2, 3, 4}, {4}},
      {{2, 3, 4}, {3, 1}},
      {{2, 3, 4}, {}},
      {{}, {2, 3, 4}},
      {{2, 1, 4}, {3, 1}},
      {{1}, {5, 1}},
      {{4, 1}, {1, 5}},
      {{2, 3, 1, 5}, {1, 3, 4, 1}},
      {{1, 7, 1, 1}, {2, 7, 3, 3}},
      {{1, 1, 1}, {3}},
  };
  for (const char* op : {"Add", "Sub", "Mul", "Div", "Max", "Min", "Pow"}) {
    for (const auto& [left, right] : shapes) {
      auto b = builder();
      const ValueId x = b.op("Abs", {b.input("x", left)});
      b.output(b.op(op, {x, b.input("y", right)}));
      b.output(b.op(op, {x, b.constant("c", random_tensor(8, right))}));
      b.output(b.op(op, {x, x}));
      expect_like_reference(b.finish(), 1, 1e-6);
    }
  }
}

TEST(Binary, OfBlockedOperandsIsLikeReference) {
  for (const char* op : {"Add", "Sub", "Mul", "Div", "Max", "Min", "PRelu"}) {
    // A divisor near zero passes on what its sum is off by.
    const double tolerance = std::string(op) == "Div" ? 1e-3 : kTolerance;
    for (int64_t channels : {16, 21}) {
      const std::vector<Ints> others = {{},
                                        {1},
                                        {channels, 1, 1},
                                        {1, channels, 1, 1},
                                        {2, channels, 1, 1},
                                        {2, 1, 1, 1},
                                        {2, channels, 5, 6},
                                        {6},
                                        {5, 1},
                                        {1, channels, 5, 6}};
      for (const Ints& shape : others) {
        for (bool first : {true, false}) {
          if (!first && std::string(op) == "PRelu") continue;
          auto b = builder();
          const ValueId x = blocked(b, "conv", channels);
          b.output(x);  // not fused
          const ValueId y = b.constant("c", random_tensor(8, shape, 0.5F, 2.0F));
          const ValueId z = first ? b.op(op, {x, y}, {}, "op") : b.op(op, {y, x}, {}, "op");
          const ValueId w = b.constant("w", random_tensor(5, {7, channels, 1, 1}));
          b.output(b.op("Conv", {z, w}, {}, "after"));
          b.output(z);
          expect_like_reference(b.finish(), 1, tolerance);
        }
      }
      auto b = builder();
      const ValueId x = blocked(b, "one", channels);
      const ValueId y = b.op("Abs", {blocked(b, "two", channels)});
      b.output(x);
      b.output(b.op(op, {x, y}));
      b.output(b.op(op, {x, x}));
      expect_like_reference(b.finish(), 1, tolerance);
    }
  }
}

TEST(Binary, ChannelsThatARunComputesAreLikeReference) {  // squeeze and excite
  for (int64_t batch : {1, 3}) {
    for (int64_t channels : {16, 21}) {
      auto b = builder();
      const ValueId x = blocked(b, "conv", channels, batch);
      const ValueId pooled = b.op("GlobalAveragePool", {x});
      const ValueId w = b.constant("w", random_tensor(5, {channels, channels, 1, 1}));
      const ValueId gate = b.op("HardSigmoid", {b.op("Conv", {pooled, w})});
      b.output(b.op("Mul", {x, gate}));
      expect_like_reference(b.finish());
    }
  }
}

TEST(BatchNormalization, IsLikeReference) {
  for (int64_t channels : {16, 21}) {
    auto b = builder();
    const auto numbers = [&](const std::string& name, float low) {
      return b.constant(name, random_tensor(7, {channels}, low, 2.0F));
    };
    const ValueId scale = numbers("scale", -2.0F);
    const ValueId bias = numbers("bias", -2.0F);
    const ValueId mean = numbers("mean", -2.0F);
    const ValueId variance = numbers("variance", 0.1F);
    const auto norm = [&](ValueId x) {
      return b.op("BatchNormalization", {x, scale, bias, mean, variance}, {{"epsilon", 1e-3F}});
    };
    const ValueId after = norm(blocked(b, "conv", channels));
    b.output(after);
    b.output(b.op("Conv", {after, b.constant("w", random_tensor(5, {3, channels, 1, 1}))}));
    b.output(norm(b.input("x", {2, channels, 3, 4})));
    b.output(norm(b.input("y", {3, channels})));
    expect_like_reference(b.finish(), 1, 1e-5);
  }
}

// The pieces of Gelu in the orders of exporters; `half` is the factor in place of 0.5.
enum class GeluOrder { kHalfAtLast, kHalfFirst, kHalfLast };

ValueId gelu_of_pieces(GraphBuilder& b, ValueId x, GeluOrder order, float half = 0.5F) {
  const auto number = [&](float value) {
    return b.constant(b.graph().unique_value_name("number"), Tensor::scalar(value));
  };
  const ValueId root = b.op("Div", {x, number(1.41421356F)});
  const ValueId sum = b.op("Add", {b.op("Erf", {root}), number(1.0F)});
  if (order == GeluOrder::kHalfFirst) {
    return b.op("Mul", {b.op("Mul", {number(half), x}), sum});
  }
  if (order == GeluOrder::kHalfLast) return b.op("Mul", {x, b.op("Mul", {sum, number(half)})});
  return b.op("Mul", {b.op("Mul", {x, sum}), number(half)});
}

std::vector<std::string> steps_of(const Graph& graph) {
  Profile profile;
  const Interpreter interpreter =
      must(Interpreter::create(std::make_shared<const Graph>(graph), {}));
  must(interpreter.run(random_inputs(graph, 1), nullptr, &profile));
  std::vector<std::string> out;
  for (const Profile::Entry& entry : profile.operators()) out.push_back(entry.op);
  return out;
}

TEST(GeluOfPieces, IsOneStepAndLikeReference) {
  for (const GeluOrder order :
       {GeluOrder::kHalfAtLast, GeluOrder::kHalfFirst, GeluOrder::kHalfLast}) {
    auto b = builder();
    b.output(gelu_of_pieces(b, b.input("x", {3, 37}), order));
    Graph alone = b.finish();
    EXPECT_EQ(steps_of(alone).size(), 1U);
    expect_like_reference(std::move(alone));

    auto c = builder();
    const ValueId product =
        c.op("MatMul", {c.input("x", {2, 9, 16}), c.constant("w", random_tensor(3, {16, 24}))});
    const ValueId sum = c.op("Add", {product, c.constant("bias", random_tensor(4, {24}))});
    c.output(gelu_of_pieces(c, sum, order));
    c.output(gelu_of_pieces(c, blocked(c, "conv"), order));
    Graph behind = c.finish();
    expect_like_reference(std::move(behind));
  }
}

TEST(GeluOfPieces, WhatIsNotGeluStaysInPieces) {
  auto b = builder();
  const ValueId x = b.input("x", {3, 37});
  b.output(gelu_of_pieces(b, x, GeluOrder::kHalfAtLast, 0.25F));
  expect_like_reference(b.finish());
  auto c = builder();
  const ValueId y = c.input("x", {3, 37});
  c.output(gelu_of_pieces(c, y, GeluOrder::kHalfFirst));
  c.output(c.op("Abs", {y}));  // a third reader
  expect_like_reference(c.finish());
}

}  // namespace
}  // namespace octet::interpreter
