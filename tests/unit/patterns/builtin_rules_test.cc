// Every built-in rule: numbers, where clauses, golden text, idempotence.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "compiler/base/files.h"
#include "compiler/ir/parse.h"
#include "compiler/ir/print.h"
#include "compiler/ir/verify.h"
#include "compiler/ops/schema.h"
#include "patterns/rules.h"

namespace octet::patterns {
namespace {

std::vector<Rule> all_rules() {
  std::vector<Rule> out;
  for (Stage stage : {Stage::kCanonicalize, Stage::kLower}) {
    auto rules = builtin_rules(stage);
    EXPECT_TRUE(rules.ok()) << rules.error().message();
    if (!rules.ok()) continue;
    out.insert(out.end(), rules->rules().begin(), rules->rules().end());
  }
  return out;
}

TEST(BuiltinRules, LoadAndPassTheirChecks) { EXPECT_FALSE(all_rules().empty()); }

class BuiltinRule : public ::testing::TestWithParam<Rule> {};

std::string test_name(const ::testing::TestParamInfo<Rule>& info) {
  std::string name = info.param.name;
  for (char& c : name) c = c == '-' ? '_' : c;
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, BuiltinRule, ::testing::ValuesIn(all_rules()), test_name);

TEST_P(BuiltinRule, ComputesTheSameAndEachWhereClauseDecides) {
  const auto evidence = check_rules(RuleSet::of({GetParam()}));
  ASSERT_TRUE(evidence.ok()) << evidence.error().message();
  EXPECT_GE(evidence->front().compared, CheckOptions().wanted) << GetParam().name;
}

struct Golden {
  ir::Graph before;
  ir::Graph after;
  std::string after_text;
};

void read_golden(const std::string& rule, Golden& out) {
  const std::string path = std::string(OCTET_SOURCE_DIR) + "/tests/golden/rules/" + rule + ".oct";
  const auto text = read_file(path);
  ASSERT_TRUE(text.ok()) << text.error().message();
  const size_t cut = text->find("\n---\n");
  ASSERT_NE(cut, std::string::npos) << path << " has no line ---";
  auto before = ir::parse(std::string_view(*text).substr(0, cut + 1));
  ASSERT_TRUE(before.ok()) << path << ": before: " << before.error().message();
  out.before = *std::move(before);
  const auto inferred = ops::infer_graph(out.before);
  ASSERT_TRUE(inferred.ok()) << path << ": " << inferred.error().message();
  out.after_text = text->substr(cut + 5);
}

TEST_P(BuiltinRule, RewritesItsGoldenGraph) {
  Golden golden;
  ASSERT_NO_FATAL_FAILURE(read_golden(GetParam().name, golden));
  ir::Graph graph = golden.before;
  const RuleSet rules = RuleSet::of({GetParam()});
  const auto report = apply_rules(graph, rules);
  ASSERT_TRUE(report.ok()) << report.error().message();
  EXPECT_TRUE(report->changed());
  graph.remove_unused_constants();
  EXPECT_EQ(ir::print(graph), golden.after_text);
  const auto verified = ir::verify(graph);
  EXPECT_TRUE(verified.ok()) << verified.error().message();

  const ir::Graph once = graph;
  const auto again = apply_rules(graph, rules);
  ASSERT_TRUE(again.ok());
  EXPECT_FALSE(again->changed()) << "a second run changes the graph";
  EXPECT_TRUE(graph == once);
}

TEST(BuiltinRules, TogetherSettleOnEveryGoldenGraph) {
  const auto rules = builtin_rules(Stage::kCanonicalize);
  ASSERT_TRUE(rules.ok());
  for (const Rule& rule : rules->rules()) {
    Golden golden;
    ASSERT_NO_FATAL_FAILURE(read_golden(rule.name, golden));
    const auto first = apply_rules(golden.before, *rules);
    ASSERT_TRUE(first.ok()) << first.error().message();
    EXPECT_TRUE(first->hits.contains(rule.name)) << rule.name << ": other rules take its graph";
    const auto second = apply_rules(golden.before, *rules);
    ASSERT_TRUE(second.ok());
    EXPECT_FALSE(second->changed()) << rule.name;
  }
}

TEST(BuiltinRules, NoGoldenFileIsLeftWithoutItsRule) {
  std::set<std::string> names;
  for (const Rule& rule : all_rules()) names.insert(rule.name + ".oct");
  const auto files = list_files(std::string(OCTET_SOURCE_DIR) + "/tests/golden/rules");
  ASSERT_TRUE(files.ok());
  for (const std::string& file : *files) EXPECT_TRUE(names.contains(file)) << file;
}

}  // namespace
}  // namespace octet::patterns
