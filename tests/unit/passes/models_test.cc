// Every pass keeps its promises on every model of models/, on random graphs, and on the corpus when
// OCTET_SHARED names its folder.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "compiler/onnx/import.h"
#include "passes/pipeline.h"
#include "tests/support/pass_harness.h"
#include "tests/support/random_graph.h"

namespace octet::passes {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> models() {
  std::vector<std::string> out;
  for (const auto& entry : fs::directory_iterator(fs::path(OCTET_SOURCE_DIR) / "models")) {
    const fs::path model = entry.path() / "model.onnx";
    if (fs::exists(model)) out.push_back(model.string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<std::string> corpus() {
  std::vector<std::string> out;
  const char* shared = std::getenv("OCTET_SHARED");
  if (shared == nullptr) return out;
  for (const auto& entry : fs::directory_iterator(fs::path(shared) / "corpus" / "models")) {
    if (entry.path().extension() == ".onnx") out.push_back(entry.path().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

ir::Graph load(const std::string& path) {
  auto graph = onnx::import_model(path);
  EXPECT_TRUE(graph.ok()) << path << ": " << graph.error().message();
  return graph.ok() ? *std::move(graph) : ir::Graph();
}

using Numbers = testing::PassCheckOptions::Numbers;

// Each pass on the graph as it comes, and on what the passes before it leave.
void check_all(const ir::Graph& graph, const testing::PassCheckOptions& options) {
  for (const PassInfo& pass : all_passes()) {
    SCOPED_TRACE(cat(pass.name, " alone"));
    testing::check_pass(pass, graph, options);
  }
  ir::Graph current = graph;
  for (const Step& step : canonical_order()) {
    SCOPED_TRACE(cat(step.pass, " in its order"));
    current = testing::check_pass(step.pass, current, options).after;
  }
}

int count(const ir::Graph& graph, std::string_view op_type) {
  int out = 0;
  for (ir::NodeId id : graph.order()) out += graph.node(id).is(op_type) ? 1 : 0;
  return out;
}

ir::Graph canonical(const ir::Graph& graph) {
  ir::Graph out = graph;
  PipelineOptions options;
  options.verify = VerifyWhen::kAfterEachPass;
  const auto reports = canonicalize(out, options);
  EXPECT_TRUE(reports.ok()) << reports.error().message();
  ir::Graph again = out;
  const auto second = canonicalize(again, options);
  EXPECT_TRUE(second.ok());
  if (!second.ok()) return out;
  for (const PassReport& report : *second) {
    EXPECT_FALSE(report.changed) << report.pass << " in a second run";
  }
  return out;
}

TEST(PassesOnModels, KeepTheirPromises) {
  for (const std::string& path : models()) {
    SCOPED_TRACE(path);
    const ir::Graph graph = load(path);
    check_all(graph, {.extent = 1});
    const ir::Graph after = canonical(graph);
    EXPECT_TRUE(testing::expect_same_numbers(graph, after, NumericsClass::kRounding, 2));
    EXPECT_EQ(count(after, "BatchNormalization"), 0);
  }
}

TEST(PassesOnModels, KeepSharedWeightsShared) {
  const ir::Graph before =
      load(std::string(OCTET_SOURCE_DIR) + "/models/digits_shared_head/model.onnx");
  const ir::Graph after = canonical(before);
  int factored = 0;
  for (ir::NodeId id : after.order()) {
    const ir::Node& node = after.node(id);
    if (node.is("Mul") && after.constant(node.input(0)) != nullptr) ++factored;
  }
  EXPECT_GT(factored, 0);
  EXPECT_LE(count(after, "Conv"), count(before, "Conv"));
}

TEST(PassesOnRandomGraphs, KeepTheirPromises) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(cat("seed ", seed));
    check_all(testing::random_graph(seed), {});
    canonical(testing::random_graph(seed));
  }
}

TEST(PassesOnStrangeGraphs, KeepTheirPromises) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(cat("seed ", seed));
    testing::RandomGraphOptions options;
    options.content = testing::RandomContent::kAnything;
    const ir::Graph graph = testing::random_graph(seed, options);
    check_all(graph, {.numbers = Numbers::kSkipped});
    canonical(graph);
  }
}

TEST(PassesOnCorpus, KeepTheirPromises) {
  const std::vector<std::string> paths = corpus();
  if (paths.empty()) GTEST_SKIP() << "OCTET_SHARED is not set";
  for (const std::string& path : paths) {
    SCOPED_TRACE(path);
    check_all(load(path), {.numbers = Numbers::kSkipped});
  }
}

TEST(PassesOnCorpus, FoldWhatTheyShould) {
  const std::vector<std::string> paths = corpus();
  if (paths.empty()) GTEST_SKIP() << "OCTET_SHARED is not set";
  for (const std::string& path : paths) {
    SCOPED_TRACE(path);
    const ir::Graph before = load(path);
    const ir::Graph after = canonical(before);
    EXPECT_EQ(count(after, "BatchNormalization"), 0);
    EXPECT_EQ(count(after, "Constant"), 0);
    const bool is_static =
        path.find("dynamic") == std::string::npos && path.find("minilm") == std::string::npos;
    EXPECT_TRUE(!is_static || count(after, "Shape") == 0);
    const bool experimental = path.find("style_mosaic") != std::string::npos;
    EXPECT_EQ(after.model.opset() >= 17, !experimental);
  }
}

}  // namespace
}  // namespace octet::passes
