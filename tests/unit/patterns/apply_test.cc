// apply_rules(): fixpoints, limits, order, bisecting, what is refused and what is kept.
#include <gtest/gtest.h>

#include "compiler/base/files.h"
#include "tests/support/patterns_text.h"

namespace octet::patterns {
namespace {

using testing::apply;
using testing::graph_of;
using testing::load;
using testing::operators;
using testing::rewritten;
using testing::rule_text;

constexpr const char* kDropIdentity = "match: '%y = Identity(%x)' replace: '%y = %x'";
constexpr const char* kThreeIdentities =
    "input %x: float32[2] %a = Identity(%x) %b = Identity(%a) %c = Identity(%b) %y = Relu(%c) "
    "output %y";

TEST(ApplyRules, ReachAFixpointAndCountEachRule) {
  ir::Graph graph = graph_of(kThreeIdentities);
  const ApplyReport report = apply(graph, load(kDropIdentity));
  EXPECT_EQ(operators(graph), "Relu");
  EXPECT_EQ(report.rewrites, 3);
  EXPECT_EQ(report.hits.at("r"), 3);
  EXPECT_FALSE(apply(graph, load(kDropIdentity)).changed());
}

TEST(ApplyRules, StopInFrontOfTheRewriteThatIsAskedFor) {
  for (int64_t stop = 0; stop <= 3; ++stop) {
    ir::Graph graph = graph_of(kThreeIdentities);
    EXPECT_EQ(apply(graph, load(kDropIdentity), {.stop_after = stop}).rewrites, stop);
    EXPECT_EQ(graph.order().size(), static_cast<size_t>(4 - stop));
  }
}

TEST(ApplyRules, SkipRulesThatAreDisabled) {
  ir::Graph graph = graph_of(kThreeIdentities);
  EXPECT_FALSE(apply(graph, load(kDropIdentity), {.disabled = {"r"}}).changed());
}

TEST(ApplyRules, TraceNamesRuleAndOriginalNode) {
  ir::Graph graph =
      graph_of("input %x: float32[2] %a = Identity(%x) name \"id_7\" %y = Relu(%a) output %y");
  std::vector<std::string> seen;
  ApplyOptions options;
  options.trace = [&](const Rewrite& rewrite) {
    seen.push_back(cat(rewrite.index, " ", rewrite.rule, " ", rewrite.node));
  };
  apply(graph, load(kDropIdentity), options);
  EXPECT_EQ(seen, std::vector<std::string>{"0 r node \"id_7\" (Identity)"});
}

TEST(ApplyRules, NameTheRuleThatDoesNotConverge) {
  ir::Graph graph = graph_of("input %x: float32[2] %y = Neg(%x) output %y");
  // Each Neg gets another below it; the clause hides that from the check of loading.
  const RuleSet rules = load(
      "match: '%y = Neg(%x)' where: 'rank(%x) = 1' replace: '%n = Neg(%x)' replace: '%y = "
      "Exp(%n)'");
  const auto report = apply_rules(graph, rules);
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code(), ErrorCode::kInternal);
  EXPECT_TRUE(report.error().message().starts_with("rule r does not converge: 272 rewrites"))
      << report.error().message();
}

TEST(ApplyRules, RulesAreTriedInFileOrder) {
  const std::string first =
      "rules { name: 'one' doc: 'd' stage: CANONICALIZE numerics: EXACT "
      "match: '%y = Exp(%x)' where: 'rank(%x) = 1' replace: '%y = Neg(%x)' }";
  const std::string second =
      "rules { name: 'two' doc: 'd' stage: CANONICALIZE numerics: EXACT "
      "match: '%y = Exp(%x)' replace: '%y = Abs(%x)' }";
  const auto rules = RuleSet::load_text(first + second, "test.textproto");
  ASSERT_TRUE(rules.ok()) << rules.error().message();
  EXPECT_EQ(rewritten(*rules, "input %x: float32[2] %y = Exp(%x) output %y"), "Neg");
  EXPECT_EQ(rewritten(*rules, "input %x: float32[2,2] %y = Exp(%x) output %y"), "Abs");
}

TEST(ApplyRules, RulesApplyWithinTheirOpsetsOnly) {
  const RuleSet rules =
      load("min_opset: 14 max_opset: 16 match: '%y = Exp(%x)' replace: '%y = Neg(%x)'");
  const std::string node = "input %x: float32[2] %y = Exp(%x) output %y";
  EXPECT_EQ(rewritten(rules, node, 13), "Exp");
  EXPECT_EQ(rewritten(rules, node, 14), "Neg");
  EXPECT_EQ(rewritten(rules, node, 16), "Neg");
  EXPECT_EQ(rewritten(rules, node, 17), "Exp");
}

TEST(ApplyRules, OriginsUniteAndTheRootsNameStays) {
  ir::Graph graph = graph_of(
      "input %x: float32[2] %a = Exp(%x) name \"exp_1\" %y = Log(%a) name \"log_2\" output %y");
  apply(graph, load("match: '%a = Exp(%x)' match: '%y = Log(%a)' replace: '%y = Neg(%x)'"));
  const ir::Node& node = graph.node(graph.order()[0]);
  EXPECT_EQ(node.name, "log_2");
  EXPECT_EQ(node.origins, (std::vector<std::string>{"exp_1", "log_2"}));
  EXPECT_EQ(graph.value(graph.outputs()[0]).name, "y");
}

TEST(ApplyRules, WhatWasKnownOfAShapeStaysKnown) {
  const RuleSet rules =
      load("match: '%a = Exp(%x)' match: '%y = Log(%a)' replace: '%y = com.vendor::Same(%x)'");
  ir::Graph graph = graph_of("input %x: float32[N,2] %a = Exp(%x) %y = Log(%a) output %y");
  apply(graph, rules);
  EXPECT_EQ(operators(graph), "Same");
  EXPECT_EQ(graph.value(graph.outputs()[0]).type.shape.to_string(), "[N,2]");
}

TEST(ApplyRules, AReplacementThatDoesNotFitIsRefusedWithItsReason) {
  ir::Graph graph = graph_of("input %x: float32[2] %y = Identity(%x) output %y");
  const ApplyReport report = apply(graph, load(kDropIdentity));
  EXPECT_FALSE(report.changed());
  EXPECT_EQ(operators(graph), "Identity");
  EXPECT_NE(report.refused.at("r").find("graph output"), std::string::npos)
      << report.refused.at("r");
}

TEST(ApplyRules, AReplacementOfAnotherTypeIsRefused) {
  ir::Graph graph = graph_of("input %x: float32[2,3] %y = Transpose(%x) {perm = [1, 0]} output %y");
  const ApplyReport report =
      apply(graph, load("match: '%y = Transpose(%x) {...}' replace: '%y = Neg(%x)'"));
  EXPECT_FALSE(report.changed());
  EXPECT_EQ(report.refused.count("r"), 1U);
}

TEST(ApplyRules, ABuilderThatHasNothingToBuildFromIsRefused) {
  ir::Graph graph =
      graph_of("input %x: float32[2] input %s: float32[2] %y = PRelu(%x, %s) output %y");
  const ApplyReport report = apply(
      graph,
      load("match: '%y = PRelu(%x, %s)' replace: '%y = LeakyRelu(%x) {alpha = $as_float(%s)}'"));
  EXPECT_FALSE(report.changed());
  EXPECT_NE(report.refused.at("r").find("$as_float"), std::string::npos);
}

TEST(ApplyRules, TheSameTextComesOutEveryTime) {
  const auto rules = builtin_rules(Stage::kCanonicalize);
  ASSERT_TRUE(rules.ok()) << rules.error().message();
  const std::string text =
      "input %x: float32[2,4] const %z: float32[] = 0.0 const %six: float32[] = 6.0 "
      "%a = Add(%x, %z) %r = Relu(%a) %c = Clip(%r, %z, %six) %t = Transpose(%c) {perm = [1, 0]} "
      "%u = Transpose(%t) {perm = [1, 0]} %y = Relu(%u) output %y";
  ir::Graph first = graph_of(text);
  ir::Graph second = graph_of(text);
  apply(first, *rules);
  apply(second, *rules);
  EXPECT_EQ(ir::print(first), ir::print(second));
  EXPECT_EQ(operators(first), "Clip");
}

TEST(RuleSet, LoadsFromAFile) {
  const std::string path = ::testing::TempDir() + "octet_rules_test.textproto";
  ASSERT_TRUE(write_file_atomic(path, rule_text(kDropIdentity)).ok());
  const auto rules = RuleSet::load_file(path);
  ASSERT_TRUE(rules.ok()) << rules.error().message();
  EXPECT_NE(rules->find("r"), nullptr);
  EXPECT_EQ(rules->find("s"), nullptr);
  EXPECT_EQ(rules->rooted_at("", "Identity"), std::vector<size_t>{0});
  EXPECT_TRUE(rules->rooted_at("", "Relu").empty());
  const auto missing = RuleSet::load_file(path + ".missing");
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code(), ErrorCode::kIo);
}

}  // namespace
}  // namespace octet::patterns
