// Canonicalization: the passes in their order, the part that can feed itself until nothing changes.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "passes/passes.h"

namespace octet::passes {

enum class VerifyWhen { kAtEnd, kAfterEachPass };

struct PipelineOptions {
  PassConfigs configs = {};
  VerifyWhen verify = VerifyWhen::kAtEnd;
  // Stops in front of edit number `stop_after` (counted from 0 over all passes): halving it finds
  // the edit that breaks a model. Edits have the same numbers in every run.
  std::optional<int64_t> stop_after = std::nullopt;
  // Names of passes and of canonicalization rules that do not run.
  std::set<std::string, std::less<>> disabled = {};
  // Sees the graph after each pass that changed it.
  std::function<void(std::string_view pass, const ir::Graph& graph)> after_pass = nullptr;
  // One line per edit.
  std::function<void(std::string_view line)> log = nullptr;
  // For constants that folding makes.
  int64_t max_memory = MemoryBudget::default_limit_bytes();
};

// The passes of canonicalize(), in order: first those that run once, then the others, all of them
// again until a round changes nothing.
enum class Schedule { kOnce, kRepeats };
struct Step {
  std::string_view pass;
  Schedule schedule;
};
std::span<const Step> canonical_order();

// Why the order is as it is; a test holds canonical_order() to it.
struct OrderRule {
  std::string_view before;
  std::string_view after;
  std::string_view reason;
};
std::span<const OrderRule> order_rules();

// One report per pass that ran, in order, its rounds added up. Errors: kUsage for a name in
// `disabled` that is neither pass nor rule, and of configs; kInternal, naming the pass, when a pass
// fails or leaves a graph that verify() refuses; the graph is then not to be used.
Result<std::vector<PassReport>> canonicalize(ir::Graph& graph, const PipelineOptions& options = {});

}  // namespace octet::passes
