#include "compiler/plan/recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/plan_fixture.h"

namespace octet::plan {
namespace {

using ::testing::HasSubstr;

ir::Graph network() {
  testing::Network net;
  const auto c1 = net.conv(net.input(), "head/c1");
  return net.finish({net.conv(c1, "head/c2")});
}

TEST(Recipe, LaterOverridesWin) {
  const auto recipe = parse_recipe(R"(
    range: "percentile:99.9"
    override { select { op_type: "Conv" } precision: FLOAT }
    override { select { node: "head/*2" } precision: INTEGER range: "mse" })",
                                   "r.textproto");
  ASSERT_TRUE(recipe.ok()) << recipe.error().message();
  const ir::Graph graph = network();
  const ir::Node& c1 = graph.node(graph.find_node("head/c1"));
  const ir::Node& c2 = graph.node(graph.find_node("head/c2"));
  EXPECT_EQ(precision_for(*recipe, graph, c1), Precision::kFloat);
  EXPECT_EQ(precision_for(*recipe, graph, c2), Precision::kInteger);
  EXPECT_EQ(range_for(*recipe, graph, c1).kind, calibration::RangeKind::kPercentile);
  EXPECT_EQ(range_for(*recipe, graph, c2).kind, calibration::RangeKind::kMse);
  EXPECT_TRUE(check_selectors(*recipe, graph).ok());
}

TEST(Recipe, BothPartsOfASelectorMustHold) {
  const auto recipe = parse_recipe(
      R"(override { select { node: "head/c1" op_type: "Gemm" } precision: FLOAT })", "r");
  ASSERT_TRUE(recipe.ok());
  const ir::Graph graph = network();
  EXPECT_EQ(precision_for(*recipe, graph, graph.node(graph.find_node("head/c1"))), std::nullopt);
  EXPECT_FALSE(check_selectors(*recipe, graph).ok());
}

TEST(Recipe, ErrorsSayWhereAndWhat) {
  const auto typo = parse_recipe("range: \"min-max\"\noverrride { }\n", "my.textproto");
  ASSERT_FALSE(typo.ok());
  EXPECT_EQ(typo.error().code(), ErrorCode::kUsage);
  EXPECT_THAT(typo.error().message(), HasSubstr("my.textproto:2:"));
  EXPECT_FALSE(parse_recipe("override { precision: FLOAT }", "r").ok());
  EXPECT_THAT(parse_recipe("range: \"mean\"", "r").error().message(), HasSubstr("unknown range"));
}

TEST(Recipe, AnOpTypeThatMatchesNothingNamesTheNearest) {
  const auto recipe =
      parse_recipe(R"(override { select { op_type: "Convv" } precision: FLOAT })", "r");
  const Status status = check_selectors(*recipe, network());
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().message(), HasSubstr("\"Conv\""));
}

}  // namespace
}  // namespace octet::plan
