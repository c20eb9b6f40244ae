// Elementwise operators, pools, rows, movement and quantization against reference evaluation, on
// row-major values and behind a convolution, where values are blocked.
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
  for (const char* op : {"Exp", "Sigmoid", "Tanh", "Erf", "Relu", "LeakyRelu", "Abs", "Neg",
                         "Sqrt", "Reciprocal", "HardSigmoid", "Elu"}) {
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
        EXPECT_NEAR(actual[i], expected[i], 1e-6 * std::fabs(expected[i]) + 1e-37) << op << " " << i;
      }
    }
  }
}

// A value of 21 channels, blocked and padded where kernels block.
ValueId blocked(GraphBuilder& b, const std::string& name, int64_t channels = 21, int64_t batch = 2,
                Ints spatial = {5, 6}) {
  Ints shape = {batch, 4};
  Ints kernel = {channels, 4};
  shape.insert(shape.end(), spatial.begin(), spatial.end());
  kernel.insert(kernel.end(), spatial.size(), 1);
  return b.op("Conv", {b.input(name + "_in", shape), b.constant(name + "_w", random_tensor(9, kernel))},
              {}, name);
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
      {{2, 3, 4}, {2, 3, 4}}, {{2, 3, 4}, {4}},       {{2, 3, 4}, {3, 1}},    {{2, 3, 4}, {}},
      {{}, {2, 3, 4}},        {{2, 1, 4}, {3, 1}},    {{1}, {5, 1}},          {{4, 1}, {1, 5}},
      {{2, 3, 1, 5}, {1, 3, 4, 1}}, {{1, 7, 1, 1}, {2, 7, 3, 3}}, {{1, 1, 1}, {3}},
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

TEST(Pool, IsLikeReference) {
  const std::vector<ir::AttributeMap> attributes = {
      {{"kernel_shape", Ints{3, 3}}},
      {{"kernel_shape", Ints{2, 3}}, {"strides", Ints{2, 1}}},
      {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}},
      {{"kernel_shape", Ints{3, 2}}, {"strides", Ints{2, 2}}, {"pads", Ints{0, 1, 1, 0}}},
      {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"ceil_mode", int64_t{1}}},
      {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{3, 2}}, {"pads", Ints{1, 1, 1, 1}},
       {"ceil_mode", int64_t{1}}},
      {{"kernel_shape", Ints{3, 3}}, {"auto_pad", std::string("SAME_UPPER")},
       {"strides", Ints{2, 2}}},
  };
  for (int64_t channels : {16, 21, 3}) {
    for (const ir::AttributeMap& a : attributes) {
      auto b = builder();
      const ValueId behind = blocked(b, "conv", channels, 2, {8, 9});
      const ValueId plain = b.input("x", {2, channels, 8, 9});
      for (ValueId x : {behind, plain}) {
        b.output(b.op("MaxPool", {x}, a));
        b.output(b.op("AveragePool", {x}, a));
        ir::AttributeMap counted = a;
        counted["count_include_pad"] = int64_t{1};
        b.output(b.op("AveragePool", {x}, counted));
        b.output(b.op("GlobalAveragePool", {x}));
        b.output(b.op("GlobalMaxPool", {x}));
        b.output(b.op("ReduceMean", {x}, {{"axes", Ints{2, 3}}}));
        b.output(b.op("ReduceMean", {x}, {{"axes", Ints{-1, 2}}, {"keepdims", int64_t{0}}}));
      }
      expect_like_reference(b.finish());
    }
  }
}

TEST(Pool, OfOtherRanksDilationsAndIndicesIsLikeReference) {
  auto b = builder();
  b.output(b.op("MaxPool", {b.input("a", {1, 5, 11})}, {{"kernel_shape", Ints{3}}}));
  b.output(b.op("AveragePool", {b.input("b", {1, 5, 4, 5, 6})}, {{"kernel_shape", Ints{2, 2, 2}}}));
  const ValueId x = b.input("c", {1, 5, 9, 9});
  b.output(b.op("MaxPool", {x}, {{"kernel_shape", Ints{2, 2}}, {"dilations", Ints{2, 3}}}));
  ir::NodeSpec spec{"MaxPool", {x}, {{"kernel_shape", Ints{2, 2}}}, "with_indices"};
  spec.outputs = 2;
  for (ValueId id : b.node(spec)) b.output(id);
  expect_like_reference(b.finish());
}

TEST(Rows, SoftmaxIsLikeReference) {
  for (int64_t opset : {11, 17}) {
    for (int64_t axis : {0, 1, 2, -1}) {
      auto b = builder(opset);
      b.output(b.op("Softmax", {b.input("x", {3, 5, 37})}, {{"axis", axis}}));
      expect_like_reference(b.finish());
    }
  }
}

TEST(Rows, SoftmaxOfMaskedAndLargeScoresIsLikeReference) {
  const float low = std::numeric_limits<float>::lowest();
  auto b = builder();
  b.output(b.op("Softmax", {b.input("x", {2, 5})}));
  expect_like_reference(b.finish(), {Tensor::of<float>({2, 5}, {1e30F, low, 3e38F, 0.0F, 3e38F,  //
                                                                low, low, low, low, 5.0F})});
}

TEST(Rows, NormalizationIsLikeReference) {
  for (int64_t axis : {-1, 1}) {
    auto b = builder(23);
    const Ints shape = axis == -1 ? Ints{37} : Ints{5, 37};
    const ValueId scale = b.constant("scale", random_tensor(3, shape));
    const ValueId bias = b.constant("bias", random_tensor(4, shape));
    const ValueId x = b.input("x", {3, 5, 37});
    const ValueId far = b.op("Add", {x, b.constant("offset", Tensor::scalar(100.0F))});
    b.output(b.op("LayerNormalization", {x, scale, bias}, {{"axis", axis}}));
    b.output(b.op("LayerNormalization", {x, scale}, {{"axis", axis}}));
    b.output(b.op("RMSNormalization", {x, scale}, {{"axis", axis}}));
    b.output(b.op("LayerNormalization", {far, scale, bias}, {{"axis", axis}}));
    expect_like_reference(b.finish(), 1, 2e-5);
  }
}

TEST(Rows, NormalizationWithOtherOperandsIsLikeReference) {
  auto b = builder();
  const ValueId x = b.input("x", {3, 5, 8});
  b.output(b.op("LayerNormalization", {x, b.constant("one", random_tensor(3, {1}))}));
  b.output(b.op("LayerNormalization", {x, b.constant("all", random_tensor(3, {3, 5, 8}))}));
  ir::NodeSpec spec{"LayerNormalization", {x, b.constant("row", random_tensor(3, {8}))}, {}, "all_outputs"};
  spec.outputs = 3;
  for (ValueId id : b.node(spec)) b.output(id);
  expect_like_reference(b.finish());
}

TEST(Rows, ReductionsAreLikeReference) {
  for (const char* op : {"ReduceMean", "ReduceSum"}) {
    for (const Ints& axes : {Ints{2}, Ints{1, 2}, Ints{0, 1, 2}, Ints{0}, Ints{-1}, Ints{0, 2}, Ints{}}) {
      for (int64_t keep : {0, 1}) {
        auto b = builder(18);
        const ValueId x = b.input("x", {3, 5, 37});
        const ValueId a = b.constant("axes", Tensor::of<int64_t>({static_cast<int64_t>(axes.size())}, axes));
        b.output(b.op(op, {x, a}, {{"keepdims", keep}}));
        b.output(b.op(op, {x}, {{"keepdims", keep}}));
        b.output(b.op(op, {x}, {{"keepdims", keep}, {"noop_with_empty_axes", int64_t{1}}}));
        expect_like_reference(b.finish());
      }
    }
  }
}

TEST(Move, TransposeIsLikeReference) {
  for (const Ints& order : {Ints{0, 1, 2, 3}, Ints{3, 2, 1, 0}, Ints{0, 2, 1, 3}, Ints{0, 1, 3, 2},
                            Ints{1, 2, 3, 0}, Ints{0, 3, 1, 2}, Ints{0, 2, 3, 1}, Ints{2, 3, 0, 1},
                            Ints{1, 0, 2, 3}}) {
    auto b = builder();
    b.output(b.op("Transpose", {b.input("x", {2, 21, 5, 6})}, {{"perm", order}}));
    b.output(b.op("Transpose", {blocked(b, "conv")}, {{"perm", order}}));
    const ValueId ids = b.op("Cast", {b.input("y", {2, 3, 4, 5})}, {{"to", int64_t{7}}});
    b.output(b.op("Transpose", {ids}, {{"perm", order}}));
    expect_like_reference(b.finish());
  }
}

TEST(Move, ConcatAndSplitAreLikeReference) {
  for (int64_t axis : {0, 1, 2, -1}) {
    for (int64_t channels : {16, 21, 32}) {
      auto b = builder();
      const ValueId x = blocked(b, "one", channels);
      const ValueId y = blocked(b, "two", channels);
      const ValueId z = b.input("plain", {2, channels, 5, 6});
      const ValueId joined = b.op("Concat", {x, y, z}, {{"axis", axis}}, "joined");
      b.output(joined);
      b.output(b.op("Relu", {b.op("Concat", {z, z}, {{"axis", axis}})}));
      b.output(b.op("MaxPool", {joined}, {{"kernel_shape", Ints{2, 2}}}));
    expect_like_reference(b.finish());
    }
  }
  for (int64_t channels : {32, 42}) {
    for (int64_t axis : {1, 3}) {
      auto b = builder();
      for (ValueId x : {blocked(b, "conv", channels), b.input("x", {2, channels, 5, 6})}) {
        ir::NodeSpec spec{"Split", {x}, {{"axis", axis}}, cat("split", x.value)};
        spec.outputs = 2;
        for (ValueId id : b.node(spec)) b.output(b.op("Relu", {id}));
      }
      expect_like_reference(b.finish());
    }
  }
}

TEST(Move, ViewsAreLikeReference) {
  auto b = builder();
  const ValueId x = blocked(b, "conv");
  const ValueId shape = b.constant("shape", Tensor::of<int64_t>({3}, {2, 3, -1}));
  const ValueId y = b.op("Reshape", {x, shape}, {}, "reshaped");
  b.output(y);
  b.output(b.op("Relu", {y}));
  const ValueId z = b.op("Identity", {b.op("Relu", {x})}, {}, "same");
  b.output(b.op("Flatten", {z}));
  b.output(b.op("Abs", {z}));
  const ValueId input = b.input("input", {6});
  b.output(b.op("Reshape", {input, b.constant("rows", Tensor::of<int64_t>({2}, {2, 3}))}));
  b.output(b.op("Identity", {input}));
  const ValueId c = b.constant("c", random_tensor(3, {4}));
  b.output(b.op("Identity", {c}));
  expect_like_reference(b.finish());
}

TEST(Move, APaddedVectorOfChannelsIsARow) {
  for (int64_t batch : {1, 2}) {
    for (int64_t channels : {16, 21}) {
      auto b = builder();
      const ValueId pooled = b.op("GlobalAveragePool", {blocked(b, "conv", channels, batch)});
      const ValueId row = b.op("Flatten", {pooled});
      b.output(row);
      b.output(pooled);
      b.output(b.op("Gemm", {row, b.constant("w", random_tensor(3, {channels, 5}))}));
      expect_like_reference(b.finish());
    }
  }
}

TEST(Move, ReshapesOfImagesKeepTheirLayout) {
  for (int64_t channels : {16, 21}) {
    auto b = builder();
    const ValueId x = blocked(b, "conv", channels);
    const ValueId flat = b.constant("flat", Tensor::of<int64_t>({3}, {2, channels, 30}));
    const ValueId wide = b.constant("wide", Tensor::of<int64_t>({5}, {2, channels, 5, 1, 6}));
    const ValueId rows = b.op("Reshape", {x, flat}, {}, "rows");
    b.output(b.op("Transpose", {rows}, {{"perm", Ints{0, 2, 1}}}));
    b.output(b.op("Sigmoid", {b.op("Reshape", {rows, wide})}));
    b.output(b.op("Flatten", {rows}));
    // From channels last and back.
    const ValueId last = b.input("last", {2, 5, 6, channels});
    const ValueId first = b.op("Transpose", {last}, {{"perm", Ints{0, 3, 1, 2}}}, "first");
    b.output(b.op("Conv", {first, b.constant("w", random_tensor(3, {4, channels, 1, 1}))}));
    b.output(b.op("Transpose", {b.op("Relu", {first})}, {{"perm", Ints{0, 2, 3, 1}}}));
    b.output(first);
    expect_like_reference(b.finish());
  }
}

TEST(Resize, IsLikeReference) {
  for (const char* mode : {"nearest", "linear", "cubic"}) {
    for (const char* coordinates :
         {"half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"}) {
      for (int64_t channels : {3, 16, 21}) {
        auto b = builder(13);
        const ir::AttributeMap attributes = {
            {"mode", std::string(mode)},
            {"coordinate_transformation_mode", std::string(coordinates)}};
        const ValueId roi = b.constant("roi", Tensor::of<float>({0}, {}));
        const ValueId scales = b.constant("scales", Tensor::of<float>({4}, {1, 1, 2, 1.7F}));
        const ValueId none = b.constant("none", Tensor::of<float>({0}, {}));
        const ValueId sizes = b.constant("sizes", Tensor::of<int64_t>({4}, {2, channels, 3, 9}));
        for (ValueId x : {blocked(b, "conv", channels), b.input("x", {2, channels, 5, 6})}) {
          b.output(b.op("Resize", {x, roi, scales}, attributes));
          b.output(b.op("Relu", {b.op("Resize", {x, roi, none, sizes}, attributes)}));
        }
        expect_like_reference(b.finish());
      }
    }
  }
}

TEST(Resize, OfOlderModelsIsLikeReference) {
  for (int64_t opset : {9, 10}) {
    auto b = builder(opset);
    const ValueId scales = b.constant("scales", Tensor::of<float>({4}, {1, 1, 2, 2}));
    const ValueId x = b.input("x", {1, 3, 4, 5});
    for (const char* mode : {"nearest", "linear"}) {
      b.output(b.op(opset == 9 ? "Upsample" : "Resize", {x, scales}, {{"mode", std::string(mode)}}));
    }
    expect_like_reference(b.finish());
  }
}

// x -> Q -> DQ with the given parameters; integers have to be the same bit for bit.
ValueId quantized(GraphBuilder& b, const std::string& name, ValueId x, const Tensor& scale,
                  const Tensor& zero_point, int64_t axis = 1) {
  const ValueId s = b.constant(name + "_scale", scale);
  const ValueId z = b.constant(name + "_zero_point", zero_point);
  const ValueId q = b.op("QuantizeLinear", {x, s, z}, {{"axis", axis}}, name + "_q");
  return b.op("DequantizeLinear", {q, s, z}, {{"axis", axis}}, name + "_dq");
}

TEST(Quantize, IsTheSameAsReference) {
  auto b = builder();
  const ValueId x = b.input("x", {2, 21, 5, 7});
  b.output(quantized(b, "u8", x, Tensor::scalar(0.013F), Tensor::scalar<uint8_t>(117)));
  b.output(quantized(b, "s8", x, Tensor::scalar(0.011F), Tensor::scalar<int8_t>(-3)));
  const Tensor scales = random_tensor(3, {21}, 0.01F, 0.05F);
  std::vector<uint8_t> zeros(21);
  for (size_t i = 0; i < zeros.size(); ++i) zeros[i] = static_cast<uint8_t>(120 + i);
  b.output(quantized(b, "axis", x, scales, Tensor::of<uint8_t>({21}, zeros)));
  b.output(quantized(b, "last", x, random_tensor(3, {7}, 0.01F, 0.05F),
                     Tensor::of<int8_t>({7}, {0, 1, 2, 3, 4, 5, 6}), 3));
  expect_like_reference(b.finish(), 1, 0.0);
}

TEST(Quantize, BetweenConvolutionsIsLikeReference) {
  for (int64_t channels : {16, 21}) {
    auto b = builder();
    const ValueId x = quantized(b, "x", b.input("in", {1, 5, 8, 8}), Tensor::scalar(0.02F),
                                Tensor::scalar<uint8_t>(100));
    std::vector<int8_t> weights(static_cast<size_t>(channels) * 5 * 9);
    Random random(4);
    for (int8_t& w : weights) w = static_cast<int8_t>(random.below(255) - 127);
    const ValueId w = b.op("DequantizeLinear",
                           {b.constant("w", Tensor::of<int8_t>({channels, 5, 3, 3}, weights)),
                            b.constant("ws", random_tensor(5, {channels}, 0.001F, 0.01F)),
                            b.constant("wz", must(Tensor::zeros(DType::kInt8, {channels})))},
                           {{"axis", int64_t{0}}});
    const ValueId y = b.op("Relu", {b.op("Conv", {x, w})});
    const ValueId q = quantized(b, "y", y, Tensor::scalar(0.05F), Tensor::scalar<uint8_t>(7));
    b.output(b.op("MaxPool", {q}, {{"kernel_shape", Ints{2, 2}}}));
    b.output(q);
    // A sum in another order may land on the other side of a tie: one step of the quantizer.
    expect_like_reference(b.finish(), 1, 0.01);
  }
}

TEST(Quantize, OfBlockedValuesCanBeReadAsIntegers) {
  for (int64_t channels : {16, 21}) {
    auto b = builder();
    const ValueId x = blocked(b, "conv", channels);
    const ValueId s = b.constant("s", Tensor::scalar(0.5F));
    const ValueId z = b.constant("z", Tensor::scalar<uint8_t>(128));
    const ValueId q = b.op("QuantizeLinear", {b.op("Round", {x}), s, z}, {}, "q");
    const ValueId direct = b.op("QuantizeLinear", {b.op("Mul", {x, s}), s, z}, {}, "direct");
    b.output(q);
    b.output(b.op("Transpose", {q}));
    b.output(b.op("DequantizeLinear", {direct, s, z}));
    b.output(b.op("Flatten", {direct}));
    expect_like_reference(b.finish(), 1, 0.1);
  }
}

}  // namespace
}  // namespace octet::interpreter
