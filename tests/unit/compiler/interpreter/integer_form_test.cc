// Which groups of nodes become integers, and which do not: a near miss for every condition of
// integer_form.h.
#include "compiler/interpreter/integer_form.h"

#include "tests/unit/compiler/interpreter/integer_support.h"

namespace octet::interpreter {
namespace {

const Activation kX{DType::kUint8, 0.02F, 100};
const Activation kY{DType::kUint8, 0.05F, 0};

// How often each operator runs for the outputs of the integer form.
std::map<std::string, int> operators(Graph&& graph) {
  const auto form = must(integer_form(std::make_shared<const Graph>(std::move(graph))));
  std::vector<bool> wanted(form->value_count(), false);
  for (const ValueId id : form->outputs()) wanted[id.index()] = true;
  std::map<std::string, int> out;
  const auto& order = form->order();
  for (auto id = order.rbegin(); id != order.rend(); ++id) {
    const ir::Node& node = form->node(*id);
    if (!wanted[node.output().index()]) continue;
    ++out[node.op_type];
    for (const ValueId input : node.inputs) {
      if (input.valid()) wanted[input.index()] = true;
    }
  }
  return out;
}

// x -> Q -> DQ -> Conv -> `behind` -> Q -> DQ -> output.
template <typename Behind>
Graph conv_graph(Behind behind, const Activation& x = kX, const Activation& y = kY) {
  auto b = builder();
  const ValueId conv = b.op("Conv", {through(b, b.input("x", {1, 4, 6, 6}), x),
                                     weight(b, {6, 4, 3, 3}, 0), bias(b, 6, x.scale)});
  b.output(through(b, behind(b, conv), y));
  return b.finish();
}

ValueId nothing(GraphBuilder&, ValueId x) { return x; }
ValueId relu(GraphBuilder& b, ValueId x) { return b.op("Relu", {x}); }

auto clip(float low, float high) {
  return [low, high](GraphBuilder& b, ValueId x) {
    return b.op("Clip", {x, number(b, "low", Tensor::scalar(low)),
                         number(b, "high", Tensor::scalar(high))});
  };
}

TEST(IntegerForm, ConvBetweenQuantizersBecomesQLinearConv) {
  const std::map<std::string, int> expected = {
      {"QuantizeLinear", 1}, {"QLinearConv", 1}, {"DequantizeLinear", 1}};
  EXPECT_EQ(operators(conv_graph(nothing)), expected);
  EXPECT_EQ(operators(conv_graph(relu)), expected);
  EXPECT_EQ(operators(conv_graph(clip(0.0F, 12.75F))), expected);
  EXPECT_EQ(operators(conv_graph(clip(-1.0F, 20.0F))), expected);
}

TEST(IntegerForm, ActivationThatCutsMoreThanSaturationStaysFloat) {
  EXPECT_EQ(operators(conv_graph(relu, kX, {DType::kUint8, 0.05F, 1}))["Conv"], 1);
  EXPECT_EQ(operators(conv_graph(clip(0.0F, 12.7F)))["Conv"], 1);
  EXPECT_EQ(operators(conv_graph(clip(0.1F, 20.0F)))["Conv"], 1);
  EXPECT_EQ(operators(conv_graph(
                [](GraphBuilder& b, ValueId x) { return b.op("HardSwish", {x}); }))["Conv"],
            1);
}

// x -> Q -> DQ -> Split -> (Q -> DQ -> output) twice, the second quantizer being `last`.
Graph split_graph(const Activation& last) {
  auto b = builder();
  const ValueId x = through(b, b.input("x", {1, 6, 3}), kX);
  const std::vector<ValueId> parts =
      b.node({.op_type = "Split",
              .inputs = {x, number(b, "split", Tensor::of<int64_t>({2}, {4, 2}))},
              .attributes = {{"axis", int64_t{1}}},
              .outputs = 2});
  b.output(through(b, parts[0], kX));
  b.output(through(b, parts[1], last));
  return b.finish();
}

TEST(IntegerForm, SplitWithOneScaleOnAllSidesMovesIntegers) {
  const std::map<std::string, int> expected = {
      {"QuantizeLinear", 1}, {"Split", 1}, {"DequantizeLinear", 2}};
  EXPECT_EQ(operators(split_graph(kX)), expected);
  expect_exact(split_graph(kX));
  EXPECT_EQ(operators(split_graph(kY))["QuantizeLinear"], 3);
  expect_exact(split_graph(kY));
}

TEST(IntegerForm, OperandsMayTakeAnotherShapeBehindTheirQuantizer) {
  auto b = builder();
  const ValueId x = through(b, b.input("x", {2, 3, 8}), kX);
  const ValueId rows = b.op("Reshape", {x, number(b, "rows", Tensor::of<int64_t>({2}, {6, 8}))});
  for (int64_t i = 0; i < 2; ++i) {
    b.output(b.op("Gemm", {rows, weight(b, {8, 5}, 1), bias(b, 5, kX.scale)}));
  }
  Graph graph = b.finish();
  const std::map<std::string, int> expected = {{"QuantizeLinear", 1}, {"Reshape", 1}, {"QGemm", 2}};
  EXPECT_EQ(operators(Graph(graph)), expected);
  expect_exact(std::move(graph));
}

TEST(IntegerForm, ResultWithAnotherReaderStaysFloat) {
  EXPECT_EQ(operators(conv_graph([](GraphBuilder& b, ValueId x) {
              b.output(x);
              return x;
            }))["Conv"],
            1);
  EXPECT_EQ(operators(conv_graph([](GraphBuilder& b, ValueId x) {
              b.output(b.op("Sigmoid", {x}));
              return b.op("Relu", {x});
            }))["Conv"],
            1);
}

TEST(IntegerForm, TypesMustFit) {
  EXPECT_EQ(operators(conv_graph(nothing, kX, {DType::kInt8, 0.05F, 0}))["Conv"], 1);
  EXPECT_EQ(operators(conv_graph(nothing, {DType::kUint16, 0.0002F, 100},
                                 {DType::kUint16, 0.0002F, 100}))["Conv"],
            1);
  EXPECT_EQ(operators(conv_graph(nothing, {DType::kInt8, 0.02F, 0},
                                 {DType::kInt8, 0.05F, 3}))["QLinearConv"],
            1);
}

TEST(IntegerForm, WeightScalesLieAlongOutputChannels) {
  for (const int64_t axis : {0, 1}) {
    auto b = builder();
    const ValueId x = through(b, b.input("x", {1, 4, 6, 6}), kX);
    b.output(quantize(b, b.op("Conv", {x, weight(b, {4, 4, 3, 3}, axis)}), kY));
    EXPECT_EQ(operators(b.finish())["QLinearConv"], axis == 0 ? 1 : 0);
  }
}

TEST(IntegerForm, BiasOfAnotherScaleStaysFloat) {
  for (const float x_scale : {kX.scale, kX.scale * 1.01F}) {
    auto b = builder();
    const ValueId x = through(b, b.input("x", {1, 4, 6, 6}), kX);
    b.output(quantize(b, b.op("Conv", {x, weight(b, {6, 4, 3, 3}, 0), bias(b, 6, x_scale)}), kY));
    EXPECT_EQ(operators(b.finish())["QLinearConv"], x_scale == kX.scale ? 1 : 0);
  }
}

TEST(IntegerForm, FloatBiasIsRoundedToTheAccumulatorsScale) {
  auto b = builder();
  const ValueId x = through(b, b.input("x", {1, 4, 6, 6}), kX);
  const ValueId added = number(b, "b", random_tensor(3, {6}));
  b.output(quantize(b, b.op("Conv", {x, weight(b, {6, 4, 3, 3}, 0), added}), kY));
  const Graph graph = b.finish();
  const auto form = must(integer_form(std::make_shared<const Graph>(graph)));
  const auto is_conv = [&](ir::NodeId id) { return form->node(id).is("QLinearConv"); };
  const auto at = std::find_if(form->order().begin(), form->order().end(), is_conv);
  ASSERT_NE(at, form->order().end());
  const Tensor* integers = form->constant(form->node(*at).input(8));
  ASSERT_NE(integers, nullptr);
  const auto real = random_tensor(3, {6}).to_floats();
  const auto scales = random_tensor(5, {6}, 0.002F, 0.01F).to_floats();
  for (size_t c = 0; c < real.size(); ++c) {
    const double steps = static_cast<double>(real[c]) / (kX.scale * scales[c]);
    EXPECT_NEAR(integers->at_as_double(static_cast<int64_t>(c)), steps, 0.51);
  }
}

TEST(IntegerForm, OperandThatComesFromFloatKeepsItFloat) {
  for (const char* op : {"Add", "Mul", "Concat"}) {
    auto b = builder();
    const ValueId x = through(b, b.input("x", {2, 8}), kX);
    const ValueId y = through(b, b.input("y", {2, 8}), kX);
    const ValueId real = b.input("z", {2, 8});
    ir::AttributeMap attributes;
    if (std::string(op) == "Concat") attributes = {{"axis", int64_t{0}}};
    b.output(quantize(b, b.op(op, {x, y}, attributes, "both"), kY));
    b.output(quantize(b, b.op(op, {x, real}, attributes, "one"), kY));
    auto found = operators(b.finish());
    EXPECT_EQ(found[op], 1);
    EXPECT_EQ(found[cat("QLinear", op)], 1);
  }
}

// Before version 13 all axes from `axis` on are one row.
TEST(IntegerForm, SoftmaxKeepsItsRows) {
  for (const int64_t opset : {11, 17}) {
    auto b = builder(opset);
    const ValueId x = through(b, b.input("x", {2, 3, 4}), kX);
    const Activation share{DType::kUint8, 1.0F / 256.0F, 0};
    b.output(through(b, b.op("Softmax", {x}, {{"axis", int64_t{1}}}), share));
    const auto graph = std::make_shared<const Graph>(b.finish());
    EXPECT_EQ(operators(Graph(*graph))["QLinearSoftmax"], 1);
    const auto found = run(graph, random_inputs(*graph, 3))[0].to_floats();
    double sum = 0;  // of the first row, which is all of the first sample before version 13
    for (size_t i = 0; i < 12; ++i) sum += static_cast<double>(found[i]);
    EXPECT_NEAR(sum, opset < 13 ? 1.0 : 4.0, 12.0 / 256);
  }
}

TEST(IntegerForm, MovedElementsNeedOneScaleOnBothSides) {
  for (const Activation& to : {kX, kY}) {
    auto b = builder();
    const ValueId x = through(b, b.input("x", {1, 4, 6, 6}), kX);
    b.output(quantize(b, b.op("MaxPool", {x}, {{"kernel_shape", Ints{2, 2}}}), to));
    EXPECT_EQ(operators(b.finish())["DequantizeLinear"], to.scale == kX.scale ? 0 : 1);
  }
}

// Zeros that Pad fills in are not the integer 0.
TEST(IntegerForm, PadStaysFloat) {
  auto b = builder();
  const ValueId x = through(b, b.input("x", {2, 4}), kX);
  const ValueId pads = number(b, "pads", Tensor::of<int64_t>({4}, {0, 1, 0, 1}));
  b.output(quantize(b, b.op("Pad", {x, pads}), kX));
  EXPECT_EQ(operators(b.finish())["DequantizeLinear"], 1);
}

TEST(IntegerForm, ProductsMayGiveFloat) {
  auto b = builder();
  const ValueId x = through(b, b.input("x", {3, 8}), kX);
  b.output(b.op("MatMul", {x, weight(b, {8, 5}, 1)}));
  b.output(b.op("Gemm", {x, weight(b, {8, 5}, 1), bias(b, 5, kX.scale)}));
  b.output(b.op("Gemm", {x, weight(b, {8, 5}, 1), number(b, "b", random_tensor(3, {5}))}));
  const std::map<std::string, int> expected = {{"QuantizeLinear", 1},
                                               {"DequantizeLinear", 2},
                                               {"MatMulIntegerToFloat", 1},
                                               {"QGemm", 1},
                                               {"Gemm", 1}};
  EXPECT_EQ(operators(b.finish()), expected);
}

TEST(IntegerForm, AsWrittenIsFloat) {
  Graph graph = conv_graph(relu);
  const auto inputs = random_inputs(graph, 2);
  const auto shared = std::make_shared<const Graph>(std::move(graph));
  Options as_written;
  as_written.arithmetic = Arithmetic::kAsWritten;
  const auto real = run(shared, inputs, as_written)[0].to_floats();
  const auto integer = run(shared, inputs)[0].to_floats();
  // The same numbers but for ties.
  for (size_t i = 0; i < real.size(); ++i) EXPECT_NEAR(real[i], integer[i], 1.001F * kY.scale);
}

TEST(IntegerForm, ValuesInsideAGroupCanBeObserved) {
  auto b = builder();
  const ValueId conv = b.op(
      "Conv", {through(b, b.input("x", {1, 4, 6, 6}), kX), weight(b, {6, 4, 3, 3}, 0)}, {}, "conv");
  const ValueId q = quantize(b, conv, kY);
  b.output(dequantize(b, q, kY));
  const auto graph = std::make_shared<const Graph>(b.finish());
  const auto inputs = random_inputs(*graph, 2);
  Options options;
  options.observed = {conv, q};
  Recorder recorder;
  const auto observed = run(graph, inputs, options, &recorder);
  EXPECT_TRUE(recorder.seen.contains(conv));
  EXPECT_TRUE(recorder.seen.contains(q));
  EXPECT_TRUE(observed[0] == run(graph, inputs)[0]) << "observing changes nothing";
}

}  // namespace
}  // namespace octet::interpreter
