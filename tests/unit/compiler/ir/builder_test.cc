#include "compiler/ir/builder.h"

#include <gtest/gtest.h>

#include "compiler/ir/print.h"
#include "tests/support/graph_builder.h"

namespace octet::ir {
namespace {

using octet::testing::GraphBuilder;
using octet::testing::must;

// Results have the type of the first operand.
Result<std::vector<ValueFacts>> like_first(const Node& node, const ValueLookup& value,
                                           const ModelInfo&) {
  if (node.op_type == "Bad") return malformed("no such thing");
  return std::vector<ValueFacts>(node.outputs.size(), ValueFacts{value(node.inputs[0]).type});
}

TEST(Builder, BuildsWhatTheTextSays) {
  GraphBuilder b(like_first);
  const ValueId x = b.input("x", {1, 2});
  const ValueId d = b.input_with_default("d", Tensor::scalar(1.0F));
  const ValueId w = b.constant<float>("w", {2}, {1, 2});
  const ValueId y = b.op("Conv", {x, w, d}, {{"group", int64_t{1}}});
  const ValueId z = b.op("Relu", {y}, {}, "relu");
  const auto parts = b.node({.op_type = "Split", .inputs = {z}, .outputs = 2, .origins = {"o"}});
  b.output(z, "result");
  b.output(parts[1]);
  EXPECT_EQ(print(b.finish()), R"(model { ir_version = 8 opset "" = 17 }
graph "main" {
  input %x: float32[1,2]
  input %d: float32[] = 1.0
  const %w: float32[2] = [1.0, 2.0]
  %Conv_0: float32[1,2] = Conv(%x, %w, %d) {group = 1} name "Conv_0"
  %result: float32[1,2] = Relu(%Conv_0) name "relu"
  %Split_2_0: float32[1,2], %Split_2_1: float32[1,2] = Split(%result) name "Split_2" from ["o"]
  output %result
  output %Split_2_1
}
)");
}

TEST(Builder, WithoutInferenceTypesAreUnknown) {
  Builder b(nullptr);
  const ValueId x = must(b.input("x", {DType::kFloat32, Shape::of({1})}));
  const ValueId y = must(b.op("Relu", {x}));
  EXPECT_EQ(b.value(y).type, TensorType());
}

TEST(Builder, ErrorsNameTheNode) {
  Builder b(like_first);
  const ValueId x = must(b.input("x", {}));
  EXPECT_EQ(b.input("x", {}).error().message(), "two values are called \"x\"");
  EXPECT_EQ(b.op("Bad", {x}, {}, "n").error().message(), "node \"n\" (Bad): no such thing");
  EXPECT_EQ(b.op("Relu", {x}, {}, "x").error().message(), "two values are called \"x\"");
  EXPECT_FALSE(b.output(x, "").ok());
}

TEST(Builder, FinishVerifies) {
  Builder b(nullptr);
  b.output(ValueId(3));
  EXPECT_EQ(std::move(b).finish().error().message(),
            "graph output 0 is not a value of this graph [V8]");
}

}  // namespace
}  // namespace octet::ir
