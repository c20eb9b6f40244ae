// Each builder: what it makes, and from what it makes nothing.
#include "patterns/builders.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/patterns_text.h"

namespace octet::patterns {
namespace {

using testing::graph_of;

// What the builder makes from the values of `statements`, as text; "nothing" for nothing.
std::string built(const std::string& name, const std::string& statements,
                  const std::vector<std::string>& values) {
  const ir::Graph graph = graph_of(statements);
  std::vector<BoundArgument> arguments;
  for (const std::string& value : values) arguments.emplace_back(graph.find_value(value));
  const auto made = find_builder(name)->build(ArgumentContext{graph, arguments});
  if (!made) return "nothing";
  if (const auto* number = std::get_if<float>(&*made)) return cat(*number);
  const auto* tensor = std::get_if<ir::TensorPtr>(&*made);
  if (tensor == nullptr) return "another kind";
  std::string text = (*tensor)->type().to_string();
  for (float element : (*tensor)->to_floats()) text += cat(" ", element);
  return text;
}

TEST(Builders, AreSortedAndDescribed) {
  const auto all = all_builders();
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end(),
                             [](const Builder& a, const Builder& b) { return a.name < b.name; }));
  for (const Builder& builder : all) {
    EXPECT_FALSE(builder.doc.empty()) << builder.name;
    EXPECT_EQ(find_builder(builder.name), &builder);
  }
  EXPECT_EQ(find_builder("nothing"), nullptr);
}

TEST(Builders, AsFloatAndScalarTakeTheOnlyElement) {
  const std::string statements =
      "const %one: float64[1,1] = [0.25] const %two: float32[2] = [1.0, 2.0] input %x: float32[]";
  EXPECT_EQ(built("as_float", statements, {"one"}), "0.25");
  EXPECT_EQ(built("as_float", statements, {"two"}), "nothing");
  EXPECT_EQ(built("as_float", statements, {"x"}), "nothing");
  EXPECT_EQ(built("scalar", statements, {"one"}), "float64[] 0.25");
  EXPECT_EQ(built("scalar", statements, {"two"}), "nothing");
  EXPECT_EQ(built("scalar", statements, {"x"}), "nothing");
}

TEST(Builders, ClampKeepsItsFirstArgumentBetweenTheOthers) {
  const std::string statements =
      "const %a: float32[1] = [-1.0] const %b: float32[] = 0.5 const %c: float32[] = 6.0 "
      "const %n: float32[] = nan const %two: float32[2] = [1.0, 2.0]";
  EXPECT_EQ(built("clamp", statements, {"a", "b", "c"}), "float32[] 0.5");
  EXPECT_EQ(built("clamp", statements, {"b", "a", "c"}), "float32[] 0.5");
  EXPECT_EQ(built("clamp", statements, {"c", "a", "b"}), "float32[] 0.5");
  EXPECT_EQ(built("clamp", statements, {"a", "c", "b"}), "nothing");
  EXPECT_EQ(built("clamp", statements, {"a", "n", "b"}), "nothing");
  EXPECT_EQ(built("clamp", statements, {"a", "b", "two"}), "nothing");
}

TEST(Builders, ShapeOfLeavesAtMostOneExtentOpen) {
  const std::string statements =
      "input %a: float32[2,3] input %b: float32[N,3] input %c: float32[N,?] "
      "input %d: float32[...] input %e: float32[0,3] input %f: float32[]";
  EXPECT_EQ(built("shape_of", statements, {"a"}), "int64[2] 2 3");
  EXPECT_EQ(built("shape_of", statements, {"b"}), "int64[2] -1 3");
  EXPECT_EQ(built("shape_of", statements, {"c"}), "nothing");
  EXPECT_EQ(built("shape_of", statements, {"d"}), "nothing");
  EXPECT_EQ(built("shape_of", statements, {"e"}), "nothing");
  EXPECT_EQ(built("shape_of", statements, {"f"}), "int64[0]");
}

TEST(Builders, VectorAndZeroLikeTakeConstants) {
  const std::string statements =
      "const %a: float32[1,3] = [1.0, 2.0, 3.0] const %i: int8[1] = [7] input %x: float32[1]";
  EXPECT_EQ(built("vector", statements, {"a"}), "float32[3] 1 2 3");
  EXPECT_EQ(built("vector", statements, {"x"}), "nothing");
  EXPECT_EQ(built("zero_like", statements, {"i"}), "int8[] 0");
  EXPECT_EQ(built("zero_like", statements, {"x"}), "nothing");
}

TEST(Builders, ComposeDoesTheFirstPermutationThenTheSecond) {
  const ir::Graph graph = graph_of("input %x: float32[1]");
  const auto compose = [&](std::vector<int64_t> p, std::vector<int64_t> q) {
    const ir::Attribute first = std::move(p);
    const ir::Attribute second = std::move(q);
    const std::vector<BoundArgument> arguments = {&first, &second};
    return find_builder("compose")->build(ArgumentContext{graph, arguments});
  };
  const auto made = compose({2, 0, 1}, {0, 2, 1});
  ASSERT_TRUE(made.has_value());
  EXPECT_EQ(std::get<std::vector<int64_t>>(*made), (std::vector<int64_t>{2, 1, 0}));
  EXPECT_FALSE(compose({1, 0}, {0, 1, 2}).has_value());
  EXPECT_FALSE(compose({1, 0}, {0, 7}).has_value());
}

}  // namespace
}  // namespace octet::patterns
