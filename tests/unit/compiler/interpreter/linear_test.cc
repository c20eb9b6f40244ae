// Conv, ConvTranspose, MatMul and Gemm against reference evaluation, alone and with what is fused
// behind them.
#include "tests/unit/compiler/interpreter/compare.h"

namespace octet::interpreter {
namespace {

struct ConvCase {
  const char* name;
  Ints input;
  Ints weight;
  ir::AttributeMap attributes = {};
};

void PrintTo(const ConvCase& c, std::ostream* out) { *out << c.name; }

class Conv : public ::testing::TestWithParam<ConvCase> {};
class ConvTranspose : public ::testing::TestWithParam<ConvCase> {};

std::string case_name(const ::testing::TestParamInfo<ConvCase>& info) { return info.param.name; }

TEST_P(Conv, IsLikeReference) {
  const ConvCase& c = GetParam();
  for (bool constant_weights : {true, false}) {
    auto b = builder();
    const ValueId x = b.input("x", c.input);
    const ValueId w =
        constant_weights ? b.constant("w", random_tensor(5, c.weight)) : b.input("w", c.weight);
    const ValueId bias = b.constant("b", random_tensor(6, {c.weight[0]}));
    b.output(b.op("Conv", {x, w, bias}, c.attributes, "with_bias"));
    b.output(b.op("Conv", {x, w}, c.attributes, "without_bias"));
    // Blocked in, blocked out, and a plain reader.
    const ValueId first = b.op("Conv", {x, w}, c.attributes, "first");
    const ValueId relu = b.op("Relu", {first}, {}, "relu");
    b.output(b.op("Transpose", {relu}, {}, "reader"));
    b.output(relu);
    expect_like_reference(b.finish());
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Conv,
    ::testing::Values(
        ConvCase{"Vector", {2, 3, 17}, {5, 3, 3}},
        ConvCase{"VectorDilated",
                 {1, 4, 20},
                 {6, 2, 3},
                 {{"group", int64_t{2}}, {"dilations", Ints{3}}, {"pads", Ints{2, 1}}}},
        ConvCase{"Image", {1, 3, 11, 9}, {20, 3, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}}},
        ConvCase{"WholeBlocks", {2, 16, 8, 8}, {32, 16, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}}},
        ConvCase{"OddChannels", {2, 19, 7, 5}, {23, 19, 3, 3}},
        ConvCase{"Pointwise", {1, 24, 9, 9}, {40, 24, 1, 1}},
        ConvCase{"PointwiseStrided", {1, 17, 9, 9}, {33, 17, 1, 1}, {{"strides", Ints{2, 2}}}},
        ConvCase{"AsymmetricPads",
                 {1, 6, 8, 8},
                 {18, 6, 3, 3},
                 {{"pads", Ints{0, 2, 1, 0}}, {"strides", Ints{2, 1}}}},
        ConvCase{"StrideLeavesARest",
                 {1, 4, 10, 11},
                 {4, 4, 3, 3},
                 {{"strides", Ints{4, 3}}, {"pads", Ints{1, 1, 1, 1}}}},
        ConvCase{"Dilated",
                 {1, 5, 14, 14},
                 {7, 5, 3, 3},
                 {{"dilations", Ints{2, 3}}, {"pads", Ints{2, 3, 2, 3}}}},
        ConvCase{"Depthwise",
                 {2, 24, 9, 9},
                 {24, 1, 3, 3},
                 {{"group", int64_t{24}}, {"pads", Ints{1, 1, 1, 1}}}},
        ConvCase{"DepthwiseOdd",
                 {1, 21, 9, 7},
                 {21, 1, 5, 5},
                 {{"group", int64_t{21}}, {"pads", Ints{2, 2, 2, 2}}, {"strides", Ints{2, 2}}}},
        ConvCase{"DepthwiseMultiplied", {1, 6, 9, 7}, {12, 1, 3, 3}, {{"group", int64_t{6}}}},
        ConvCase{"Grouped", {1, 12, 8, 8}, {18, 4, 3, 3}, {{"group", int64_t{3}}}},
        ConvCase{"SameUpper",
                 {1, 3, 10, 7},
                 {8, 3, 4, 4},
                 {{"auto_pad", std::string("SAME_UPPER")}, {"strides", Ints{2, 2}}}},
        ConvCase{"SameLower",
                 {1, 3, 10, 7},
                 {8, 3, 4, 4},
                 {{"auto_pad", std::string("SAME_LOWER")}, {"strides", Ints{2, 2}}}},
        ConvCase{"LargePads", {1, 2, 3, 3}, {4, 2, 3, 3}, {{"pads", Ints{4, 4, 4, 4}}}},
        ConvCase{"Volume", {1, 3, 5, 6, 7}, {10, 3, 3, 3, 3}, {{"pads", Ints{1, 1, 1, 1, 1, 1}}}},
        ConvCase{"FourSpatialAxes", {1, 2, 3, 3, 3, 3}, {2, 2, 2, 2, 2, 2}}),
    case_name);

TEST_P(ConvTranspose, IsLikeReference) {
  const ConvCase& c = GetParam();
  auto b = builder();
  const ValueId x = b.input("x", c.input);
  const ValueId w = b.constant("w", random_tensor(5, c.weight));
  const auto group = c.attributes.find("group");
  const int64_t groups = group == c.attributes.end() ? 1 : std::get<int64_t>(group->second);
  const ValueId bias = b.constant("b", random_tensor(6, {c.weight[1] * groups}));
  b.output(b.op("ConvTranspose", {x, w, bias}, c.attributes, "with_bias"));
  const ValueId y = b.op("ConvTranspose", {x, w}, c.attributes, "without_bias");
  b.output(b.op("Relu", {y}, {}, "relu"));
  expect_like_reference(b.finish());
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, ConvTranspose,
    ::testing::Values(
        ConvCase{"Vector", {2, 3, 7}, {3, 5, 3}, {{"strides", Ints{2}}}},
        ConvCase{"Image", {1, 6, 5, 4}, {6, 7, 2, 2}, {{"strides", Ints{2, 2}}}},
        ConvCase{"WholeBlocks", {1, 16, 5, 5}, {16, 32, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}}},
        ConvCase{
            "OutputPadding",
            {1, 5, 6, 6},
            {5, 4, 3, 3},
            {{"strides", Ints{2, 3}}, {"pads", Ints{1, 1, 1, 1}}, {"output_padding", Ints{1, 2}}}},
        ConvCase{"AsymmetricPads",
                 {1, 5, 6, 6},
                 {5, 4, 3, 3},
                 {{"strides", Ints{2, 2}}, {"pads", Ints{0, 1, 2, 0}}}},
        ConvCase{"OutputShape",
                 {1, 5, 6, 6},
                 {5, 4, 3, 3},
                 {{"strides", Ints{2, 2}}, {"output_shape", Ints{12, 12}}}},
        ConvCase{"Dilated", {1, 3, 5, 5}, {3, 4, 3, 3}, {{"dilations", Ints{2, 2}}}},
        ConvCase{"Grouped", {1, 12, 5, 5}, {12, 5, 3, 3}, {{"group", int64_t{3}}}},
        ConvCase{"Depthwise",
                 {1, 10, 5, 5},
                 {10, 1, 4, 4},
                 {{"group", int64_t{10}}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}}},
        ConvCase{"Volume", {1, 3, 3, 4, 3}, {3, 4, 2, 2, 2}, {{"strides", Ints{2, 2, 2}}}}),
    case_name);

struct MatMulCase {
  Ints a;
  Ints b;
};

TEST(MatMul, IsLikeReference) {
  const MatMulCase cases[] = {
      {{3, 5}, {5, 7}},
      {{1, 64}, {64, 33}},
      {{4, 9, 16}, {16, 24}},
      {{2, 3, 4, 5}, {2, 3, 5, 6}},
      {{3, 4, 5}, {1, 5, 6}},
      {{1, 4, 5}, {3, 5, 6}},
      {{2, 1, 4, 5}, {3, 5, 6}},
      {{2, 1, 4, 5}, {1, 3, 5, 6}},
      {{5}, {5, 7}},
      {{3, 5}, {5}},
      {{5}, {5}},
      {{2, 3, 5}, {5}},
      {{5}, {4, 5, 3}},
      {{130, 70}, {70, 130}},
  };
  for (const MatMulCase& c : cases) {
    for (bool constant : {true, false}) {
      auto b = builder();
      const ValueId x = b.input("x", c.a);
      const ValueId w = constant ? b.constant("w", random_tensor(3, c.b)) : b.input("w", c.b);
      b.output(b.op("MatMul", {x, w}));
      expect_like_reference(b.finish());
    }
  }
}

TEST(MatMul, OfAConstantFirstFactorIsLikeReference) {
  auto b = builder();
  const ValueId w = b.constant("w", random_tensor(3, {6, 5}));
  b.output(b.op("MatMul", {w, b.input("x", {2, 5, 4})}));
  expect_like_reference(b.finish());
}

TEST(MatMul, WithAVectorAndAnAddBehindIsLikeReference) {
  for (const MatMulCase& c : {MatMulCase{{4, 2, 3}, {3}}, MatMulCase{{3}, {4, 3, 2}}}) {
    auto b = builder();
    const ValueId w = b.constant("w", random_tensor(3, c.b));
    const ValueId addend = b.constant("addend", random_tensor(4, {2}));
    b.output(b.op("Add", {b.op("MatMul", {b.input("x", c.a), w}), addend}));
    expect_like_reference(b.finish());
  }
}

TEST(MatMul, WithoutElementsIsLikeReference) {
  auto b = builder();
  b.output(b.op("MatMul", {b.input("x", {3, 0}), b.input("y", {0, 4})}));
  b.output(b.op("MatMul", {b.input("z", {0, 3}), b.input("w", {3, 4})}));
  expect_like_reference(b.finish());
}

TEST(Gemm, IsLikeReference) {
  for (int64_t transposed_a : {0, 1}) {
    for (int64_t transposed_b : {0, 1}) {
      for (float alpha : {1.0F, 0.5F}) {
        for (const Ints& c : {Ints{}, Ints{1}, Ints{6}, Ints{1, 6}, Ints{4, 1}, Ints{4, 6}}) {
          for (bool constant : {true, false}) {
            auto b = builder();
            const Ints w_shape = transposed_b != 0 ? Ints{6, 5} : Ints{5, 6};
            const ValueId x = b.input("x", transposed_a != 0 ? Ints{5, 4} : Ints{4, 5});
            const ValueId w =
                constant ? b.constant("w", random_tensor(3, w_shape)) : b.input("w", w_shape);
            const ValueId bias = constant ? b.constant("c", random_tensor(4, c)) : b.input("c", c);
            b.output(b.op("Gemm", {x, w, bias},
                          {{"transA", transposed_a},
                           {"transB", transposed_b},
                           {"alpha", alpha},
                           {"beta", 2.0F - alpha}}));
            expect_like_reference(b.finish());
          }
        }
      }
    }
  }
}

TEST(Gemm, WithoutBiasIsLikeReference) {
  auto b = builder();
  const ValueId w = b.constant("w", random_tensor(3, {33, 65}));
  const ValueId y = b.op("Gemm", {b.input("x", {7, 65}), w}, {{"transB", int64_t{1}}});
  b.output(b.op("Relu", {y}));
  expect_like_reference(b.finish());
}

// A linear node, then a chain of elementwise ones.
ValueId chain(GraphBuilder& b, ValueId x, const std::vector<std::string>& ops, ValueId addend) {
  for (const std::string& op : ops) {
    if (op == "Add") {
      x = b.op("Add", {x, addend});
    } else if (op == "AddFirst") {
      x = b.op("Add", {addend, x});
    } else if (op == "Clip" || op == "Narrow") {
      const float upper = op == "Clip" ? 1.5F : 0.5F;
      const ValueId low = b.constant(b.graph().unique_value_name("low"), Tensor::scalar(-0.5F));
      const ValueId high = b.constant(b.graph().unique_value_name("high"), Tensor::scalar(upper));
      x = b.op("Clip", {x, low, high});
    } else if (op == "Steep") {
      x = b.op("LeakyRelu", {x}, {{"alpha", 0.7F}});
    } else {
      x = b.op(op, {x});
    }
  }
  return x;
}

const std::vector<std::vector<std::string>> kChains = {
    {"Relu"},
    {"LeakyRelu"},
    {"LeakyRelu", "Steep", "Relu"},
    {"Clip", "Narrow", "Clip"},
    {"Clip"},
    {"Sigmoid"},
    {"HardSwish"},
    {"Add"},
    {"AddFirst", "Relu"},
    {"Relu", "Add", "Relu"},
    {"Add", "Clip", "Sigmoid"},
    {"Relu", "Add", "Add"},
    {"Tanh", "Relu"},
};

TEST(Fusion, OfAChainBehindConvIsLikeReference) {
  for (const auto& ops : kChains) {
    for (int64_t channels : {16, 21}) {
      auto b = builder();
      const ValueId x = b.input("x", {2, 6, 8, 8});
      const ValueId w = b.constant("w", random_tensor(3, {channels, 6, 3, 3}));
      const ValueId bias = b.constant("b", random_tensor(4, {channels}));
      const ValueId addend = b.op("Conv", {x, w}, {}, "addend");
      const ValueId y = b.op("Conv", {x, w, bias}, {}, "conv");
      b.output(chain(b, y, ops, addend));
      expect_like_reference(b.finish());
    }
  }
}

TEST(Fusion, OfAnAddendThatIsReadLaterKeepsIt) {
  auto b = builder();
  const ValueId x = b.input("x", {1, 6, 8, 8});
  const ValueId w = b.constant("w", random_tensor(3, {20, 6, 1, 1}));
  const ValueId v = b.constant("v", random_tensor(4, {20, 20, 1, 1}));
  const ValueId first = b.op("Conv", {x, w});
  const ValueId second = b.op("Conv", {first, v});
  const ValueId sum = b.op("Add", {first, second});
  b.output(b.op("Mul", {sum, first}));
  expect_like_reference(b.finish());
}

TEST(Fusion, OfAnAddOfTwoConvsIsLikeReference) {
  auto b = builder();
  const ValueId x = b.input("x", {1, 6, 8, 8});
  const ValueId w = b.constant("w", random_tensor(3, {20, 6, 1, 1}));
  const ValueId v = b.constant("v", random_tensor(4, {20, 6, 1, 1}));
  b.output(b.op("Relu", {b.op("Add", {b.op("Conv", {x, w}), b.op("Conv", {x, v})})}));
  expect_like_reference(b.finish());
}

TEST(Fusion, OfAnInputAddedIsLikeReference) {
  auto b = builder();
  const ValueId x = b.input("x", {1, 12, 8, 8});
  const ValueId w = b.constant("w", random_tensor(3, {12, 12, 1, 1}));
  b.output(b.op("Add", {b.op("Conv", {x, w}), x}));
  expect_like_reference(b.finish());
}

TEST(Fusion, BehindMatMulAndGemmIsLikeReference) {
  for (const auto& ops : kChains) {
    for (const char* linear : {"MatMul", "Gemm"}) {
      auto b = builder();
      const ValueId x = b.input("x", {6, 20});
      const ValueId w = b.constant("w", random_tensor(3, {20, 21}));
      b.output(chain(b, b.op(linear, {x, w}), ops, b.input("addend", {6, 21})));
      expect_like_reference(b.finish());
    }
  }
}

TEST(Fusion, OfABiasIsLikeReference) {
  for (const Ints& shape : {Ints{10}, Ints{1, 10}, Ints{1, 1, 10}, Ints{1}, Ints{4, 1}}) {
    auto b = builder();
    const ValueId x = b.input("x", {2, 4, 7});
    const ValueId w = b.constant("w", random_tensor(3, {7, 10}));
    const ValueId bias = b.constant("b", random_tensor(4, shape));
    b.output(b.op("Relu", {b.op("Add", {bias, b.op("MatMul", {x, w})})}));
    expect_like_reference(b.finish());
  }
  for (const Ints& shape : {Ints{10, 1, 1}, Ints{1, 10, 1, 1}, Ints{10}, Ints{1, 10}}) {
    auto b = builder();
    const ValueId x = b.input("x", {2, 4, 10, 10});
    const ValueId w = b.constant("w", random_tensor(3, {10, 4, 1, 1}));
    const ValueId bias = b.constant("b", random_tensor(4, shape));
    b.output(b.op("Relu", {b.op("Add", {b.op("Conv", {x, w}), bias})}));
    expect_like_reference(b.finish());
  }
}

TEST(Fusion, LeavesOutputsAndValuesWithTwoReadersAlone) {
  auto b = builder();
  const ValueId x = b.input("x", {1, 6, 8, 8});
  const ValueId w = b.constant("w", random_tensor(3, {20, 6, 1, 1}));
  const ValueId y = b.op("Conv", {x, w}, {}, "shown");
  b.output(y);
  b.output(b.op("Relu", {y}));
  const ValueId z = b.op("Conv", {x, w}, {}, "read_twice");
  b.output(b.op("Add", {b.op("Relu", {z}), z}));
  expect_like_reference(b.finish());
}

}  // namespace
}  // namespace octet::interpreter
