// Operators on 8-bit integers: fast kernels against reference evaluation, bit for bit.
#include "tests/unit/compiler/interpreter/integer_support.h"

namespace octet::interpreter {
namespace {

const Activation kU8{DType::kUint8, 0.021F, 117};
const Activation kS8{DType::kInt8, 0.023F, -5};
const Activation kSymmetric{DType::kInt8, 0.027F, 0};
const Activation kOutU8{DType::kUint8, 0.043F, 3};
const Activation kOutS8{DType::kInt8, 0.041F, 9};

// A shuffle of channels between quantizers of one scale, in the middle of convolutions.
TEST(IntegerMoves, ChannelShufflesAndSplitsBetweenConvolutionsAreExact) {
  for (const auto& [channels, groups] : {std::pair{58, 2}, {48, 3}, {16, 2}}) {
    auto b = builder();
    const ValueId x = through(b, b.input("x", {1, 3, 9, 7}), kU8);
    const ValueId y = through(b, b.op("Conv", {x, weight(b, {channels, 3, 1, 1}, 0)}), kOutU8);
    const auto extents = [&](const Ints& shape) {
      return number(b, "shape", Tensor::of<int64_t>({static_cast<int64_t>(shape.size())}, shape));
    };
    const ValueId cut = b.op("Reshape", {y, extents({1, groups, channels / groups, 9, 7})});
    const ValueId turned =
        b.op("Transpose", {through(b, cut, kOutU8)}, {{"perm", Ints{0, 2, 1, 3, 4}}});
    const ValueId joined =
        b.op("Reshape", {through(b, turned, kOutU8), extents({1, channels, 9, 7})});
    ir::NodeSpec split{"Split",
                       {through(b, joined, kOutU8), extents({channels / 2, channels / 2})},
                       {{"axis", int64_t{1}}}};
    split.outputs = 2;
    for (const ValueId part : b.node(split)) {
      const ValueId in = through(b, part, kOutU8);
      b.output(through(b, b.op("Conv", {in, weight(b, {8, channels / 2, 1, 1}, 0)}), kU8));
    }
    expect_exact(b.finish());
  }
}

TEST(IntegerMoves, TablesTakeAnyLength) {
  for (const int64_t count : {1, 63, 64, 65, 1000}) {
    for (const Activation& a : {kU8, kS8}) {
      auto b = builder();
      const ValueId x = through(b, b.input("x", {count}), a);
      b.output(quantize(b, b.op("LeakyRelu", {x}, {{"alpha", 0.3F}}), a));
      expect_exact(b.finish());
    }
  }
}

struct ConvCase {
  const char* name;
  Ints input;
  Ints weight;
  ir::AttributeMap attributes = {};
};

void PrintTo(const ConvCase& c, std::ostream* out) { *out << c.name; }

class IntegerConv : public ::testing::TestWithParam<ConvCase> {};

TEST_P(IntegerConv, IsExact) {
  const ConvCase& c = GetParam();
  for (const auto& [from, to] : {std::pair{kU8, kOutU8}, {kS8, kOutS8}, {kSymmetric, kOutS8}}) {
    auto b = builder();
    const ValueId x = through(b, b.input("x", c.input), from);
    const ValueId w = weight(b, c.weight, 0);
    const ValueId with_bias = b.op("Conv", {x, w, bias(b, c.weight[0], from.scale)}, c.attributes);
    const ValueId y = through(b, with_bias, to);
    b.output(y);
    b.output(b.op("Relu", {y}));
    b.output(quantize(b, b.op("Conv", {x, w}, c.attributes), to));
    expect_exact(b.finish());
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, IntegerConv,
    ::testing::Values(
        ConvCase{"Vector", {2, 3, 17}, {5, 3, 3}},
        ConvCase{"Image", {1, 3, 11, 9}, {20, 3, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}}},
        ConvCase{"WholeBlocks", {2, 16, 8, 8}, {32, 16, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}}},
        ConvCase{"OddChannels", {2, 19, 7, 5}, {23, 19, 3, 3}},
        ConvCase{"Pointwise", {1, 64, 9, 9}, {40, 64, 1, 1}},
        ConvCase{"PointwiseStrided", {1, 17, 9, 9}, {33, 17, 1, 1}, {{"strides", Ints{2, 2}}}},
        ConvCase{"AsymmetricPads",
                 {1, 6, 8, 8},
                 {18, 6, 3, 3},
                 {{"pads", Ints{0, 2, 1, 0}}, {"strides", Ints{2, 1}}}},
        ConvCase{
            "SameUpper", {1, 4, 10, 11}, {8, 4, 3, 3}, {{"auto_pad", std::string("SAME_UPPER")}}},
        ConvCase{"Dilated",
                 {1, 8, 12, 12},
                 {8, 8, 3, 3},
                 {{"dilations", Ints{2, 3}}, {"pads", Ints{2, 3, 2, 3}}}},
        ConvCase{"Groups",
                 {1, 12, 8, 8},
                 {18, 4, 3, 3},
                 {{"group", int64_t{3}}, {"pads", Ints{1, 1, 1, 1}}}},
        ConvCase{"PointwiseGroups", {1, 32, 2, 1}, {8, 8, 1, 1}, {{"group", int64_t{4}}}},
        ConvCase{"Depthwise",
                 {2, 24, 9, 9},
                 {24, 1, 3, 3},
                 {{"group", int64_t{24}}, {"pads", Ints{1, 1, 1, 1}}}},
        ConvCase{"DepthwiseStrided",
                 {1, 21, 9, 8},
                 {21, 1, 5, 5},
                 {{"group", int64_t{21}}, {"pads", Ints{2, 2, 2, 2}}, {"strides", Ints{2, 2}}}},
        ConvCase{"ManyChannels", {1, 256, 5, 5}, {64, 256, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}}},
        ConvCase{"OnePosition", {3, 16, 1, 1}, {24, 16, 1, 1}},
        ConvCase{"OneChannel", {1, 1, 9, 9}, {1, 1, 3, 3}},
        ConvCase{"Volume", {1, 4, 5, 6, 7}, {8, 4, 3, 3, 3}}),
    [](const ::testing::TestParamInfo<ConvCase>& info) { return std::string(info.param.name); });

TEST(IntegerConv, SaturatesAtBothEnds) {
  for (const float scale : {1e-4F, 1e-6F, 10.0F}) {
    auto b = builder();
    const ValueId x = through(b, b.input("x", {1, 4, 6, 6}), kU8);
    b.output(
        quantize(b, b.op("Conv", {x, weight(b, {6, 4, 3, 3}, 0)}), {DType::kUint8, scale, 128}));
    expect_exact(b.finish());
  }
}

TEST(IntegerMatMul, IsExact) {
  for (const Activation& from : {kU8, kS8}) {
    const Activation& to = from.dtype == DType::kUint8 ? kOutU8 : kOutS8;
    for (const Ints& shape : {Ints{3, 40}, Ints{2, 5, 40}, Ints{1, 1, 40}, Ints{2, 3, 4, 40}}) {
      auto b = builder();
      const ValueId x = through(b, b.input("x", shape), from);
      const ValueId w = weight(b, {40, 33}, 1);
      b.output(b.op("MatMul", {x, w}, {}, "real"));
      b.output(quantize(b, b.op("MatMul", {x, w}), to));
      expect_exact(b.finish());
    }
  }
}

// One constant behind activations of each kind: what is packed for one must not serve another.
TEST(IntegerMatMul, OfASharedWeightIsExact) {
  auto b = builder();
  const ValueId w = weight(b, {24, 40}, 1);
  int number = 0;
  for (const Activation& from : {kU8, kS8, kSymmetric}) {
    const ValueId x = b.input("x" + std::to_string(number++), {6, 24});
    b.output(quantize(b, b.op("MatMul", {through(b, x, from), w}),
                      from.dtype == DType::kUint8 ? kOutU8 : kOutS8));
  }
  expect_exact(b.finish());
}

TEST(IntegerGemm, IsExact) {
  for (const int64_t transposed : {0, 1}) {
    auto b = builder();
    const ValueId x = through(b, b.input("x", {7, 40}), kU8);
    const ValueId w = transposed == 1 ? weight(b, {33, 40}, 0) : weight(b, {40, 33}, 1);
    const ir::AttributeMap attributes = {{"transB", transposed}};
    const ValueId added = bias(b, 33, kU8.scale);
    b.output(b.op("Gemm", {x, w, added}, attributes, "real"));
    b.output(quantize(b, b.op("Gemm", {x, w, added}, attributes), kOutU8));
    b.output(quantize(b, b.op("Gemm", {x, w}, attributes), kOutU8));
    expect_exact(b.finish());
  }
}

TEST(IntegerBinary, IsExactUnderBroadcasting) {
  for (const char* op : {"Add", "Mul"}) {
    for (const auto& [from, to] : {std::pair{kU8, kOutU8}, {kS8, kOutS8}}) {
      for (const Ints& other :
           {Ints{2, 21, 5, 6}, Ints{1, 21, 1, 1}, Ints{2, 21, 1, 1}, Ints{6}, Ints{}, Ints{5, 1}}) {
        auto b = builder();
        const ValueId x = through(b, b.input("x", {2, 8, 5, 6}), from);
        const ValueId conv =
            through(b, b.op("Conv", {x, weight(b, {21, 8, 1, 1}, 0)}), to);  // channels last
        const ValueId y = through(b, b.input("y", other), to);
        b.output(quantize(b, b.op(op, {conv, y}), to));
        b.output(quantize(b, b.op(op, {y, conv}), to));
        expect_exact(b.finish());
      }
    }
  }
}

// Scales in ratios of powers of two put many sums on ties.
TEST(IntegerBinary, IsExactOnTies) {
  for (const DType dtype : {DType::kUint8, DType::kInt8}) {
    auto b = builder();
    const ValueId x = through(b, b.input("x", {40, 50}), {dtype, 0.0625F, 1});
    const ValueId y = through(b, b.input("y", {40, 50}), {dtype, 0.03125F, 3});
    b.output(quantize(b, b.op("Add", {x, y}), {dtype, 0.125F, 7}));
    b.output(quantize(b, b.op("Mul", {x, y}), {dtype, 0.0078125F, 7}));
    expect_exact(b.finish());
  }
}

TEST(IntegerUnary, IsExact) {
  for (const auto& [from, to] : {std::pair{kU8, kOutU8}, {kS8, kOutS8}}) {
    auto b = builder();
    const ValueId x = through(b, b.input("x", {2, 21, 5, 6}), from);
    b.output(quantize(b, b.op("Sigmoid", {x}), {to.dtype, 1.0F / 256.0F, to.zero_point}));
    b.output(quantize(b, b.op("LeakyRelu", {x}, {{"alpha", 0.1F}}), to));
    const Activation share{to.dtype, 1.0F / 256.0F, to.dtype == DType::kUint8 ? 0 : -128};
    b.output(quantize(b, b.op("Softmax", {x}, {{"axis", int64_t{1}}}), share));
    const ValueId conv = through(b, b.op("Conv", {x, weight(b, {9, 21, 1, 1}, 0)}), to);
    b.output(quantize(b, b.op("LeakyRelu", {conv}), to));
    expect_exact(b.finish());
  }
}

TEST(IntegerConcat, IsExact) {
  for (const int64_t axis : {0, 1, 2, -1}) {
    auto b = builder();
    const ValueId x = through(b, b.input("x", {2, 8, 5, 6}), kU8);
    const ValueId conv = through(b, b.op("Conv", {x, weight(b, {8, 8, 1, 1}, 0)}), kOutU8);
    b.output(quantize(b, b.op("Concat", {x, conv, x}, {{"axis", axis}}), kOutU8));
    b.output(quantize(b, b.op("Concat", {x, x}, {{"axis", axis}}), kU8));
    expect_exact(b.finish());
  }
}

TEST(IntegerPool, IsExact) {
  for (const auto& [from, to] : {std::pair{kU8, kOutU8}, {kS8, kOutS8}}) {
    auto b = builder();
    const ValueId plain = through(b, b.input("x", {2, 8, 7, 6}), from);
    const ValueId last = through(b, b.op("Conv", {plain, weight(b, {21, 8, 1, 1}, 0)}), to);
    for (const ValueId x : {plain, last}) {
      const Activation& same = x == plain ? from : to;
      b.output(quantize(b, b.op("GlobalAveragePool", {x}), to));
      b.output(quantize(
          b, b.op("AveragePool", {x}, {{"kernel_shape", Ints{3, 2}}, {"pads", Ints{1, 0, 1, 1}}}),
          to));
      b.output(quantize(
          b,
          b.op("MaxPool", {x},
               {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}}),
          same));
      b.output(quantize(b, b.op("Transpose", {x}, {{"perm", Ints{0, 2, 3, 1}}}), same));
    }
    expect_exact(b.finish());
  }
}

TEST(IntegerKernels, GiveTheSameForAnyNumberOfThreads) {
  auto b = builder();
  const ValueId x = through(b, b.input("x", {1, 16, 24, 24}), kU8);
  const ValueId first = through(b, b.op("Conv", {x, weight(b, {32, 16, 3, 3}, 0)}), kOutU8);
  b.output(quantize(b, b.op("Conv", {first, weight(b, {16, 32, 3, 3}, 0)}), kU8));
  const auto graph = std::make_shared<const Graph>(b.finish());
  const auto samples = random_inputs(*graph, 3);
  const auto expected = run(graph, samples);
  for (const size_t threads : {2, 3, 8}) {
    Options options;
    options.threads = threads;
    EXPECT_TRUE(run(graph, samples, options)[0] == expected[0]) << threads;
  }
}

}  // namespace
}  // namespace octet::interpreter
