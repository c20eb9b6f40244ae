// If, Loop and Scan: bodies are graphs, what they read from outside is captured.
#include "tests/unit/compiler/onnx/make_model.h"

namespace octet::onnx {
namespace {

std::string name_of(const ir::Graph& graph, ir::ValueId id) { return graph.value(id).name; }

TEST(Body, CapturesValuesOfTheGraphAroundIt) {
  const ir::Graph graph = round_trip(if_model());
  const ir::Node& node = graph.node(graph.order()[0]);
  ASSERT_EQ(node.implicit_inputs.size(), 2u);
  EXPECT_EQ(name_of(graph, node.implicit_inputs[0]), "x");
  EXPECT_EQ(name_of(graph, node.implicit_inputs[1]), "x");
  const auto bodies = ir::bodies(node);
  ASSERT_EQ(bodies.size(), 2u);
  EXPECT_EQ(bodies[0]->name, "else");
  EXPECT_EQ(bodies[1]->name, "then");
  ASSERT_EQ(bodies[1]->captures().size(), 1u);
  EXPECT_EQ(bodies[1]->value(bodies[1]->captures()[0]).type.to_string(), "float32[1,4]");
  EXPECT_EQ(bodies[1]->value(bodies[1]->outputs()[0]).type.to_string(), "float32[1,4]");
  EXPECT_EQ(bodies[1]->model.opset(), 17);
}

::onnx::ModelProto nested_model() {
  ::onnx::ModelProto model = if_model();
  auto& outer = *model.mutable_graph()->mutable_node(0)->mutable_attribute(0)->mutable_g();
  ::onnx::NodeProto inner = if_model().graph().node(0);
  inner.set_name("inner");
  inner.set_output(0, "n");
  *outer.add_node() = inner;
  outer.mutable_output(0)->set_name("n");
  return model;
}

TEST(Body, CapturesThroughTwoLevels) {
  const ir::Graph graph = round_trip(nested_model());
  const auto outer = ir::bodies(graph.node(graph.order()[0]))[1];
  ASSERT_EQ(outer->captures().size(), 2u);  // x and c
  const ir::Node& inner = outer->node(outer->order()[1]);
  EXPECT_EQ(inner.name, "inner");
  ASSERT_EQ(inner.implicit_inputs.size(), 2u);
  EXPECT_EQ(outer->value(inner.implicit_inputs[0]).name, "x");
  EXPECT_FALSE(outer->value(inner.implicit_inputs[0]).producer.valid());
}

TEST(Body, MayReadAValueThatStandsLater) {
  ::onnx::ModelProto model = if_model();
  ::onnx::GraphProto& graph = *model.mutable_graph();
  auto& body = *graph.mutable_node(0)->mutable_attribute(0)->mutable_g();
  body.mutable_node(0)->set_input(0, "late");
  add_node(graph, "Abs", {"x"}, {"late"}, "abs");
  const ir::Graph read = round_trip(model);
  EXPECT_EQ(read.node(read.order()[0]).name, "abs");
}

TEST(Body, OwnNamesHideThoseOutside) {
  ::onnx::ModelProto model = if_model();
  auto& body = *model.mutable_graph()->mutable_node(0)->mutable_attribute(0)->mutable_g();
  add_floats(body, "x", {1, 4}, {1, 2, 3, 4});
  const ir::Graph graph = round_trip(model);
  const auto then_body = ir::bodies(graph.node(graph.order()[0]))[1];
  EXPECT_TRUE(then_body->captures().empty());
}

TEST(Body, IsWrittenUnderTheNamesOfWhatItReads) {
  auto graph = imported(if_model());
  ASSERT_TRUE(graph.ok());
  // "t" is also the name of a value inside the body.
  ASSERT_TRUE(graph->rename_value(graph->find_value("x"), "t").ok());
  auto bytes = export_model(*graph);
  ASSERT_TRUE(bytes.ok());
  auto again = import_bytes(*bytes, "");
  ASSERT_TRUE(again.ok()) << again.error().message();
  const ir::Node& node = again->node(again->order()[0]);
  ASSERT_EQ(node.implicit_inputs.size(), 2u);
  EXPECT_EQ(name_of(*again, node.implicit_inputs[0]), "t");
  EXPECT_EQ(name_of(*again, node.implicit_inputs[1]), "t");
  const auto then_body = ir::bodies(node)[1];
  EXPECT_NE(then_body->outputs()[0], then_body->captures()[0]);
  EXPECT_EQ(then_body->order().size(), 1u);
}

TEST(Body, LoopKeepsInputsAndResults) {
  ::onnx::ModelProto model = relu_model();
  ::onnx::GraphProto& graph = *model.mutable_graph();
  ::onnx::NodeProto& loop = add_node(graph, "Loop", {"", "", "x"}, {"last", "all"}, "loop");
  auto& body = *add_attribute(loop, "body", ::onnx::AttributeProto::GRAPH).mutable_g();
  add_input(body, "i", {}, 7);
  add_input(body, "c", {}, 9);
  body.add_input()->set_name("v");  // without a type, which bodies may
  add_node(body, "Add", {"v", "y"}, {"w"});
  body.add_output()->set_name("c");
  add_output(body, "w");
  add_output(body, "w2");
  add_node(body, "Neg", {"w"}, {"w2"});
  const ir::Graph read = round_trip(model);
  const ir::Node& node = read.node(read.order()[1]);
  ASSERT_EQ(node.implicit_inputs.size(), 1u);
  EXPECT_EQ(name_of(read, node.implicit_inputs[0]), "y");
}

}  // namespace
}  // namespace octet::onnx
