#include "compiler/ir/verify.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "compiler/ir/parse.h"
#include "compiler/ir/print.h"
#include "tests/support/graph_builder.h"
#include "tests/support/graph_peer.h"

namespace octet::ir {
namespace {

using octet::testing::must;
using Peer = GraphTestPeer;

// One good graph; each test breaks one thing in it.
class Verify : public ::testing::Test {
 protected:
  void SetUp() override {
    graph_ = must(parse(R"(graph "g" {
      input %x: float32[2]
      input %d: float32[2] = [1.0, 2.0]
      const %k: float32[2] = [1.0, 2.0]
      () = Tick() name "t"
      %a: float32[2] = Add(%x, %k) name "first"
      %b: float32[2] = Mul(%a, %d) name "second"
      %c: float32[2] = If(%b) {then_branch = graph "t" {
        capture %a: float32[2]
        %n: float32[2] = Neg(%a)
        output %n
      }} name "branch"
      output %c
      output %b
    })"));
    ASSERT_EQ(message(), "");
  }

  std::string message() const {
    const Status status = verify(graph_);
    if (status.ok()) return "";
    EXPECT_EQ(status.error().code(), ErrorCode::kMalformed);
    return status.error().message();
  }

  void expect(std::string_view rule, std::string_view text) const {
    EXPECT_EQ(message(), cat(text, " ", rule));
  }

  ValueId value(std::string_view name) const { return graph_.find_value(name); }
  NodeId node(std::string_view name) const { return graph_.find_node(name); }

  Graph graph_;
};

TEST_F(Verify, V1_OperandsAreValuesThatAreAlive) {
  Peer::value(graph_, value("k")).alive = false;
  expect("[V1]", "node \"first\" (Add), input 1: not a value of this graph");
}

TEST_F(Verify, V1_OperandsAreInRange) {
  Peer::node(graph_, node("second")).inputs[0] = ValueId(99);
  expect("[V1]", "node \"second\" (Mul), input 0: not a value of this graph");
}

TEST_F(Verify, V1_ResultsAreInRange) {
  Peer::node(graph_, node("t")).outputs.emplace_back(99);
  expect("[V1]", "node \"t\" (Tick), output 0: not a value of this graph");
}

TEST_F(Verify, V1_CapturedValuesAreNotOmitted) {
  Peer::uses(graph_, value("a")).pop_back();
  Peer::node(graph_, node("branch")).implicit_inputs[0] = ValueId();
  expect("[V1]", "node \"branch\" (If), implicit input 0: not a value of this graph");
}

TEST_F(Verify, V1_GraphInputsAreInRange) {
  Peer::inputs(graph_).emplace_back(99);
  expect("[V1]", "graph input 2 is not a value of this graph");
}

TEST_F(Verify, V2_EveryNodeIsInTheOrder) {
  auto& order = Peer::order(graph_);
  order.erase(order.begin());
  expect("[V2]", "node \"t\" (Tick) is not in the order");
}

TEST_F(Verify, V2_NoNodeIsInTheOrderTwice) {
  Peer::order(graph_).push_back(node("t"));
  expect("[V2]", "node \"t\" (Tick) stands twice");
}

TEST_F(Verify, V2_RemovedNodesAreNotInTheOrder) {
  const NodeId tick = node("t");
  graph_.remove_node(tick);
  EXPECT_EQ(message(), "");
  Peer::order(graph_).push_back(tick);
  expect("[V2]", "node \"t\" (Tick) is removed and still in the order");
}

TEST_F(Verify, V2_TheOrderIsInRange) {
  Peer::order(graph_).emplace_back(99);
  expect("[V2]", "the order lists a node that is not there");
}

TEST_F(Verify, V3_NamesAreUnique) {
  Peer::value(graph_, value("b")).name = "a";
  expect("[V3]", "value \"a\" shares its name with another");
}

TEST_F(Verify, V3_NamesAreFound) {
  Peer::value(graph_, value("b")).name = "z";
  expect("[V3]", "value \"z\" is not found by its name");
}

TEST_F(Verify, V3_NamesAreNotEmpty) {
  Peer::value(graph_, value("x")).name = "";
  expect("[V3]", "value 0 has no name");
}

TEST_F(Verify, V4_ValuesComeFromSomewhere) {
  must(graph_.add_value("lost", {}));
  expect(
      "[V4]",
      "value \"lost\" comes from 0 of graph inputs, captures, constants and nodes, not from one");
}

TEST_F(Verify, V4_ResultsAreNotConstants) {
  Peer::value(graph_, value("a")).constant =
      std::make_shared<const Tensor>(Tensor::of<float>({2}, {1, 2}));
  expect("[V4]",
         "value \"a\" comes from 2 of graph inputs, captures, constants and nodes, not from one");
}

TEST_F(Verify, V4_InputsKnowThatTheyAre) {
  Peer::value(graph_, value("x")).is_input = false;
  expect("[V4]", "value \"x\" is a graph input unawares");
}

TEST_F(Verify, V4_OthersKnowThatTheyAreNot) {
  Peer::value(graph_, value("k")).is_input = true;
  expect("[V4]", "value \"k\" calls itself a graph input and is none");
}

TEST_F(Verify, V4_AnInputIsListedOnce) {
  Peer::inputs(graph_).push_back(value("x"));
  expect("[V4]",
         "value \"x\" comes from 2 of graph inputs, captures, constants and nodes, not from one");
}

TEST_F(Verify, V5_ProducersAreTheNodesThatMakeTheValue) {
  Peer::value(graph_, value("a")).producer = node("t");
  expect("[V5]", "value \"a\" takes another node than node \"first\" (Add) for its producer");
}

TEST_F(Verify, V5_OneNodeMakesAValue) {
  Peer::node(graph_, node("t")).outputs.push_back(value("a"));
  expect("[V5]", "node \"first\" (Add) and node \"t\" (Tick) both make value \"a\"");
}

TEST_F(Verify, V6_OperandsAreUses) {
  Peer::uses(graph_, value("a")).pop_back();
  expect("[V6]", "value \"a\" is read without a use");
}

TEST_F(Verify, V6_UsesAreOperands) {
  Peer::uses(graph_, value("c")).push_back({node("t"), 0, false});
  expect("[V6]", "value \"c\" has a use that is none");
}

TEST_F(Verify, V6_UsesAreListedOnce) {
  auto& uses = Peer::uses(graph_, value("x"));
  uses.push_back(uses.front());
  expect("[V6]", "value \"x\" has a use that is none");
}

TEST_F(Verify, V7_ProducersStandBeforeUsers) {
  auto& order = Peer::order(graph_);
  std::swap(order[1], order[2]);
  expect("[V7]", "node \"second\" (Mul) reads value \"a\" before node \"first\" (Add) makes it");
}

TEST_F(Verify, V7_ProducersStandBeforeNodesWhoseBodiesRead) {
  auto& order = Peer::order(graph_);
  graph_.set_input(node("branch"), 0, value("x"));
  std::swap(order[1], order[3]);
  std::swap(order[2], order[3]);
  expect("[V7]", "node \"branch\" (If) reads value \"a\" before node \"first\" (Add) makes it");
}

TEST_F(Verify, V7_ThereAreNoCycles) {
  graph_.set_input(node("first"), 1, value("b"));
  expect("[V7]", "node \"first\" (Add) reads value \"b\" before node \"second\" (Mul) makes it");
  const Status sorted = graph_.sort();
  ASSERT_FALSE(sorted.ok());
  EXPECT_NE(sorted.error().message().find("node \"second\" (Mul)"), std::string::npos);
}

TEST_F(Verify, V8_GraphOutputsExist) {
  graph_.add_output(ValueId(99));
  expect("[V8]", "graph output 2 is not a value of this graph");
}

TEST_F(Verify, V8_GraphOutputsAreAlive) {
  const ValueId lost = must(graph_.add_value("lost", {}));
  Peer::value(graph_, lost).alive = false;
  graph_.add_output(lost);
  expect("[V8]", "graph output 2 is not a value of this graph");
}

TEST_F(Verify, V9_EveryNodeHasOrigins) {
  graph_.set_origins(node("first"), {});
  expect("[V9]", "node \"first\" (Add) does not say which nodes it stands for");
}

TEST_F(Verify, V9_OriginsHaveNames) {
  graph_.set_origins(node("first"), {"a", ""});
  expect("[V9]", "node \"first\" (Add) does not say which nodes it stands for");
}

TEST_F(Verify, V10_ConstantsHaveTheTypeOfTheirValue) {
  graph_.set_type(value("k"), {DType::kInt32, Shape::of({2})});
  expect("[V10]", "value \"k\" of type int32[2] has a constant of type float32[2]");
}

TEST_F(Verify, V10_ConstantsHaveTheShapeOfTheirValue) {
  graph_.set_type(value("k"), {DType::kFloat32, Shape({Dim()})});
  expect("[V10]", "value \"k\" of type float32[?] has a constant of type float32[2]");
}

TEST_F(Verify, V10_DefaultsFitTheShapeOfTheirInput) {
  graph_.set_type(value("d"), {DType::kFloat32, Shape({Dim::named("N")})});
  EXPECT_EQ(message(), "");
  graph_.set_type(value("d"), {DType::kFloat32, Shape::of({3})});
  expect("[V10]", "value \"d\" of type float32[3] has a constant of type float32[2]");
}

QuantParams per_axis(DType storage, size_t count) {
  QuantParams::Spec spec;
  spec.storage = storage;
  spec.qmin = 0;
  spec.granularity = Granularity::kPerAxis;
  spec.scales.assign(count, 1.0F);
  spec.zero_points.assign(count, 0);
  return must(QuantParams::make(std::move(spec)));
}

TEST_F(Verify, V11_AsManyScalesAsTheAxisIsLong) {
  graph_.set_type(value("a"), {DType::kInt8, Shape::of({64}), per_axis(DType::kInt8, 63)});
  expect("[V11]", "value \"a\": 63 scales for an axis of extent 64 [Q4]");
}

TEST_F(Verify, V11_TheAxisIsWithinTheRank) {
  graph_.set_type(value("a"), {DType::kInt8, Shape::of({}), per_axis(DType::kInt8, 2)});
  expect("[V11]", "value \"a\": axis 0 for a rank of 0 [Q8]");
}

TEST_F(Verify, V11_ParametersAreForTheStorageType) {
  graph_.set_type(value("a"), {DType::kInt8, Shape::of({2}), per_axis(DType::kUint8, 2)});
  expect("[V11]", "value \"a\" of type int8[2] quant has quantization parameters for uint8");
}

TEST_F(Verify, V12_AnImplicitInputForEachCapture) {
  graph_.set_implicit_inputs(node("branch"), {});
  expect("[V12]", "node \"branch\" (If) has 0 implicit inputs for 1 captures of its body graphs");
}

TEST_F(Verify, V12_NoImplicitInputsWithoutBodies) {
  graph_.set_implicit_inputs(node("second"), {value("x")});
  expect("[V12]", "node \"second\" (Mul) has 1 implicit inputs for 0 captures of its body graphs");
}

TEST_F(Verify, V13_TensorsAreThere) {
  graph_.set_attribute(node("first"), "value", TensorPtr());
  expect("[V13]", "node \"first\" (Add), attribute \"value\" is empty");
}

TEST_F(Verify, V13_BodiesAreThere) {
  graph_.set_attribute(node("first"), "body", GraphPtr());
  expect("[V13]", "node \"first\" (Add), attribute \"body\" is empty");
}

// `depth` graphs, one in the other.
Graph nested(int depth) {
  Graph graph;
  for (int i = 1; i < depth; ++i) {
    Graph outer;
    Node node;
    node.op_type = "Do";
    node.name = "do";
    node.origins = {"do"};
    node.attributes["body"] = std::make_shared<const Graph>(std::move(graph));
    outer.add_node(std::move(node));
    graph = std::move(outer);
  }
  return graph;
}

TEST_F(Verify, V14_GraphsAreNestedWithinBounds) {
  graph_ = nested(kMaxGraphDepth);
  EXPECT_EQ(message(), "");
  EXPECT_TRUE(*parse(print(graph_)) == graph_);
  graph_ = nested(kMaxGraphDepth + 1);
  EXPECT_NE(message().find("node \"do\" (Do): graphs nested deeper than 32 [V14]"),
            std::string::npos)
      << message();
  graph_ = nested(1000);
  EXPECT_NE(message().find("[V14]"), std::string::npos);
  EXPECT_FALSE(parse(print(graph_)).ok());
}

TEST_F(Verify, V14_BodiesHoldToTheRules) {
  Graph body;
  must(body.add_value("lost", {}));
  Node node;
  node.op_type = "Do";
  node.name = "do";
  node.origins = {"do"};
  node.attributes["body"] = std::make_shared<const Graph>(std::move(body));
  graph_.add_node(std::move(node));
  expect("[V4]",
         "node \"do\" (Do), \"body\": value \"lost\" comes from 0 of graph inputs, captures, "
         "constants and nodes, not from one");
}

TEST_F(Verify, SharedBodiesAreCheckedOnce) {
  // Each level holds the next one twice: 2^30 paths, 30 graphs.
  GraphPtr inner = std::make_shared<const Graph>();
  for (int i = 0; i < 30; ++i) {
    Graph outer;
    Node node;
    node.op_type = "If";
    node.name = "if";
    node.origins = {"if"};
    node.attributes["else_branch"] = inner;
    node.attributes["then_branch"] = inner;
    outer.add_node(std::move(node));
    inner = std::make_shared<const Graph>(std::move(outer));
  }
  EXPECT_TRUE(verify(*inner).ok());
}

TEST(VerifyTime, IsLinearInUses) {
  Graph graph;
  const ValueId x = must(graph.add_input("x", {}));
  for (int i = 0; i < 20000; ++i) {
    Node node;
    node.op_type = "Relu";
    node.inputs = {x, x};
    node.outputs = {must(graph.add_value(cat("y", i), {}))};
    node.origins = {"r"};
    graph.add_node(std::move(node));
  }
  EXPECT_TRUE(verify(graph).ok());
}

}  // namespace
}  // namespace octet::ir
