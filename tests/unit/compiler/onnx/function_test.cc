// Model-local functions are inlined: rows 17 to 19 of the list of bad inputs.
#include "tests/unit/compiler/onnx/make_model.h"

namespace octet::onnx {
namespace {

using Attribute = ::onnx::AttributeProto;

::onnx::NodeProto& add_node(::onnx::FunctionProto& function, const std::string& op,
                            const Names& inputs, const Names& outputs,
                            const std::string& domain = {}) {
  ::onnx::GraphProto scratch;
  ::onnx::NodeProto& node = *function.add_node();
  node = octet::onnx::add_node(scratch, op, inputs, outputs, "");
  node.set_domain(domain);
  return node;
}

::onnx::FunctionProto& add_function(::onnx::ModelProto& model, const std::string& name) {
  ::onnx::FunctionProto& function = *model.add_functions();
  function.set_name(name);
  function.set_domain("local");
  function.add_input("a");
  function.add_output("b");
  for (const auto& [domain, version] : {std::pair<const char*, int>{"", 17}, {"local", 1}}) {
    auto& opset = *function.add_opset_import();
    opset.set_domain(domain);
    opset.set_version(version);
  }
  return function;
}

// y = local.F(x), no function yet.
::onnx::ModelProto call_model() {
  ::onnx::ModelProto model = relu_model();
  auto& opset = *model.add_opset_import();
  opset.set_domain("local");
  opset.set_version(1);
  auto& node = *model.mutable_graph()->mutable_node(0);
  node.set_op_type("F");
  node.set_domain("local");
  node.set_name("call");
  return model;
}

TEST(Function, IsInlinedWithTheCallAsOrigin) {
  ::onnx::ModelProto model = call_model();
  ::onnx::FunctionProto& function = add_function(model, "F");
  add_node(function, "Neg", {"a"}, {"m"}).set_name("neg");
  add_node(function, "Abs", {"m"}, {"b"});
  const ir::Graph graph = round_trip(model);
  ASSERT_EQ(graph.order().size(), 2u);
  const ir::Node& first = graph.node(graph.order()[0]);
  EXPECT_EQ(first.op_type, "Neg");
  EXPECT_EQ(first.name, "call/neg");
  EXPECT_EQ(first.origins, Names{"call"});
  EXPECT_EQ(graph.value(first.output()).name, "call/m");
  EXPECT_EQ(graph.node(graph.order()[1]).origins, Names{"call"});
  EXPECT_EQ(graph.value(graph.outputs()[0]).name, "y");
}

TEST(Function, CallsOfOneFunctionDoNotMeet) {
  ::onnx::ModelProto model = call_model();
  ::onnx::FunctionProto& function = add_function(model, "F");
  add_node(function, "Neg", {"a"}, {"m"});
  add_node(function, "Abs", {"m"}, {"b"});
  ::onnx::NodeProto& second = *model.mutable_graph()->add_node();
  second = model.graph().node(0);
  second.set_input(0, "y");
  second.set_output(0, "z");
  add_output(*model.mutable_graph(), "z");
  const ir::Graph graph = round_trip(model);
  EXPECT_EQ(graph.order().size(), 4u);
  EXPECT_TRUE(graph.find_value("call/m").valid());
  EXPECT_TRUE(graph.find_value("call/m_1").valid());
}

TEST(Function, TakesAttributesFromTheCallOrTheirDefaults) {
  ::onnx::ModelProto model = call_model();
  ::onnx::FunctionProto& function = add_function(model, "F");
  function.add_attribute("alpha");
  ::onnx::NodeProto& node = add_node(function, "Elu", {"a"}, {"b"});
  auto& reference = add_attribute(node, "alpha", Attribute::FLOAT);
  reference.set_ref_attr_name("alpha");
  const auto alpha = [&] {
    const ir::Graph graph = round_trip(model);
    return ir::float_attribute(graph.node(graph.order()[0]), "alpha", -1);
  };
  EXPECT_EQ(alpha(), -1);  // left to the operator's default
  ::onnx::AttributeProto fallback;
  fallback.set_name("alpha");
  fallback.set_type(Attribute::FLOAT);
  fallback.set_f(0.25F);
  function.GetReflection()->MutableUnknownFields(&function)->AddLengthDelimited(
      11, serialize(fallback));
  EXPECT_EQ(alpha(), 0.25F);
  add_attribute(*model.mutable_graph()->mutable_node(0), "alpha", Attribute::FLOAT).set_f(0.5F);
  EXPECT_EQ(alpha(), 0.5F);
  reference.set_ref_attr_name("beta");
  expect_malformed(model, {"function \"local.F\"", "\"beta\""});
}

TEST(Function, MayBeCalledInBodiesAndHoldBodies) {
  ::onnx::ModelProto model = call_model();
  ::onnx::FunctionProto& outer = add_function(model, "F");
  ::onnx::NodeProto choose = if_model().graph().node(0);
  choose.set_input(0, "cond");
  choose.set_output(0, "b");
  for (auto& attribute : *choose.mutable_attribute()) {
    for (auto& node : *attribute.mutable_g()->mutable_node()) {
      node.set_input(0, "a");
      if (node.op_type() != "Neg") continue;
      node.set_op_type("G");
      node.set_domain("local");
    }
  }
  ::onnx::NodeProto& constant = add_node(outer, "Constant", {}, {"cond"});
  auto& value = *add_attribute(constant, "value", Attribute::TENSOR).mutable_t();
  value.set_data_type(9);
  value.add_int32_data(1);
  *outer.add_node() = choose;
  add_node(add_function(model, "G"), "Neg", {"a"}, {"b"});
  const ir::Graph graph = round_trip(model);
  ASSERT_EQ(graph.order().size(), 2u);
  const ir::Node& node = graph.node(graph.order()[1]);
  EXPECT_EQ(node.op_type, "If");
  ASSERT_EQ(node.implicit_inputs.size(), 2u);
  EXPECT_EQ(graph.value(node.implicit_inputs[0]).name, "x");
  const auto else_body = ir::bodies(node)[0];
  const ir::Node& inner = else_body->node(else_body->order()[0]);
  EXPECT_EQ(inner.op_type, "Neg");
  EXPECT_EQ(inner.origins, Names{"call"});
}

TEST(Function, PassesAnInputThrough) {
  ::onnx::ModelProto model = call_model();
  ::onnx::FunctionProto& function = add_function(model, "F");
  function.set_output(0, "a");
  add_node(function, "Neg", {"a"}, {"unused"});
  const ir::Graph graph = round_trip(model);
  EXPECT_EQ(graph.node(graph.order()[0]).op_type, "Identity");
}

TEST(Function, IsFoundByItsOverload) {
  ::onnx::ModelProto model = call_model();
  for (const char* overload : {"one", "two"}) {
    ::onnx::FunctionProto& function = add_function(model, "F");
    add_node(function, std::string(overload) == "one" ? "Neg" : "Abs", {"a"}, {"b"});
    function.GetReflection()->MutableUnknownFields(&function)->AddLengthDelimited(13, overload);
  }
  auto& call = *model.mutable_graph()->mutable_node(0);
  call.GetReflection()->MutableUnknownFields(&call)->AddLengthDelimited(8, "two");
  const ir::Graph graph = round_trip(model);
  EXPECT_EQ(graph.node(graph.order()[0]).op_type, "Abs");
}

// Row 17.
TEST(Function, RefusesCycles) {
  ::onnx::ModelProto model = call_model();
  add_node(add_function(model, "F"), "F", {"a"}, {"b"}, "local");
  expect_malformed(model, {"cycle", "\"F\" -> \"F\""});

  model = call_model();
  add_node(add_function(model, "F"), "G", {"a"}, {"b"}, "local");
  add_node(add_function(model, "G"), "F", {"a"}, {"b"}, "local");
  expect_malformed(model, {"cycle", "\"F\" -> \"G\" -> \"F\""});

  model = call_model();
  ::onnx::FunctionProto& function = add_function(model, "F");
  ::onnx::NodeProto choose = if_model().graph().node(0);
  auto& inner = *choose.mutable_attribute(1)->mutable_g()->mutable_node(0);
  inner.set_op_type("F");
  inner.set_domain("local");
  *function.add_node() = choose;
  expect_malformed(model, {"cycle", "\"F\""});
}

::onnx::ModelProto chain_model(int length, int calls) {
  ::onnx::ModelProto model = call_model();
  model.mutable_graph()->mutable_node(0)->set_op_type("F0");
  for (int i = 0; i < length; ++i) {
    ::onnx::FunctionProto& function = add_function(model, cat("F", i));
    for (int call = 0; call < calls; ++call) {
      const std::string output = call + 1 == calls ? "b" : cat("t", call);
      const bool last = i + 1 == length;
      add_node(function, last ? std::string("Neg") : cat("F", i + 1), {"a"}, {output},
               last ? "" : "local");
    }
  }
  return model;
}

TEST(Function, LimitsCallsWithinCalls) {
  EXPECT_TRUE(imported(chain_model(100, 1)).ok());
  expect_refused(imported(chain_model(101, 1)), ErrorCode::kResourceLimit, {"100 deep"});
}

TEST(Function, LimitsTheirNumber) {
  ::onnx::ModelProto model = call_model();
  for (int i = 0; i < 10'001; ++i) model.add_functions();
  expect_refused(imported(model), ErrorCode::kResourceLimit, {"10001 functions"});
}

// Row 18.
TEST(Function, RefusesExponentialGrowthBeforeItHappens) {
  expect_refused(imported(chain_model(41, 2)), ErrorCode::kResourceLimit, {"200000 nodes"});
}

// Row 19.
TEST(Function, RefusesOneIdTwiceAndIdsOfTheStandard) {
  ::onnx::ModelProto model = call_model();
  add_function(model, "F");
  add_function(model, "F");
  expect_malformed(model, {"\"local.F\" is defined twice"});
  model = call_model();
  add_function(model, "Relu").set_domain("");
  expect_malformed(model, {"ai.onnx"});
}

TEST(Function, RefusesAnotherOpsetThanTheModels) {
  ::onnx::ModelProto model = call_model();
  ::onnx::FunctionProto& function = add_function(model, "F");
  add_node(function, "Neg", {"a"}, {"b"});
  function.mutable_opset_import(0)->set_version(12);
  expect_refused(imported(model), ErrorCode::kUnsupported, {"\"local.F\"", "version 12", "17"});
}

TEST(Function, RefusesUndefinedNamesAndTooManyOperands) {
  ::onnx::ModelProto model = call_model();
  ::onnx::FunctionProto& function = add_function(model, "F");
  add_node(function, "Add", {"a", "x"}, {"b"});
  expect_malformed(model, {"node \"call\"", "function \"local.F\"", "\"x\" is not defined"});
  function.mutable_node(0)->set_input(1, "a");
  model.mutable_graph()->mutable_node(0)->add_input("x");
  expect_malformed(model, {"2 inputs"});
}

}  // namespace
}  // namespace octet::onnx
