#include "compiler/ir/patch.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "compiler/ir/parse.h"
#include "compiler/ir/print.h"
#include "compiler/ir/verify.h"
#include "tests/support/graph_builder.h"
#include "tests/support/random_graph.h"

namespace octet::ir {
namespace {

using octet::testing::must;

// Results have the type of the first operand; "Bad" takes none, "Row" makes float32[1,9].
Result<std::vector<ValueFacts>> like_first(const Node& node, const ValueLookup& value,
                                           const ModelInfo&) {
  if (node.op_type == "Bad") return malformed("input 0: does not fit");
  TensorType type = value(node.inputs.at(0)).type;
  if (node.op_type == "Row") type.shape = Shape::of({1, 9});
  if (node.op_type == "Ints") type.storage = DType::kInt32;
  return std::vector<ValueFacts>(node.outputs.size(), ValueFacts{type});
}

class PatchTest : public ::testing::Test {
 protected:
  void load(std::string_view lines) { graph_ = must(parse(cat("graph \"g\" {\n", lines, "}\n"))); }

  ValueId value(std::string_view name) const { return graph_.find_value(name); }
  NodeId node(std::string_view name) const { return graph_.find_node(name); }
  const Node& producer(std::string_view name) const {
    return graph_.node(graph_.value(value(name)).producer);
  }

  void apply(Patch patch) {
    const Status status = std::move(patch).apply(graph_);
    ASSERT_TRUE(status.ok()) << status.error().message();
    const Status good = verify(graph_);
    ASSERT_TRUE(good.ok()) << good.error().message() << "\n" << print(graph_);
  }

  // The lines of the graph as text.
  std::string lines() const {
    const std::string text = print(graph_);
    const size_t begin = text.find("graph \"g\" {\n") + 12;
    return text.substr(begin, text.size() - begin - 2);
  }

  Graph graph_;
};

constexpr std::string_view kChain = R"(  input %x: float32[2]
  const %k: float32[2] = [3.0, 4.0]
  %a: float32[2] = Add(%x, %k) name "add" from ["add", "bias"]
  %b: float32[2] = Mul(%a, %a) name "mul"
  %y: float32[2] = Relu(%b) name "relu"
  output %y
)";

TEST_F(PatchTest, AReplacementTakesOverTheName) {
  load(kChain);
  Patch patch(graph_, like_first);
  const ValueId fresh = must(patch.node({.op_type = "Square", .inputs = {value("a")}}));
  must(patch.replace(value("b"), fresh));
  apply(std::move(patch));
  EXPECT_EQ(lines(), R"(  input %x: float32[2]
  const %k: float32[2] = [3.0, 4.0]
  %a: float32[2] = Add(%x, %k) name "add" from ["add", "bias"]
  %b: float32[2] = Square(%a) from ["mul"]
  %y: float32[2] = Relu(%b) name "relu"
  output %y
)");
}

TEST_F(PatchTest, GraphOutputsKeepTheirNames) {
  load(kChain);
  Patch patch(graph_, like_first);
  const ValueId fresh = must(patch.node({.op_type = "Clip", .inputs = {value("a")}}));
  must(patch.replace(value("y"), fresh));
  apply(std::move(patch));
  EXPECT_EQ(lines(), R"(  input %x: float32[2]
  const %k: float32[2] = [3.0, 4.0]
  %a: float32[2] = Add(%x, %k) name "add" from ["add", "bias"]
  %y: float32[2] = Clip(%a) from ["mul", "relu"]
  output %y
)");
}

TEST_F(PatchTest, AnExistingValueGivenToAGraphOutputTakesItsName) {
  load(kChain);
  Patch patch(graph_, like_first);
  must(patch.replace(value("y"), value("b")));
  apply(std::move(patch));
  EXPECT_EQ(graph_.value(graph_.outputs()[0]).name, "y");
  EXPECT_EQ(producer("y").op_type, "Mul");
  EXPECT_FALSE(value("b").valid());
}

TEST_F(PatchTest, AnExistingValueKeepsItsNameOtherwise) {
  load(kChain);
  Patch patch(graph_, like_first);
  must(patch.replace(value("b"), value("a")));
  apply(std::move(patch));
  EXPECT_EQ(producer("y").inputs[0], value("a"));
  EXPECT_FALSE(value("b").valid());
}

TEST_F(PatchTest, AGraphOutputIsNotGivenToAnInputOrAnotherOutput) {
  load(R"(  input %x: float32[2]
  %a: float32[2] = Identity(%x)
  %b: float32[2] = Identity(%a)
  output %a
  output %b
)");
  Patch patch(graph_, like_first);
  EXPECT_FALSE(patch.replace(value("a"), value("x")).ok());
  EXPECT_FALSE(patch.replace(value("b"), value("a")).ok());
  EXPECT_TRUE(patch.empty());
  // Of two outputs that one new value replaces, one would lose its name.
  const ValueId fresh = must(patch.node({.op_type = "Relu", .inputs = {value("x")}}));
  EXPECT_TRUE(patch.replace(value("a"), fresh).ok());
  EXPECT_FALSE(patch.replace(value("b"), fresh).ok());
}

TEST_F(PatchTest, AValueIsReplacedOnce) {
  load(kChain);
  Patch patch(graph_, like_first);
  must(patch.replace(value("b"), value("a")));
  EXPECT_FALSE(patch.replace(value("b"), value("x")).ok());
}

TEST_F(PatchTest, ANewValueForSeveralTakesTheNameOfTheOutput) {
  for (const bool output_first : {true, false}) {
    load(R"(  input %x: float32[2]
  %a: float32[2] = Relu(%x)
  %b: float32[2] = Relu(%x)
  %c: float32[2] = Neg(%b)
  output %a
  output %c
)");
    Patch patch(graph_, like_first);
    const ValueId fresh = must(patch.node({.op_type = "Clip", .inputs = {value("x")}}));
    must(patch.replace(value(output_first ? "a" : "b"), fresh));
    must(patch.replace(value(output_first ? "b" : "a"), fresh));
    apply(std::move(patch));
    EXPECT_EQ(graph_.value(graph_.outputs()[0]).name, "a") << output_first;
    EXPECT_EQ(producer("c").inputs[0], value("a"));
  }
}

TEST_F(PatchTest, NamesOfGraphInputsNeverChange) {
  load(kChain);
  Patch patch(graph_, like_first);
  const ValueId q = must(patch.node({.op_type = "Quantize", .inputs = {value("x")}}));
  must(patch.replace(value("x"), q));
  apply(std::move(patch));
  EXPECT_EQ(graph_.value(graph_.inputs()[0]).name, "x");
  EXPECT_EQ(producer(graph_.value(graph_.node(node("add")).inputs[0]).name).op_type, "Quantize");
  EXPECT_EQ(graph_.uses(value("x")).size(), 1U);
}

TEST_F(PatchTest, AnInputThatIsAnOutputIsNotReplaced) {
  load(R"(  input %x: float32[2]
  output %x
)");
  Patch patch(graph_, like_first);
  const ValueId q = must(patch.node({.op_type = "Relu", .inputs = {value("x")}}));
  EXPECT_FALSE(patch.replace(value("x"), q).ok());
}

TEST_F(PatchTest, DeadNodesAreRemovedUpwards) {
  load(R"(  input %x: float32[2]
  %p: float32[2] = P(%x)
  %q: float32[2] = Q(%p)
  %r: float32[2] = R(%q)
  %s: float32[2] = S(%p)
  output %r
  output %s
)");
  Patch patch(graph_, like_first);
  const ValueId fresh = must(patch.node({.op_type = "New", .inputs = {value("x")}}));
  must(patch.replace(value("r"), fresh));
  apply(std::move(patch));
  // P is still read by S.
  EXPECT_EQ(lines(), R"(  input %x: float32[2]
  %p: float32[2] = P(%x)
  %r: float32[2] = New(%x) from ["q", "r"]
  %s: float32[2] = S(%p)
  output %r
  output %s
)");
}

TEST_F(PatchTest, NodesWithAnotherResultInUseStay) {
  load(R"(  input %x: float32[2]
  %p: float32[2], %q: float32[2] = Split(%x) name "split"
  output %p
  output %q
)");
  Patch patch(graph_, like_first);
  const ValueId fresh = must(patch.node({.op_type = "New", .inputs = {value("x")}}));
  must(patch.replace(value("p"), fresh));
  apply(std::move(patch));
  EXPECT_EQ(graph_.order().size(), 2U);
  EXPECT_EQ(producer("p").op_type, "New");
  EXPECT_EQ(producer("q").op_type, "Split");
  EXPECT_EQ(producer("p").origins, std::vector<std::string>{"split"});
}

TEST_F(PatchTest, OriginsAreUnitedInGraphOrder) {
  load(kChain);
  Patch patch(graph_, like_first);
  const ValueId one = must(patch.node({.op_type = "One", .inputs = {value("x")}}));
  const ValueId two = must(patch.node({.op_type = "Two",
                                       .inputs = {one},
                                       .attributes = {},
                                       .name = {},
                                       .domain = {},
                                       .outputs = 1,
                                       .origins = {"mine"}}));
  must(patch.replace(value("y"), two));
  apply(std::move(patch));
  EXPECT_EQ(producer("y").origins, std::vector<std::string>{"mine"});
  EXPECT_EQ(graph_.node(graph_.order()[0]).origins,
            (std::vector<std::string>{"add", "bias", "mul", "relu"}));
}

TEST_F(PatchTest, TheReplacedValueMayFeedItsReplacement) {
  load(kChain);
  Patch patch(graph_, like_first);
  const ValueId q = must(patch.node({.op_type = "Q", .inputs = {value("b")}}));
  const ValueId dq = must(patch.node({.op_type = "DQ", .inputs = {q}}));
  must(patch.replace(value("b"), dq));
  apply(std::move(patch));
  EXPECT_EQ(graph_.order().size(), 5U);
  EXPECT_EQ(producer("y").inputs[0], value("b"));
  EXPECT_EQ(producer("b").op_type, "DQ");
}

TEST_F(PatchTest, AnOutputThatFeedsItsReplacementGivesUpItsName) {
  load(kChain);
  Patch patch(graph_, like_first);
  const ValueId dq = must(patch.node({.op_type = "DQ", .inputs = {value("y")}}));
  must(patch.replace(value("y"), dq));
  apply(std::move(patch));
  EXPECT_EQ(graph_.value(graph_.outputs()[0]).name, "y");
  EXPECT_EQ(producer("y").op_type, "DQ");
  EXPECT_EQ(graph_.node(node("relu")).op_type, "Relu");
}

TEST_F(PatchTest, OneOperandOnly) {
  load(kChain);
  Patch patch(graph_, like_first);
  const ValueId q = must(patch.node({.op_type = "Q", .inputs = {value("a")}}));
  must(patch.replace_operand(node("mul"), 1, q));
  EXPECT_FALSE(patch.empty());
  apply(std::move(patch));
  const Node& mul = graph_.node(node("mul"));
  EXPECT_EQ(mul.inputs[0], value("a"));
  EXPECT_EQ(graph_.node(graph_.value(mul.inputs[1]).producer).op_type, "Q");
  EXPECT_TRUE(graph_.is_sorted());
}

TEST_F(PatchTest, AnOperandLetGoMayKillItsProducer) {
  load(kChain);
  Patch patch(graph_, like_first);
  must(patch.replace_operand(node("relu"), 0, value("x")));
  apply(std::move(patch));
  EXPECT_EQ(graph_.order().size(), 1U);
}

TEST_F(PatchTest, NewConstantsHaveNamesOfTheirOwn) {
  load(kChain);
  Patch patch(graph_, like_first);
  const ValueId k = patch.constant(Tensor::scalar(1.0F), "k");
  const ValueId again = patch.constant(Tensor::scalar(2.0F), "k");
  const ValueId sum = must(patch.node({.op_type = "Sum", .inputs = {value("x"), k, again}}));
  EXPECT_EQ(patch.value(k).constant->to_floats(), std::vector<float>{1.0F});
  must(patch.replace(value("a"), sum));
  apply(std::move(patch));
  EXPECT_EQ(graph_.value(producer("a").inputs[1]).name, "k_1");
  EXPECT_EQ(graph_.value(producer("a").inputs[2]).name, "k_2");
}

TEST_F(PatchTest, AValueMayBecomeAConstant) {
  load(kChain);
  Patch patch(graph_, like_first);
  const ValueId folded = patch.constant(Tensor::of<float>({2}, {1, 2}), "a_folded");
  must(patch.replace(value("a"), folded));
  apply(std::move(patch));
  EXPECT_EQ(graph_.order().size(), 2U);
  EXPECT_TRUE(graph_.value(graph_.node(node("mul")).inputs[0]).is_constant());
}

TEST_F(PatchTest, AnOutputMayBecomeAConstant) {
  load(kChain);
  Patch patch(graph_, like_first);
  must(patch.replace(value("y"), patch.constant(Tensor::of<float>({2}, {1, 2}), "folded")));
  apply(std::move(patch));
  EXPECT_TRUE(graph_.order().empty());
  EXPECT_EQ(graph_.value(graph_.outputs()[0]).name, "y");
  EXPECT_TRUE(graph_.value(graph_.outputs()[0]).is_constant());
}

TEST_F(PatchTest, SeveralReplacementsKeepTheOrder) {
  load(R"(  input %x: float32[2]
  %a: float32[2] = A(%x)
  %b: float32[2] = B(%a)
  %c: float32[2] = C(%b)
  %d: float32[2] = D(%c)
  output %d
)");
  Patch patch(graph_, like_first);
  const ValueId late = must(patch.node({.op_type = "NewC", .inputs = {value("b")}}));
  const ValueId early = must(patch.node({.op_type = "NewA", .inputs = {value("x")}}));
  must(patch.replace(value("c"), late));
  must(patch.replace(value("a"), early));
  apply(std::move(patch));
  std::string ops;
  for (NodeId id : graph_.order()) ops += graph_.node(id).op_type + " ";
  EXPECT_EQ(ops, "NewA B NewC D ");
  EXPECT_TRUE(graph_.is_sorted());
}

TEST_F(PatchTest, ValuesMayTradePlaces) {
  load(R"(  input %x: float32[2]
  %a: float32[2], %b: float32[2] = Split(%x)
  %c: float32[2] = Sub(%a, %b)
  output %c
)");
  Patch patch(graph_, like_first);
  const auto fresh = must(patch.nodes({.op_type = "Swap", .inputs = {value("x")}, .outputs = 2}));
  must(patch.replace(value("a"), fresh[1]));
  must(patch.replace(value("b"), fresh[0]));
  apply(std::move(patch));
  EXPECT_EQ(graph_.node(graph_.order()[0]).output(0), value("b"));
  EXPECT_EQ(producer("c").inputs, (std::vector<ValueId>{value("a"), value("b")}));
}

TEST_F(PatchTest, AStalePatchIsRefusedAndChangesNothing) {
  load(kChain);
  Patch patch(graph_, like_first);
  must(patch.replace(value("b"), value("a")));
  Patch first(graph_, like_first);
  must(first.replace(value("a"), value("x")));
  apply(std::move(first));
  const std::string before = print(graph_);
  const Status status = std::move(patch).apply(graph_);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), ErrorCode::kInternal);
  EXPECT_EQ(print(graph_), before);
}

TEST_F(PatchTest, APatchOfAnotherGraphIsRefused) {
  load(kChain);
  Graph copy = graph_;
  Patch patch(graph_, like_first);
  must(patch.replace(value("b"), value("a")));
  EXPECT_FALSE(std::move(patch).apply(copy).ok());
}

TEST_F(PatchTest, ContradictingTypesAreRefusedAndChangeNothing) {
  load(kChain);
  const std::string before = print(graph_);
  const uint64_t revision = graph_.revision();
  Patch patch(graph_, like_first);
  const ValueId row = must(patch.node({.op_type = "Row", .inputs = {value("x")}}));
  const ValueId ints = must(patch.node({.op_type = "Ints", .inputs = {value("x")}}));
  EXPECT_EQ(patch.value(row).type.to_string(), "float32[1,9]");
  EXPECT_FALSE(patch.replace(value("b"), row).ok());
  EXPECT_FALSE(patch.replace(value("b"), ints).ok());
  EXPECT_FALSE(patch.replace_operand(node("relu"), 0, row).ok());
  EXPECT_TRUE(patch.empty());
  EXPECT_EQ(print(graph_), before);
  EXPECT_EQ(graph_.revision(), revision);
}

TEST_F(PatchTest, OperandsThatDoNotFitAreRefused) {
  load(kChain);
  Patch patch(graph_, like_first);
  const auto bad = patch.node({.op_type = "Bad", .inputs = {value("x")}});
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().message(), "new node (Bad): input 0: does not fit");
}

TEST_F(PatchTest, BodiesReadTheReplacement) {
  load(R"(  input %x: float32[2]
  %a: float32[2] = A(%x)
  %y: float32[2] = Do() {body = graph "b" {
    capture %a: float32[2]
    output %a
  }}
  output %y
)");
  Patch patch(graph_, like_first);
  must(patch.replace(value("a"), must(patch.node({.op_type = "New", .inputs = {value("x")}}))));
  apply(std::move(patch));
  EXPECT_EQ(producer("y").implicit_inputs, std::vector<ValueId>{value("a")});
  EXPECT_EQ(producer("a").op_type, "New");
}

// Ranks run out between neighbours and are made anew.
TEST_F(PatchTest, NodesGoInFrontOfTheSameNodeAnyNumberOfTimes) {
  load(kChain);
  const ValueId x = value("x");
  ValueId last = x;
  for (int i = 0; i < 4000; ++i) {
    const ValueId made = must(graph_.add_value(cat("v", i), graph_.value(x).type));
    const NodeId anchor = last == x ? node("relu") : graph_.value(last).producer;
    const NodeId id = graph_.add_node(
        {.domain = {}, .op_type = "New", .name = {}, .inputs = {x}, .outputs = {made}}, anchor);
    ASSERT_TRUE(graph_.comes_before(id, anchor)) << i;
    last = i < 2000 ? made : x;
  }
  EXPECT_TRUE(std::is_sorted(graph_.order().begin(), graph_.order().end(),
                             [&](NodeId a, NodeId b) { return graph_.comes_before(a, b); }));
  EXPECT_EQ(graph_.order().back(), node("relu"));
  EXPECT_TRUE(graph_.is_sorted());
}

// Random replacements of one node by an unknown one, again and again.
TEST_F(PatchTest, RandomPatchesKeepTheRules) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    octet::testing::Random random(seed);
    graph_ = octet::testing::random_graph(seed);
    std::vector<std::string> outputs;
    for (ValueId id : graph_.outputs()) outputs.push_back(graph_.value(id).name);
    for (int i = 0; i < 8; ++i) {
      Patch patch(graph_, like_first);
      for (int k = 0; k < 2; ++k) {
        const std::vector<NodeId>& order = graph_.order();
        const Node& target = graph_.node(random.pick(order));
        ValueId same = target.output();
        if (random.one_in(2)) same = target.input(0);
        if (graph_.value(same).type != graph_.value(target.output()).type) continue;
        const ValueId fresh = must(patch.node({.op_type = "New", .inputs = {same}}));
        // Refused where the same value is picked again.
        if (!patch.replace(target.output(), fresh).ok()) continue;
      }
      if (!patch.empty()) apply(std::move(patch));
      ASSERT_FALSE(HasFatalFailure()) << seed;
      for (size_t o = 0; o < outputs.size(); ++o) {
        EXPECT_EQ(graph_.value(graph_.outputs()[o]).name, outputs[o]) << seed;
      }
      EXPECT_TRUE(graph_.is_sorted());
      EXPECT_TRUE(must(parse(print(graph_))) == graph_);
    }
  }
}

}  // namespace
}  // namespace octet::ir
