#include "passes/pipeline.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "compiler/ir/print.h"
#include "compiler/ir/verify.h"
#include "tests/support/pass_harness.h"

namespace octet::passes {
namespace {

using testing::pass_graph;

TEST(Passes, TableIsSortedAndDescribed) {
  const auto passes = all_passes();
  EXPECT_TRUE(std::is_sorted(passes.begin(), passes.end(),
                             [](const auto& a, const auto& b) { return a.name < b.name; }));
  for (const PassInfo& pass : passes) {
    EXPECT_TRUE(pass.summary.ends_with(".")) << pass.name;
    EXPECT_EQ(pass.summary.find('\n'), std::string_view::npos) << pass.name;
    EXPECT_EQ(find_pass(pass.name), &pass);
  }
  EXPECT_EQ(find_pass("fold_nothing"), nullptr);
}

TEST(Pipeline, RunsEveryPass) {
  std::set<std::string_view> run;
  for (const Step& step : canonical_order()) run.insert(step.pass);
  for (const PassInfo& pass : all_passes()) EXPECT_TRUE(run.contains(pass.name)) << pass.name;
  EXPECT_EQ(run.size(), all_passes().size());
}

// The first occurrence counts: what repeats also stands behind itself.
TEST(Pipeline, OrderHasItsReasons) {
  const auto order = canonical_order();
  const auto position = [&](std::string_view name) {
    return std::find_if(order.begin(), order.end(),
                        [&](const Step& step) { return step.pass == name; }) -
           order.begin();
  };
  for (const OrderRule& rule : order_rules()) {
    EXPECT_NE(find_pass(rule.before), nullptr) << rule.before;
    EXPECT_NE(find_pass(rule.after), nullptr) << rule.after;
    EXPECT_FALSE(rule.reason.empty());
    EXPECT_LT(position(rule.before), position(rule.after))
        << rule.before << " before " << rule.after << ": " << rule.reason;
  }
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end(),
                             [](const Step& a, const Step& b) { return a.schedule < b.schedule; }));
}

constexpr const char* kModel = R"(
    input %x: float32[1,1,2,2]
    const %w: float32[2,1,1,1] = [1.0, 2.0]
    const %s: float32[2] = [2.0, 0.5]
    const %three: float32[] = 3.0
    const %unused: float32[1] = [7.0]
    %i = Identity(%x)
    %c = Conv(%i, %w)
    %n = BatchNormalization(%c, %s, %s, %s, %s)
    %m = Mul(%n, %three)
    %shape = Shape(%m)
    %y = Reshape(%m, %shape)
    output %y)";

ir::Graph canonical(const PipelineOptions& options, std::vector<PassReport>* reports = nullptr) {
  ir::Graph graph = pass_graph(kModel);
  auto result = canonicalize(graph, options);
  EXPECT_TRUE(result.ok()) << result.error().message();
  if (reports != nullptr && result.ok()) *reports = *std::move(result);
  return graph;
}

TEST(Pipeline, LeavesOneConv) {
  std::vector<PassReport> reports;
  const ir::Graph graph = canonical({.verify = VerifyWhen::kAfterEachPass}, &reports);
  EXPECT_EQ(testing::operator_list(graph), "Conv");
  EXPECT_EQ(reports.size(), all_passes().size());
  testing::expect_same_numbers(pass_graph(kModel), graph, NumericsClass::kRounding);

  ir::Graph again = graph;
  const auto second = canonicalize(again);
  ASSERT_TRUE(second.ok());
  for (const PassReport& report : *second) EXPECT_FALSE(report.changed) << report.pass;
  EXPECT_EQ(ir::print(again), ir::print(graph));
}

TEST(Pipeline, StopsInFrontOfAnyEdit) {
  std::vector<PassReport> reports;
  canonical({}, &reports);
  int64_t edits = 0;
  for (const PassReport& report : reports) edits += report.edits;
  ASSERT_GT(edits, 5);
  std::vector<std::string> full_log;
  canonical({.log = [&](std::string_view line) { full_log.emplace_back(line); }});
  EXPECT_EQ(static_cast<int64_t>(full_log.size()), edits);
  for (int64_t stop = 0; stop <= edits; ++stop) {
    std::vector<std::string> log;
    PipelineOptions options;
    options.stop_after = stop;
    options.log = [&](std::string_view line) { log.emplace_back(line); };
    const ir::Graph graph = canonical(options);
    EXPECT_EQ(log, std::vector<std::string>(full_log.begin(), full_log.begin() + stop));
    EXPECT_TRUE(ir::verify(graph).ok());
    testing::expect_same_numbers(pass_graph(kModel), graph, NumericsClass::kRounding);
    EXPECT_EQ(ir::print(graph) == ir::print(canonical({})), stop == edits);
    EXPECT_EQ(ir::print(graph) == ir::print(pass_graph(kModel)), stop == 0);
  }
}

TEST(Pipeline, LeavesOutWhatIsDisabled) {
  EXPECT_EQ(testing::operator_list(canonical({.disabled = {"fold_batch_norm"}})),
            "Conv BatchNormalization Mul");
  EXPECT_EQ(testing::operator_list(canonical({.disabled = {"remove-identity"}})), "Identity Conv");
}

TEST(Pipeline, RefusesNamesOfNothing) {
  ir::Graph graph = pass_graph(kModel);
  PipelineOptions options;
  options.disabled = {"fold_batch_nrom"};
  const auto result = canonicalize(graph, options);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), ErrorCode::kUsage);
  EXPECT_EQ(result.error().message(),
            "no pass or rule is called \"fold_batch_nrom\"; the nearest is \"fold_batch_norm\"");
}

TEST(Pipeline, ShowsTheGraphAfterEachPassThatChangedIt) {
  std::vector<std::string> seen;
  PipelineOptions options;
  options.after_pass = [&](std::string_view pass, const ir::Graph& graph) {
    EXPECT_TRUE(ir::verify(graph).ok());
    seen.emplace_back(pass);
  };
  canonical(options);
  EXPECT_EQ(std::count(seen.begin(), seen.end(), "fold_batch_norm"), 1);
  EXPECT_EQ(std::count(seen.begin(), seen.end(), "lift_opset"), 0);
}

TEST(Pipeline, NamesThePassThatFails) {
  ir::Graph graph = pass_graph(kModel, 11);
  PipelineOptions options;
  options.configs.lift_opset.target_opset = 99;
  const auto result = canonicalize(graph, options);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().message(),
            "pass lift_opset: operator set 99 as a target: 13 to 23 are possible");
}

// HardSigmoid in pieces behind a Conv: the bias must not swallow the Add.
TEST(Pipeline, LetsRulesSeeTheirPiecesFirst) {
  ir::Graph graph = pass_graph(R"(
    input %x: float32[1,1,2,2]
    const %w: float32[2,1,1,1] = [1.0, 2.0]
    const %three: float32[] = 3.0
    const %zero: float32[] = 0.0
    const %six: float32[] = 6.0
    %c = Conv(%x, %w)
    %a = Add(%c, %three)
    %k = Clip(%a, %zero, %six)
    %y = Div(%k, %six)
    output %y)");
  ASSERT_TRUE(canonicalize(graph).ok());
  EXPECT_EQ(testing::operator_list(graph), "Conv HardSigmoid");
}

}  // namespace
}  // namespace octet::passes
