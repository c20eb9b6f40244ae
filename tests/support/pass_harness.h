// Holds a pass to what every pass promises, without taking its word for any of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/graph.h"
#include "passes/passes.h"

namespace octet::testing {

struct PassCheckOptions {
  // Whether what the graph computes is compared too, by the reference evaluation.
  enum class Numbers { kCompared, kSkipped };
  Numbers numbers = Numbers::kCompared;
  int64_t extent = 2;  // what a dynamic extent takes
  passes::PassConfigs configs = {};
};

struct PassCheck {
  ir::Graph after;
  passes::PassReport report;
  bool compared = false;  // the graph before could be executed
};

// Runs the pass and expects: the output verifies; `changed` says whether the text is another one;
// a second run changes nothing; the text parses back; names of inputs and outputs stay; no origin
// is lost that a graph output depends on; stopping in front of each of the first edits leaves a
// graph that verifies and computes the same; and the graph computes the same before and after, on
// random numbers, zeros, large and negative ones, within the numerics class.
PassCheck check_pass(const passes::PassInfo& pass, const ir::Graph& before,
                     const PassCheckOptions& options = {});
PassCheck check_pass(std::string_view pass, const ir::Graph& before,
                     const PassCheckOptions& options = {});

// Expects that both compute the same; false when `before` cannot be executed.
bool expect_same_numbers(const ir::Graph& before, const ir::Graph& after,
                         passes::NumericsClass numerics, int64_t extent = 2);

// A graph from the statements of its text, types inferred.
ir::Graph pass_graph(std::string_view statements, int opset = 17);

// The operators of a graph, in order: "Conv Relu".
std::string operator_list(const ir::Graph& graph);

// The operators after a pass, which has been checked.
std::string after_pass(std::string_view pass, std::string_view statements, int opset = 17);

}  // namespace octet::testing
