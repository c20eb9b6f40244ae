// Rules and graphs from short texts, for the tests of patterns/.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "compiler/ir/parse.h"
#include "compiler/ir/print.h"
#include "compiler/ir/verify.h"
#include "compiler/ops/schema.h"
#include "patterns/rules.h"

namespace octet::patterns::testing {

// A rule file with one rule, whose body is `fields`: match, where, replace, keep.
inline std::string rule_text(const std::string& fields) {
  return "rules {\n  name: \"r\"\n  doc: \"d\"\n  stage: CANONICALIZE numerics: EXACT\n" + fields +
         "\n}\n";
}

inline RuleSet load(const std::string& fields) {
  auto rules = RuleSet::load_text(rule_text(fields), "test.textproto");
  EXPECT_TRUE(rules.ok()) << rules.error().message();
  return rules.ok() ? *std::move(rules) : RuleSet();
}

// The message that refuses the file; empty when it loads.
inline std::string load_error(const std::string& text) {
  const auto rules = RuleSet::load_text(text, "test.textproto");
  return rules.ok() ? "" : rules.error().message();
}

// A graph of opset 18 from its statements, types inferred.
inline ir::Graph graph_of(const std::string& statements, int opset = 18) {
  const std::string text = "model { opset \"\" = " + std::to_string(opset) +
                           " } graph \"main\" {\n" + statements + "\n}\n";
  auto graph = ir::parse(text);
  EXPECT_TRUE(graph.ok()) << graph.error().message();
  if (!graph.ok()) return {};
  const auto inferred = ops::infer_graph(*graph);
  EXPECT_TRUE(inferred.ok()) << inferred.error().message();
  return *std::move(graph);
}

inline ApplyReport apply(ir::Graph& graph, const RuleSet& rules, const ApplyOptions& options = {}) {
  auto report = apply_rules(graph, rules, options);
  EXPECT_TRUE(report.ok()) << report.error().message();
  const auto verified = ir::verify(graph);
  EXPECT_TRUE(verified.ok()) << verified.error().message();
  return report.ok() ? *std::move(report) : ApplyReport();
}

// "Relu Add": the operators of the graph, in order.
inline std::string operators(const ir::Graph& graph) {
  std::string out;
  for (ir::NodeId id : graph.order()) {
    out += (out.empty() ? "" : " ") + graph.node(id).op_type;
  }
  return out;
}

// The operators after the rules have been applied.
inline std::string rewritten(const RuleSet& rules, const std::string& statements, int opset = 18) {
  ir::Graph graph = graph_of(statements, opset);
  apply(graph, rules);
  return operators(graph);
}

}  // namespace octet::patterns::testing
