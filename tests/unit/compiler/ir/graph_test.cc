#include "compiler/ir/graph.h"

#include <gtest/gtest.h>

#include <limits>

#include "compiler/ir/parse.h"
#include "compiler/ir/print.h"
#include "compiler/ir/verify.h"
#include "tests/support/graph_builder.h"
#include "tests/support/random_graph.h"

namespace octet::ir {
namespace {

using octet::testing::must;

class GraphEdits : public ::testing::Test {
 protected:
  GraphEdits() {
    graph_ = must(parse(R"(graph "g" {
      input %x: float32[2]
      input %d: float32[2] = [1.0, 2.0]
      const %k: float32[2] = [3.0, 4.0]
      %a: float32[2] = Add(%x, %k) name "add" from ["add", "bias"]
      %b: float32[2] = Mul(%a, %a) name "mul"
      %c: float32[2] = Sub(%b, %d)
      output %c
      output %a
    })"));
  }

  ValueId value(std::string_view name) const { return graph_.find_value(name); }
  NodeId node(std::string_view name) const { return graph_.find_node(name); }
  void expect_good() const {
    const Status status = verify(graph_);
    EXPECT_TRUE(status.ok()) << status.error().message();
  }

  Graph graph_;
};

TEST_F(GraphEdits, ValuesAreFoundByName) {
  EXPECT_TRUE(value("a").valid());
  EXPECT_FALSE(value("nothing").valid());
  EXPECT_TRUE(graph_.is_output(value("a")));
  EXPECT_FALSE(graph_.is_output(value("b")));
  EXPECT_EQ(graph_.constant(value("k"))->to_floats(), (std::vector<float>{3, 4}));
  EXPECT_EQ(graph_.constant(value("a")), nullptr);
  EXPECT_EQ(graph_.constant(ValueId()), nullptr);
  EXPECT_EQ(graph_.required_inputs(), std::vector<ValueId>{value("x")});
}

TEST_F(GraphEdits, NodesAreFoundByNameOriginOrOutput) {
  EXPECT_EQ(node("bias"), node("add"));
  EXPECT_EQ(graph_.node(node("c")).op_type, "Sub");
  EXPECT_FALSE(node("nothing").valid());
}

TEST_F(GraphEdits, SingleUseCountsOperandsAndOutputs) {
  EXPECT_FALSE(graph_.has_single_use(value("a")));  // twice an operand
  EXPECT_TRUE(graph_.has_single_use(value("b")));
  EXPECT_FALSE(graph_.has_single_use(value("c")));  // only an output
  EXPECT_TRUE(graph_.has_single_use(value("x")));
}

TEST_F(GraphEdits, NamesAreUnique) {
  EXPECT_EQ(graph_.add_value("a", {}).error().code(), ErrorCode::kMalformed);
  EXPECT_FALSE(graph_.add_value("", {}).ok());
  EXPECT_EQ(graph_.unique_value_name("a"), "a_1");
  EXPECT_EQ(graph_.unique_value_name("new"), "new");
  EXPECT_FALSE(graph_.rename_value(value("a"), "b").ok());
  EXPECT_TRUE(graph_.rename_value(value("a"), "a").ok());
  EXPECT_FALSE(graph_.rename_value(value("a"), "").ok());
  const ValueId a = value("a");
  EXPECT_TRUE(graph_.rename_value(a, "z").ok());
  EXPECT_EQ(value("z"), a);
  EXPECT_FALSE(value("a").valid());
  EXPECT_EQ(graph_.unique_value_name("a"), "a");
  expect_good();
}

TEST_F(GraphEdits, EveryEditMakesANewRevision) {
  uint64_t before = graph_.revision();
  const auto changed = [&] {
    return std::exchange(before, graph_.revision()) != graph_.revision();
  };
  graph_.set_input(node("add"), 1, value("x"));
  EXPECT_TRUE(changed());
  graph_.remove_unused_constants();
  EXPECT_TRUE(changed());
  graph_.set_attribute(node("add"), "a", int64_t{1});
  EXPECT_TRUE(changed());
  must(graph_.rename_value(value("b"), "bb"));
  EXPECT_TRUE(changed());
  graph_.remove_input(value("d"));
  EXPECT_TRUE(changed());
  graph_.set_origins(node("add"), {"o"});
  EXPECT_TRUE(changed());
  EXPECT_FALSE(changed());
}

TEST_F(GraphEdits, SettingAnInputMovesTheUse) {
  graph_.set_input(node("mul"), 1, value("x"));
  EXPECT_EQ(graph_.uses(value("a")).size(), 1U);
  EXPECT_EQ(graph_.uses(value("x")).size(), 2U);
  expect_good();
  graph_.set_input(node("mul"), 3, value("k"));
  EXPECT_EQ(graph_.node(node("mul")).inputs.size(), 4U);
  EXPECT_FALSE(graph_.node(node("mul")).inputs[2].valid());
  expect_good();
  graph_.set_input(node("mul"), 3, ValueId());
  expect_good();
}

TEST_F(GraphEdits, ReplacingUsesMovesOperandsAndOutputs) {
  graph_.replace_uses(value("a"), value("x"));
  EXPECT_TRUE(graph_.uses(value("a")).empty());
  EXPECT_EQ(graph_.outputs()[1], value("x"));
  expect_good();
  graph_.replace_uses(value("x"), value("x"));
  expect_good();
}

TEST_F(GraphEdits, RemovedNodesLeaveNothingBehind) {
  graph_.replace_uses(value("a"), value("x"));
  const NodeId add = node("add");
  graph_.remove_node(add);
  EXPECT_FALSE(value("a").valid());
  EXPECT_TRUE(graph_.uses(value("k")).empty());
  expect_good();
  graph_.remove_unused_constants();
  EXPECT_FALSE(value("k").valid());
  EXPECT_TRUE(value("d").valid());  // an input stays
  expect_good();
  EXPECT_TRUE(*parse(print(graph_)) == graph_);
}

TEST_F(GraphEdits, AConstantThatIsAnOutputStays) {
  graph_.add_output(value("k"));
  graph_.set_input(node("add"), 1, value("x"));
  graph_.remove_unused_constants();
  EXPECT_TRUE(value("k").valid());
}

TEST_F(GraphEdits, ARemovedInputStaysAsAConstant) {
  graph_.remove_input(value("d"));
  EXPECT_EQ(graph_.inputs().size(), 1U);
  EXPECT_TRUE(graph_.value(value("d")).is_constant());
  expect_good();
}

TEST_F(GraphEdits, NodesGoInFrontOfOthers) {
  Node extra;
  extra.op_type = "Relu";
  extra.inputs = {value("x")};
  extra.outputs = {must(graph_.add_value("r", {}))};
  extra.origins = {"r"};
  const NodeId id = graph_.add_node(extra, node("mul"));
  EXPECT_EQ(graph_.order()[1], id);
  expect_good();
}

TEST_F(GraphEdits, SortingPutsProducersFirstAndKeepsTheRest) {
  EXPECT_TRUE(graph_.is_sorted());
  const std::vector<NodeId> before = graph_.order();
  must(graph_.sort());
  EXPECT_EQ(graph_.order(), before);
  Node late;
  late.op_type = "Relu";
  late.inputs = {value("x")};
  late.outputs = {must(graph_.add_value("r", {}))};
  late.origins = {"r"};
  const NodeId id = graph_.add_node(late);
  graph_.set_input(node("mul"), 1, value("r"));
  EXPECT_FALSE(graph_.is_sorted());
  must(graph_.sort());
  EXPECT_TRUE(graph_.is_sorted());
  EXPECT_EQ(graph_.order(), (std::vector<NodeId>{before[0], id, before[1], before[2]}));
  expect_good();
}

TEST_F(GraphEdits, ACycleIsNamed) {
  graph_.set_input(node("add"), 1, value("b"));
  EXPECT_FALSE(graph_.is_sorted());
  const Status status = graph_.sort();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), ErrorCode::kMalformed);
  EXPECT_NE(status.error().message().find("node \"add\" (Add)"), std::string::npos);
  graph_.set_input(node("add"), 1, value("k"));
  expect_good();
}

TEST_F(GraphEdits, CopiesShareConstantsAndNothingElse) {
  Graph copy = graph_;
  EXPECT_EQ(copy.constant(value("k")), graph_.constant(value("k")));
  copy.set_input(node("mul"), 0, value("x"));
  EXPECT_FALSE(copy == graph_);
  expect_good();
  EXPECT_TRUE(verify(copy).ok());
}

TEST_F(GraphEdits, MessagesNameNodes) {
  EXPECT_EQ(describe(graph_, node("add")), "node \"add\" (Add)");
  EXPECT_EQ(describe(graph_, node("c")), "node \"c\" (Sub)");
  Node odd;
  odd.domain = "com.example";
  odd.op_type = "Odd\n";
  odd.name = "a\"b";
  EXPECT_EQ(describe(graph_, odd), "node \"a\\\"b\" (com.example.Odd\\x0a)");
  odd.name = "";
  EXPECT_EQ(describe(graph_, odd), "node \"(unnamed)\" (com.example.Odd\\x0a)");
}

TEST(GraphEquality, SeesEveryPart) {
  const std::string text = R"(model { ir_version = 8 opset "" = 17 producer = "p" } graph "g" {
  doc "d" preserved base64"AAAA"
  input %x: float32[2]
  input %q: int8[2] quant(scale = 0.5) preserved base64"AAAB"
  const %k: float32[2] = [3.0, 4.0]
  %y: float32[2], _ = Op(%x, _, %k) {i = 1, f = 2.0, s = "s", l = [5, 6], t = tensor int8[1] [7], b = graph "b" {
    capture %x: float32[2]
    %z: float32[2] = Neg(%x) {v = 9}
    output %z
  }} name "n" from ["o"] doc "e" preserved base64"AAAC"
  output %y
})";
  const Graph graph = must(parse(text));
  EXPECT_TRUE(graph == must(parse(text)));
  const std::vector<std::pair<std::string, std::string>> changes = {
      {"= 8", "= 9"},
      {"= 17", "= 16"},
      {"\"p\"", "\"pp\""},
      {"graph \"g\"", "graph \"h\""},
      {"\"d\"", "\"dd\""},
      {"AAAA", "BAAA"},
      {"%x: float32[2]\n  input", "%x: float32[N]\n  input"},
      {"0.5", "0.25"},
      {"AAAB", "BAAB"},
      {"[3.0", "[3.5"},
      {"%y: float32[2]", "%y: float32[...]"},
      {"(%x, _, %k)", "(%x, %x, %k)"},
      {"(%x, _, %k)", "(%x, _, %k, _)"},
      {", _ = Op", " = Op"},
      {"Op(", "a::Op("},
      {"Op(", "Opp("},
      {"i = 1", "i = 2"},
      {"i = 1", "i = 1.0"},
      {"f = 2.0", "f = -2.0"},
      {"s = \"s\"", "ss = \"s\""},
      {"[5, 6]", "[5, 7]"},
      {"[5, 6]", "ints []"},
      {"int8[1] [7]", "int8[1] [8]"},
      {"int8[1] [7]", "uint8[1] [7]"},
      {"v = 9", "v = 8"},
      {"Neg", "Abs"},
      {"\"n\"", "\"m\""},
      {"\"o\"", "\"p\""},
      {"\"e\"", "\"f\""},
      {"AAAC", "BAAC"},
      {"  output %y", "  output %x"},
      {"  output %y\n", ""}};
  for (const auto& [from, to] : changes) {
    std::string changed = text;
    const size_t at = changed.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    changed.replace(at, from.size(), to);
    EXPECT_FALSE(graph == must(parse(changed))) << from << " -> " << to;
  }
}

TEST(GraphEquality, DoesNotSeeIdsOrSharing) {
  const Graph a = must(parse("graph \"g\" { const %a: int8[] = 1 const %b: int8[] = 2 }"));
  const Graph b = must(parse("graph \"g\" { const %b: int8[] = 2 const %a: int8[] = 1 }"));
  EXPECT_TRUE(a == b);
}

TEST(Attributes, CompareByContentAndBits) {
  const auto tensor = [](float x) {
    return Attribute(TensorPtr(std::make_shared<const Tensor>(Tensor::scalar(x))));
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(attributes_equal(tensor(1), tensor(1)));
  EXPECT_FALSE(attributes_equal(tensor(1), tensor(2)));
  EXPECT_TRUE(attributes_equal(Attribute(nan), Attribute(nan)));
  EXPECT_FALSE(attributes_equal(Attribute(0.0F), Attribute(-0.0F)));
  EXPECT_FALSE(attributes_equal(Attribute(1.0F), Attribute(int64_t{1})));
  EXPECT_FALSE(
      attributes_equal(Attribute(std::vector<float>{}), Attribute(std::vector<int64_t>{})));
  EXPECT_TRUE(
      attributes_equal(Attribute(std::vector<float>{nan}), Attribute(std::vector<float>{nan})));
}

TEST(Attributes, ReadersFallBackWhenAbsentOrOfAnotherKind) {
  Node node;
  node.attributes = {{"i", int64_t{3}},
                     {"f", 0.5F},
                     {"s", std::string("x")},
                     {"is", std::vector<int64_t>{1, 2}},
                     {"fs", std::vector<float>{1.5F}}};
  EXPECT_EQ(int_attribute(node, "i", 0), 3);
  EXPECT_EQ(int_attribute(node, "f", 7), 7);
  EXPECT_EQ(int_attribute(node, "none", 7), 7);
  EXPECT_EQ(float_attribute(node, "f", 0), 0.5F);
  EXPECT_EQ(string_attribute(node, "s", "y"), "x");
  EXPECT_EQ(string_attribute(node, "i", "y"), "y");
  EXPECT_EQ(ints_attribute(node, "is"), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(ints_attribute(node, "none", {9}), std::vector<int64_t>{9});
  EXPECT_EQ(floats_attribute(node, "fs"), std::vector<float>{1.5F});
  EXPECT_EQ(tensor_attribute(node, "i"), nullptr);
  EXPECT_TRUE(has_attribute(node, "i"));
  EXPECT_FALSE(has_attribute(node, "none"));
}

TEST(RandomGraphs, KeepTheirRulesUnderRandomEdits) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    octet::testing::Random random(seed);
    Graph graph =
        octet::testing::random_graph(seed, {octet::testing::RandomContent::kAnything, 14});
    for (int i = 0; i < 10 && !graph.order().empty(); ++i) {
      const std::vector<NodeId> order = graph.order();
      const NodeId id = random.pick(order);
      const std::vector<ValueId> outputs = graph.node(id).outputs;
      for (ValueId output : outputs) {
        if (output.valid()) graph.replace_uses(output, graph.inputs()[0]);
      }
      graph.remove_node(id);
      graph.remove_unused_constants();
      const Status status = verify(graph);
      ASSERT_TRUE(status.ok()) << seed << ": " << status.error().message();
      const auto back = parse(print(graph));
      ASSERT_TRUE(back.ok()) << back.error().message();
      ASSERT_TRUE(*back == graph);
    }
  }
}

}  // namespace
}  // namespace octet::ir
