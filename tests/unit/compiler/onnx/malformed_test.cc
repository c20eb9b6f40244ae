// Models that are refused, and how: the numbers are rows of the list of bad inputs.
#include <google/protobuf/unknown_field_set.h>

#include "tests/unit/compiler/onnx/make_model.h"

namespace octet::onnx {
namespace {

using Attribute = ::onnx::AttributeProto;

::onnx::GraphProto& graph_of(::onnx::ModelProto& model) { return *model.mutable_graph(); }

// Row 13.
TEST(MalformedModel, NeedsAGraphWithOutputs) {
  ::onnx::ModelProto none = relu_model();
  none.clear_graph();
  expect_malformed(none, {"no graph"});
  ::onnx::ModelProto no_outputs = relu_model();
  no_outputs.mutable_graph()->clear_output();
  expect_malformed(no_outputs, {"no outputs"});
}

// Row 14.
TEST(MalformedModel, NeedsAKnownIrVersion) {
  ::onnx::ModelProto model = relu_model();
  model.clear_ir_version();
  expect_malformed(model, {"no ir_version"});
  model.set_ir_version(0);
  expect_malformed(model, {"ir_version 0"});
  model.set_ir_version(-5);
  expect_malformed(model, {"ir_version -5"});
  model.set_ir_version(int64_t{1} << 31);
  expect_refused(imported(model), ErrorCode::kUnsupported, {"ir_version 2147483648"});
  model.set_ir_version(kNewestIrVersion);
  EXPECT_TRUE(imported(model).ok());
}

// Row 15.
TEST(MalformedModel, NeedsSaneOpsetImports) {
  ::onnx::ModelProto model = relu_model();
  model.clear_opset_import();
  expect_malformed(model, {"no opset_import"});
  for (int64_t version : {0, -1}) {
    model = relu_model();
    model.mutable_opset_import(0)->set_version(version);
    expect_malformed(model, {"\"ai.onnx\"", cat("version ", version)});
  }
  model.mutable_opset_import(0)->set_version(1'000'000'000);
  expect_refused(imported(model), ErrorCode::kUnsupported, {"opset 1000000000"});
  for (const char* domain : {"", "ai.onnx"}) {
    model = relu_model();
    auto& second = *model.add_opset_import();
    second.set_domain(domain);
    second.set_version(13);
    expect_malformed(model, {"\"ai.onnx\" twice", "17 and 13"});
  }
}

TEST(MalformedModel, NeedsAnImportForEveryDomain) {
  ::onnx::ModelProto model = relu_model();
  model.mutable_graph()->mutable_node(0)->set_domain("com.example");
  expect_malformed(model, {"node \"relu\"", "\"com.example\""});
}

// Row 21.
TEST(MalformedGraph, RefusesCycles) {
  ::onnx::ModelProto model = relu_model();
  add_node(graph_of(model), "Add", {"x", "loop"}, {"loop"}, "self");
  expect_malformed(model, {"cycle", "\"self\""});

  model = relu_model();
  add_node(graph_of(model), "Add", {"x", "b"}, {"a"}, "one");
  add_node(graph_of(model), "Add", {"x", "a"}, {"b"}, "two");
  expect_malformed(model, {"cycle", "\"one\"", "\"two\""});

  model = if_model();
  auto& body = *model.mutable_graph()->mutable_node(0)->mutable_attribute(0)->mutable_g();
  body.mutable_node(0)->set_input(0, "y");
  expect_malformed(model, {"cycle", "\"choose\""});
}

// Row 23.
TEST(MalformedGraph, RefusesTwoProducersOfOneName) {
  ::onnx::ModelProto model = relu_model();
  add_node(graph_of(model), "Neg", {"x"}, {"y"}, "neg");
  expect_malformed(model, {"value \"y\"", "\"relu\"", "\"neg\""});

  model = relu_model();
  add_node(graph_of(model), "Neg", {"y"}, {"x"}, "neg");
  expect_malformed(model, {"value \"x\"", "an input", "\"neg\""});

  model = relu_model();
  add_floats(graph_of(model), "y", {1}, {1});
  expect_malformed(model, {"value \"y\"", "an initializer", "\"relu\""});

  model = relu_model();
  add_node(graph_of(model), "Split", {"x"}, {"a", "a"}, "split");
  expect_malformed(model, {"value \"a\"", "\"split\""});
}

// Row 24.
TEST(MalformedGraph, RefusesValuesFromNowhere) {
  ::onnx::ModelProto model = relu_model();
  model.mutable_graph()->mutable_node(0)->set_input(0, "ghost");
  expect_malformed(model, {"node \"relu\" (Relu)", "input 0", "\"ghost\""});
  model = relu_model();
  add_output(graph_of(model), "ghost");
  expect_malformed(model, {"output", "\"ghost\""});
  model = relu_model();
  model.mutable_graph()->mutable_output(0)->clear_name();
  expect_malformed(model, {"output without a name"});
}

// Row 25.
TEST(MalformedGraph, AllowsNodesOfOneNameAndWithoutAny) {
  ::onnx::ModelProto model = relu_model();
  add_node(graph_of(model), "Neg", {"x"}, {"a"}, "relu");
  add_node(graph_of(model), "Neg", {"x"}, {"b"});
  const ir::Graph graph = round_trip(model);
  EXPECT_EQ(graph.node(graph.order()[2]).origins, Names{"b"});
}

// Row 26.
TEST(MalformedGraph, RefusesNamesGivenTwice) {
  ::onnx::ModelProto model = relu_model();
  add_input(graph_of(model), "x");
  expect_malformed(model, {"\"x\"", "another input"});
  model = relu_model();
  add_output(graph_of(model), "y");
  expect_malformed(model, {"two outputs", "\"y\""});
  model = relu_model();
  add_floats(graph_of(model), "w", {1}, {1});
  add_floats(graph_of(model), "w", {1}, {1});
  expect_malformed(model, {"two initializers", "\"w\""});
}

TEST(MalformedGraph, RefusesAnInitializerThatIsNotTheInputItIsNamedAfter) {
  ::onnx::ModelProto model = relu_model();
  add_floats(graph_of(model), "x", {3}, {1, 2, 3});
  expect_malformed(model, {"initializer \"x\"", "float32[1,4]", "float32[3]"});
}

TEST(MalformedGraph, RefusesContradictoryTypes) {
  ::onnx::ModelProto model = relu_model();
  add_node(graph_of(model), "Neg", {"y"}, {"z"});
  auto& infos = *graph_of(model).mutable_value_info();
  set_tensor_type(*infos.Add(), "z", 1, {2});
  set_tensor_type(*infos.Add(), "z", 7, {2});
  expect_malformed(model, {"\"z\"", "float32[2]", "int64[2]"});
  infos.RemoveLast();
  infos.Mutable(0)->mutable_type()->mutable_tensor_type()->set_elem_type(99);
  expect_malformed(model, {"\"z\"", "element type 99"});
}

TEST(MalformedGraph, RefusesATensorDeclaredAsSomethingElse) {
  ::onnx::ModelProto model = relu_model();
  model.mutable_graph()->mutable_output(0)->mutable_type()->mutable_map_type()->set_key_type(1);
  expect_malformed(model, {"value \"y\"", "no tensor", "float32[1,4]"});
}

TEST(MalformedGraph, NeedsTypesOfInputs) {
  ::onnx::ModelProto model = relu_model();
  model.mutable_graph()->mutable_input(0)->clear_type();
  expect_malformed(model, {"input \"x\"", "no type"});
}

// Row 28.
TEST(MalformedGraph, RefusesCapturesOfASiblingBody) {
  ::onnx::ModelProto model = if_model();
  auto& else_body = *model.mutable_graph()->mutable_node(0)->mutable_attribute(1)->mutable_g();
  else_body.mutable_node(0)->set_input(0, "t");
  expect_malformed(model, {"node \"minus\"", "\"t\""});
}

// Row 29.
TEST(MalformedGraph, RefusesBodiesThatDoNotFit) {
  ::onnx::ModelProto model = if_model();
  auto& body = *model.mutable_graph()->mutable_node(0)->mutable_attribute(0)->mutable_g();
  add_output(body, "one");
  expect_malformed(model, {"\"choose\" (If)", "outputs of then_branch"});

  model = if_model();
  model.mutable_graph()->mutable_node(0)->mutable_attribute()->RemoveLast();
  expect_malformed(model, {"\"choose\" (If)", "\"else_branch\"", "missing"});

  for (int64_t count : {100, -1, 0}) {
    model = relu_model();
    auto& node = add_node(graph_of(model), "Scan", {"x"}, {"s"}, "scan");
    add_attribute(node, "num_scan_inputs", Attribute::INT).set_i(count);
    auto& scan = *add_attribute(node, "body", Attribute::GRAPH).mutable_g();
    add_input(scan, "i");
    add_output(scan, "i");
    expect_malformed(model, {"\"scan\" (Scan)", cat("num_scan_inputs is ", count)});
  }

  model = relu_model();
  auto& loop = add_node(graph_of(model), "Loop", {"", "", "x"}, {"l"}, "loop");
  auto& loop_body = *add_attribute(loop, "body", Attribute::GRAPH).mutable_g();
  add_input(loop_body, "i", {}, 7);
  add_input(loop_body, "c", {}, 9);
  add_input(loop_body, "v");
  add_output(loop_body, "c");
  expect_malformed(model, {"\"loop\" (Loop)", "outputs of the body"});
}

// Row 34.
TEST(MalformedGraph, RefusesBadAttributes) {
  ::onnx::ModelProto model = relu_model();
  auto& node = *model.mutable_graph()->mutable_node(0);
  auto& attribute = *node.add_attribute();
  attribute.set_name("a");
  attribute.set_f(1);
  attribute.add_ints(1);
  expect_malformed(model, {"node \"relu\"", "attribute \"a\"", "FLOAT", "INTS"});
  attribute.set_type(Attribute::INTS);
  expect_malformed(model, {"declared INTS, but holds FLOAT"});
  attribute.clear_f();
  attribute.clear_ints();
  attribute.clear_type();
  expect_malformed(model, {"attribute \"a\""});
  attribute.set_type(Attribute::TENSOR);
  expect_malformed(model, {"declared TENSOR, but holds none"});
  attribute.set_type(Attribute::INT);
  EXPECT_TRUE(imported(model).ok());
  attribute.set_ref_attr_name("outer");
  expect_malformed(model, {"attribute \"a\"", "\"outer\""});
  attribute.clear_ref_attr_name();
  *node.add_attribute() = attribute;
  expect_malformed(model, {"attribute \"a\" is given twice"});
  node.mutable_attribute(1)->clear_name();
  expect_malformed(model, {"attribute without a name"});
}

TEST(MalformedGraph, RefusesAttributesOfUnknownKind) {
  ::onnx::ModelProto model = relu_model();
  auto& attribute = *model.mutable_graph()->mutable_node(0)->add_attribute();
  attribute.set_name("a");
  attribute.set_i(1);
  attribute.GetReflection()->MutableUnknownFields(&attribute)->AddVarint(20, 99);
  expect_malformed(model, {"node \"relu\"", "attribute \"a\"", "kind"});
}

TEST(MalformedGraph, RefusesANodeWithoutOperator) {
  ::onnx::ModelProto model = relu_model();
  model.mutable_graph()->mutable_node(0)->clear_op_type();
  expect_malformed(model, {"no op_type"});
}

// Row 30: a chain takes linear time; the number of nodes is limited.
TEST(MalformedGraph, LimitsNodes) {
  ::onnx::ModelProto model = empty_model();
  add_input(graph_of(model), "v0");
  constexpr int kNodes = 20'000;
  for (int i = 0; i < kNodes; ++i) {
    add_node(graph_of(model), "Identity", {cat("v", i)}, {cat("v", i + 1)});
  }
  add_output(graph_of(model), cat("v", kNodes));
  EXPECT_TRUE(imported(model).ok());
  ImportOptions options;
  options.max_nodes = kNodes - 1;
  expect_refused(imported(model, options), ErrorCode::kResourceLimit, {"19999 nodes"});
}

// Row 11.
TEST(MalformedModel, EscapesNamesAndRefusesInvalidUtf8) {
  ::onnx::ModelProto model = relu_model();
  const std::string name = std::string("a\n\x1b[31m\0b", 9) + std::string(100'000, 'c');
  model.mutable_graph()->mutable_node(0)->set_input(0, name);
  const auto result = imported(model);
  expect_refused(result, ErrorCode::kMalformed, {"\"a"});
  EXPECT_LT(result.error().message().size(), 1000u);
  model.mutable_graph()->mutable_node(0)->set_input(0, "\xC0\x80");
  expect_malformed(model, {"not valid UTF-8"});
}

}  // namespace
}  // namespace octet::onnx
