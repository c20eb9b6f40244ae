// Each feature of the pattern language: a graph that matches and one that just does not.
#include <gtest/gtest.h>

#include "tests/support/patterns_text.h"

namespace octet::patterns {
namespace {

using testing::apply;
using testing::graph_of;
using testing::load;
using testing::operators;
using testing::rewritten;

// Most tests rewrite to Neg, which none of the patterns has.

TEST(Matcher, LastMatchLineIsTheRootAndLinesChain) {
  const RuleSet rules = load("match: '%a = Exp(%x)' match: '%y = Log(%a)' replace: '%y = Neg(%x)'");
  EXPECT_EQ(rewritten(rules, "input %x: float32[2] %a = Exp(%x) %y = Log(%a) output %y"), "Neg");
  EXPECT_EQ(rewritten(rules, "input %x: float32[2] %a = Log(%x) %y = Exp(%a) output %y"),
            "Log Exp");
}

TEST(Matcher, ARepeatedNameIsTheSameValue) {
  const RuleSet rules = load("match: '%y = Sub(%x, %x)' replace: '%y = Neg(%x)'");
  EXPECT_EQ(rewritten(rules, "input %x: float32[2] %y = Sub(%x, %x) output %y"), "Neg");
  EXPECT_EQ(
      rewritten(rules, "input %x: float32[2] input %z: float32[2] %y = Sub(%x, %z) output %y"),
      "Sub");
}

TEST(Matcher, CommutativeOperandsMatchInAnyOrderOthersDoNot) {
  const RuleSet add = load(
      "match: '%a = Exp(%x)' match: '%y = Add(%a, %z)' replace: '%n = Neg(%x)' replace: '%y = "
      "Div(%n, %z)'");
  const std::string head = "input %x: float32[2] input %z: float32[2] %a = Exp(%x) ";
  EXPECT_EQ(rewritten(add, head + "%y = Add(%a, %z) output %y"), "Neg Div");
  EXPECT_EQ(rewritten(add, head + "%y = Add(%z, %a) output %y"), "Neg Div");
  const RuleSet sub = load(
      "match: '%a = Exp(%x)' match: '%y = Sub(%a, %z)' replace: '%n = Neg(%x)' replace: '%y = "
      "Div(%n, %z)'");
  EXPECT_EQ(rewritten(sub, head + "%y = Sub(%a, %z) output %y"), "Neg Div");
  EXPECT_EQ(rewritten(sub, head + "%y = Sub(%z, %a) output %y"), "Exp Sub");
}

TEST(Matcher, OrdersOfNestedCommutativeOperatorsAreTriedTogether) {
  const RuleSet rules = load(
      "match: '%a = Mul(%x, %z)' match: '%b = Exp(%z)' match: '%y = Add(%a, %b)' replace: '%y = "
      "Sub(%x, %z)'");
  EXPECT_EQ(rewritten(rules,
                      "input %x: float32[2] input %z: float32[2] %b = Exp(%z) %a = Mul(%z, %x) "
                      "%y = Add(%b, %a) output %y"),
            "Sub");
  EXPECT_EQ(rewritten(rules,
                      "input %x: float32[2] input %z: float32[2] input %w: float32[2] "
                      "%b = Exp(%w) %a = Mul(%z, %x) %y = Add(%b, %a) output %y"),
            "Exp Mul Add");
}

class Numbers : public ::testing::Test {
 protected:
  const RuleSet rules_ = load("match: '%y = Mul(%x, 0.1)' replace: '%y = Neg(%x)'");
  std::string with(const std::string& input, const std::string& constant) const {
    return rewritten(
        rules_, "input %x: " + input + " const %c: " + constant + " %y = Mul(%x, %c) output %y");
  }
};

TEST_F(Numbers, MatchConstantsWithinADecimalRounding) {
  EXPECT_EQ(with("float32[2]", "float32[] = 0.1"), "Neg");
  EXPECT_EQ(with("float32[2]", "float32[] = 0.10000005"), "Neg");
  EXPECT_EQ(with("float32[2]", "float32[] = 0.1000005"), "Mul");
  EXPECT_EQ(with("float64[2]", "float64[] = 0.1"), "Neg");
}

TEST_F(Numbers, MatchSixteenBitConstantsAtTheirPrecision) {
  EXPECT_EQ(with("float16[2]", "float16[] = 0.1"), "Neg");
  EXPECT_EQ(with("float16[2]", "float16[] = 0.10009766"), "Mul");
}

TEST_F(Numbers, MatchWhenAllElementsAreEqualAndTheShapeStaysTheSame) {
  EXPECT_EQ(with("float32[2]", "float32[2] = [0.1, 0.1]"), "Neg");
  EXPECT_EQ(with("float32[2]", "float32[2] = [0.1, 0.2]"), "Mul");
  EXPECT_EQ(with("float32[2]", "float32[1,1] = [0.1]"), "Mul");  // makes the result rank 2
  EXPECT_EQ(with("float32[N]", "float32[1] = [0.1]"), "Neg");
  EXPECT_EQ(with("float32[N]", "float32[2] = [0.1, 0.1]"), "Mul");  // N may be 1
  EXPECT_EQ(with("float32[...]", "float32[] = 0.1"), "Neg");
  EXPECT_EQ(with("float32[...]", "float32[1] = [0.1]"), "Mul");
  EXPECT_EQ(with("float32[0]", "float32[0] = []"), "Mul");
}

TEST_F(Numbers, DoNotMatchValuesThatAreNotConstant) {
  EXPECT_EQ(
      rewritten(rules_, "input %x: float32[2] input %c: float32[] %y = Mul(%x, %c) output %y"),
      "Mul");
}

TEST(Matcher, FractionsNeverMatchIntegersAndIntegersMatchExactly) {
  const RuleSet half = load("match: '%y = Mul(%x, 0.5)' replace: '%y = Neg(%x)'");
  EXPECT_EQ(rewritten(half, "input %x: int32[2] const %c: int32[] = 0 %y = Mul(%x, %c) output %y"),
            "Mul");
  const RuleSet end =
      load("match: '%y = Slice(%x, 0, 9223372036854775807)' replace: '%y = Neg(%x)'");
  const auto with_end = [&](const std::string& last) {
    return rewritten(end, "input %x: float32[2] const %s: int64[1] = [0] const %e: int64[1] = [" +
                              last + "] %y = Slice(%x, %s, %e) output %y");
  };
  EXPECT_EQ(with_end("9223372036854775807"), "Neg");
  EXPECT_EQ(with_end("9223372036854775806"), "Slice");
}

TEST(Matcher, AlternativesOfALine) {
  const RuleSet rules = load("match: '%y = {Div(%x, 2.0) | Mul(%x, 0.5)}' replace: '%y = Neg(%x)'");
  const std::string head = "input %x: float32[2] const %two: float32[] = 2.0 ";
  EXPECT_EQ(rewritten(rules, head + "%y = Div(%x, %two) output %y"), "Neg");
  EXPECT_EQ(rewritten(rules,
                      "input %x: float32[2] const %h: float32[] = 0.5 "
                      "%y = Mul(%x, %h) output %y"),
            "Neg");
  EXPECT_EQ(rewritten(rules, head + "%y = Mul(%x, %two) output %y"), "Mul");
}

TEST(Matcher, OptionalOperandsMayBeAbsentOthersMayNot) {
  const RuleSet optional = load(
      "match: '%y = Conv(%x, %w, %b?) {...}' replace: '%n = Neg(%x)' replace: '%y = Conv(%n, %w, "
      "%b?)' where: 'is_constant(%x)'");
  const std::string head =
      "const %x: float32[1,1,2] = [1.0, 2.0] const %w: float32[1,1,1] = [1.0] ";
  ir::Graph without = graph_of(head + "%y = Conv(%x, %w) output %y");
  apply(without, optional, {.stop_after = 1});
  EXPECT_EQ(operators(without), "Neg Conv");
  EXPECT_EQ(without.node(without.order()[1]).inputs.size(), 2U);

  const RuleSet required =
      load("match: '%y = Conv(%x, %w, %b)' replace: '%y = Neg(%x)' where: 'is_constant(%b)'");
  EXPECT_EQ(rewritten(required, head + "%y = Conv(%x, %w) output %y"), "Conv");
  EXPECT_EQ(rewritten(required, head + "const %b: float32[1] = [0.0] %y = Conv(%x, %w, %b) "
                                       "output %y"),
            "Neg");
}

TEST(Matcher, OperandsThatThePatternDoesNotNameMustBeAbsent) {
  const RuleSet rules = load("match: '%y = Clip(%x, %low)' replace: '%y = Neg(%x)'");
  const std::string head = "input %x: float32[2] const %l: float32[] = 0.0 ";
  EXPECT_EQ(rewritten(rules, head + "%y = Clip(%x, %l) output %y"), "Neg");
  EXPECT_EQ(rewritten(rules, head + "%y = Clip(%x, %l, _) output %y"), "Neg");
  EXPECT_EQ(rewritten(rules, head + "%y = Clip(%x, %l, %l) output %y"), "Clip");
  EXPECT_EQ(rewritten(rules, head + "%y = Clip(%x, _, %l) output %y"), "Clip");
}

TEST(Matcher, AttributesAreRequiredOrMayBeAbsentAsWritten) {
  const std::string head = "input %x: float32[2,3] ";
  const RuleSet required = load("match: '%y = Softmax(%x) {axis = -1}' replace: '%y = Neg(%x)'");
  EXPECT_EQ(rewritten(required, head + "%y = Softmax(%x) {axis = -1} output %y"), "Neg");
  EXPECT_EQ(rewritten(required, head + "%y = Softmax(%x) {axis = 0} output %y"), "Softmax");
  EXPECT_EQ(rewritten(required, head + "%y = Softmax(%x) output %y"), "Softmax");
  const RuleSet either = load("match: '%y = Softmax(%x) {axis ?= -1}' replace: '%y = Neg(%x)'");
  EXPECT_EQ(rewritten(either, head + "%y = Softmax(%x) {axis = -1} output %y"), "Neg");
  EXPECT_EQ(rewritten(either, head + "%y = Softmax(%x) output %y"), "Neg");
  EXPECT_EQ(rewritten(either, head + "%y = Softmax(%x) {axis = 0} output %y"), "Softmax");
}

TEST(Matcher, AttributesThatThePatternDoesNotNameAreRefusedUnlessAllowed) {
  const std::string node = "input %x: float32[2,3] %y = Softmax(%x) {axis = 0} output %y";
  EXPECT_EQ(rewritten(load("match: '%y = Softmax(%x)' replace: '%y = Neg(%x)'"), node), "Softmax");
  EXPECT_EQ(rewritten(load("match: '%y = Softmax(%x) {...}' replace: '%y = Neg(%x)'"), node),
            "Neg");
}

TEST(Matcher, AttributesCompareByValue) {
  const std::string head = "input %x: float32[2,3] ";
  const RuleSet number = load("match: '%y = LeakyRelu(%x) {alpha = 0.2}' replace: '%y = Neg(%x)'");
  EXPECT_EQ(rewritten(number, head + "%y = LeakyRelu(%x) {alpha = 0.2} output %y"), "Neg");
  EXPECT_EQ(rewritten(number, head + "%y = LeakyRelu(%x) {alpha = 0.21} output %y"), "LeakyRelu");
  const RuleSet list = load("match: '%y = Transpose(%x) {perm = [0, 1]}' replace: '%y = Neg(%x)'");
  EXPECT_EQ(rewritten(list, head + "%y = Transpose(%x) {perm = [0, 1]} output %y"), "Neg");
  EXPECT_EQ(rewritten(list, head + "%y = Transpose(%x) {perm = [1, 0]} output %y"), "Transpose");
  const RuleSet text =
      load("match: '%y = Gelu(%x) {approximate = \"tanh\"}' replace: '%y = Neg(%x)'");
  EXPECT_EQ(rewritten(text, head + "%y = Gelu(%x) {approximate = \"tanh\"} output %y", 20), "Neg");
  EXPECT_EQ(rewritten(text, head + "%y = Gelu(%x) {approximate = \"none\"} output %y", 20), "Gelu");
}

TEST(Matcher, ARepeatedAttributeNameIsTheSameAttribute) {
  const RuleSet rules = load(
      "match: '%a = Softmax(%x) {axis ?= $i}' match: '%y = Softmax(%a) {axis ?= $i}' replace: '%n "
      "= Neg(%x)' replace: '%y = Softmax(%n) {axis = $i}'");
  const auto with = [&](const std::string& first, const std::string& second) {
    ir::Graph graph = graph_of("input %x: float32[2,3] %a = Softmax(%x) " + first +
                               " %y = Softmax(%a) " + second + " output %y");
    apply(graph, rules);
    return ir::print(graph).find("Neg") != std::string::npos;
  };
  EXPECT_TRUE(with("{axis = 1}", "{axis = 1}"));
  EXPECT_TRUE(with("", ""));
  EXPECT_FALSE(with("{axis = 1}", "{axis = 0}"));
  EXPECT_FALSE(with("{axis = 1}", ""));
}

TEST(Matcher, AnInnerValueWithAnotherReaderStopsTheMatchUnlessKept) {
  const std::string lines = "match: '%a = Exp(%x)' match: '%y = Log(%a)' replace: '%y = Neg(%x)'";
  const std::string shared =
      "input %x: float32[2] %a = Exp(%x) %y = Log(%a) %z = Relu(%a) output %y output %z";
  EXPECT_EQ(rewritten(load(lines), shared), "Exp Log Relu");
  EXPECT_EQ(rewritten(load(lines + "keep: '%a'"), shared), "Exp Neg Relu");
}

TEST(Matcher, AnInnerValueThatIsAGraphOutputStopsTheMatchUnlessKept) {
  const std::string lines = "match: '%a = Exp(%x)' match: '%y = Log(%a)' replace: '%y = Neg(%x)'";
  const std::string shown = "input %x: float32[2] %a = Exp(%x) %y = Log(%a) output %a output %y";
  EXPECT_EQ(rewritten(load(lines), shown), "Exp Log");
  EXPECT_EQ(rewritten(load(lines + "keep: '%a'"), shown), "Exp Neg");
}

TEST(Matcher, SeveralReadersInsideOfTheMatchAreFine) {
  const RuleSet rules = load(
      "match: '%a = Exp(%x)' match: '%b = Log(%a)' match: '%y = Sub(%b, %a)' replace: '%y = "
      "Neg(%x)'");
  EXPECT_EQ(rewritten(rules,
                      "input %x: float32[2] %a = Exp(%x) %b = Log(%a) "
                      "%y = Sub(%b, %a) output %y"),
            "Neg");
}

TEST(Matcher, OutputsThatThePatternDoesNotNameMustBeUnread) {
  const RuleSet rules = load("match: '%y = Dropout(%x)' replace: '%y = Neg(%x)'");
  EXPECT_EQ(rewritten(rules, "input %x: float32[2] %y, %m = Dropout(%x) output %y"), "Neg");
  EXPECT_EQ(rewritten(rules, "input %x: float32[2] %y, %m = Dropout(%x) output %y output %m"),
            "Dropout");
}

TEST(Matcher, SeveralOutputsOfTheRootAreReplacedTogether) {
  const RuleSet rules = load(
      "match: '%y, %z = TopK(%x, %k) {...}' replace: '%n = Neg(%x)' replace: '%y, %z = TopK(%n, "
      "%k)' where: 'is_scalar(%k)'");
  EXPECT_EQ(rewritten(rules,
                      "input %x: float32[4] const %k: int64[1] = [2] "
                      "%y, %z = TopK(%x, %k) output %y output %z"),
            "TopK");
  const RuleSet split = load(
      "match: '%y, %z = Split(%x) {axis = 0, num_outputs = 2}' replace: '%y = Relu(%x)' replace: "
      "'%z = Neg(%x)'");
  ir::Graph graph = graph_of(
      "input %x: float32[?] %y, %z = Split(%x) {axis = 0, num_outputs = 2} output %y output "
      "%z");
  apply(graph, split);
  EXPECT_EQ(operators(graph), "Relu Neg");
  EXPECT_EQ(graph.value(graph.outputs()[0]).name, "y");
  EXPECT_EQ(graph.value(graph.outputs()[1]).name, "z");
}

TEST(Matcher, AChainSkipsPassThroughOperators) {
  const RuleSet rules =
      load("match: '%a = Exp(%x)' match: '%y = Log(~(Relu|Abs)* %a)' replace: '%y = Neg(%x)'");
  const std::string head = "input %x: float32[2] %a = Exp(%x) ";
  EXPECT_EQ(rewritten(rules, head + "%y = Log(%a) output %y"), "Neg");
  EXPECT_EQ(rewritten(rules, head + "%b = Relu(%a) %c = Abs(%b) %y = Log(%c) output %y"), "Neg");
  EXPECT_EQ(rewritten(rules, head + "%b = Relu(%a) %c = Sin(%b) %y = Log(%c) output %y"),
            "Exp Relu Sin Log");
  EXPECT_EQ(rewritten(rules, head + "%b = Relu(%a) %y = Log(%b) output %y output %b"),
            "Exp Relu Log");
}

TEST(Matcher, AChainMayEndInFrontOfAnOperatorThatItCouldSkip) {
  const RuleSet rules = load(
      "match: '%a = Relu(%x)' match: '%b = ~(Relu|Abs)* %a' match: '%y = Log(%b)' replace: '%y = "
      "Neg(%x)'");
  EXPECT_EQ(rewritten(rules,
                      "input %x: float32[2] %a = Relu(%x) %b = Abs(%a) %y = Log(%b) "
                      "output %y"),
            "Neg");
}

TEST(Matcher, AChainIsReplayedWithItsAttributesAndOperands) {
  const RuleSet rules = load(
      "match: '%a = Exp(%x)' match: '%b = ~(LeakyRelu|Clip)* %a' match: '%y = Log(%b)' replace: "
      "'%n = Neg(%x)' replace: '%y = ~%b %n'");
  ir::Graph graph = graph_of(
      "input %x: float32[2] const %c: float32[] = 1.0 %a = Exp(%x) "
      "%b = LeakyRelu(%a) {alpha = 0.3} %d = Clip(%b, %c) %y = Log(%d) output %y");
  apply(graph, rules);
  EXPECT_EQ(operators(graph), "Neg LeakyRelu Clip");
  const ir::Node& leaky = graph.node(graph.order()[1]);
  EXPECT_EQ(ir::float_attribute(leaky, "alpha", 0.0F), 0.3F);
  EXPECT_EQ(graph.node(graph.order()[2]).inputs[1], graph.find_value("c"));
}

TEST(Matcher, OperatorsOfAnotherDomainAreOthers) {
  const RuleSet rules = load("match: '%y = com.vendor::Exp(%x)' replace: '%y = Neg(%x)'");
  EXPECT_EQ(rewritten(rules, "input %x: float32[2] %y = com.vendor::Exp(%x) output %y"), "Neg");
  EXPECT_EQ(rewritten(rules, "input %x: float32[2] %y = Exp(%x) output %y"), "Exp");
}

TEST(Matcher, AHugeSearchGivesUpInsteadOfHanging) {
  // Every Add can be read both ways and the last condition never holds: 2^30 ways.
  std::string lines = "match: '%a0 = Add(%x, %x)'";
  std::string statements = "input %x: float32[2] %a0 = Add(%x, %x) ";
  for (int i = 1; i < 30; ++i) {
    const std::string name = "a" + std::to_string(i);
    const std::string before = "a" + std::to_string(i - 1);
    lines += " match: \"%" + name + " = Add(%" + before + ", %" + before + ")\"";
    statements += "%" + name + " = Add(%" + before + ", %" + before + ") ";
  }
  const RuleSet rules =
      load(lines + "where: 'is_constant(%x)' match: '%y = Exp(%a29)' replace: '%y = Neg(%x)'");
  EXPECT_NE(rewritten(rules, statements + "%y = Exp(%a29) output %y"), "Neg");
}

}  // namespace
}  // namespace octet::patterns
