// Opset 6 read as 7.
#include "tests/unit/compiler/onnx/make_model.h"

namespace octet::onnx {
namespace {

using ::testing::ElementsAre;

::onnx::ModelProto model6() {
  ::onnx::ModelProto model = empty_model();
  model.mutable_opset_import(0)->set_version(6);
  add_output(*model.mutable_graph(), "y");
  return model;
}

void set_int(::onnx::NodeProto& node, const std::string& name, int64_t value) {
  add_attribute(node, name, ::onnx::AttributeProto::INT).set_i(value);
}

// y = Add(x [2,3,4,5], b) with `broadcast` and, if it is not negative, `axis`.
::onnx::ModelProto add_model(const Dims& b, int64_t axis) {
  ::onnx::ModelProto model = model6();
  add_input(*model.mutable_graph(), "x", {2, 3, 4, 5});
  add_input(*model.mutable_graph(), "b", b);
  auto& node = add_node(*model.mutable_graph(), "Add", {"x", "b"}, {"y"}, "add");
  set_int(node, "broadcast", 1);
  if (axis >= 0) set_int(node, "axis", axis);
  return model;
}

const ir::Node& node_at(const ir::Graph& graph, size_t i) { return graph.node(graph.order()[i]); }

TEST(Opset6, AlignsOperandsByTheirAxis) {
  const ir::Graph graph = round_trip(add_model({3, 4}, 1));
  EXPECT_EQ(graph.model.opset(), 7);
  ASSERT_EQ(graph.order().size(), 2u);
  EXPECT_EQ(node_at(graph, 0).op_type, "Unsqueeze");
  EXPECT_THAT(ir::ints_attribute(node_at(graph, 0), "axes"), ElementsAre(2));
  EXPECT_EQ(graph.value(node_at(graph, 0).output()).type.shape.to_string(), "[3,4,1]");
  EXPECT_EQ(node_at(graph, 1).name, "add");
  EXPECT_TRUE(node_at(graph, 1).attributes.empty());
}

TEST(Opset6, LeavesTrailingOperandsAsTheyAre) {
  for (int64_t axis : {-1, 2}) {
    const ir::Graph graph = round_trip(add_model({4, 5}, axis));
    EXPECT_EQ(graph.model.opset(), 7);
    ASSERT_EQ(graph.order().size(), 1u);
    EXPECT_TRUE(node_at(graph, 0).attributes.empty());
  }
}

TEST(Opset6, GivesSlopesTheAxisOfChannels) {
  ::onnx::ModelProto model = model6();
  add_input(*model.mutable_graph(), "x", {2, 3, 4, 5});
  add_input(*model.mutable_graph(), "s", {3});
  add_node(*model.mutable_graph(), "PRelu", {"x", "s"}, {"y"}, "prelu");
  const ir::Graph graph = round_trip(model);
  EXPECT_THAT(ir::ints_attribute(node_at(graph, 0), "axes"), ElementsAre(1, 2));
}

TEST(Opset6, StaysWhereAMeaningIsNotKnown) {
  ::onnx::ModelProto training = model6();
  add_input(*training.mutable_graph(), "x");
  add_node(*training.mutable_graph(), "Dropout", {"x"}, {"y"}, "drop");
  EXPECT_EQ(round_trip(training).model.opset(), 6);

  ::onnx::ModelProto unranked = add_model({3}, 1);
  unranked.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->clear_shape();
  EXPECT_EQ(round_trip(unranked).model.opset(), 6);

  ::onnx::ModelProto testing = model6();
  add_input(*testing.mutable_graph(), "x");
  set_int(add_node(*testing.mutable_graph(), "Dropout", {"x"}, {"y"}, "drop"), "is_test", 1);
  const ir::Graph graph = round_trip(testing);
  EXPECT_EQ(graph.model.opset(), 7);
  EXPECT_TRUE(node_at(graph, 0).attributes.empty());
}

TEST(Opset6, StaysWhereTheAxisIsNone) {
  for (int64_t axis : {int64_t{5}, INT64_MAX, int64_t{1} << 40}) {
    EXPECT_EQ(round_trip(add_model({3, 4}, axis)).model.opset(), 6);
  }
}

}  // namespace
}  // namespace octet::onnx
