#include "passes/lift_opset.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "compiler/ir/parse.h"
#include "compiler/ir/versions.h"
#include "compiler/ops/schema.h"
#include "passes/declared_types.h"
#include "passes/lift_operators.h"

namespace octet::passes {
namespace {

using ir::Graph;
using ir::NodeId;

constexpr int64_t kOldest = 7;
constexpr int64_t kLowestTarget = 13;
constexpr int64_t kHighestTarget = 23;

// kUnsupported, naming the node, says why the graph stays as it is.
class Lifter {
 public:
  Lifter(int64_t from, int64_t to) : from_(from), to_(to) {}

  Status lift(Graph& graph, int depth) const {
    if (depth > ir::kMaxGraphDepth) return internal_error("graphs are nested too deep");
    graph.model.opset_imports[""] = to_;
    const std::vector<NodeId> order = graph.order();
    for (NodeId id : order) {
      const std::string name = ir::describe(graph, id);
      OCTET_TRY(lift_bodies(graph, id, depth).in(name));
      ir::Patch patch(graph, ops::infer_node);
      OCTET_TRY(lift_node({graph, id, from_, to_, patch}).in(name));
      if (patch.empty()) continue;
      const DeclaredTypes declared(graph, graph.node(id));
      OCTET_TRY(std::move(patch).apply(graph).in(name));
      declared.restore(graph);
    }
    return {};
  }

 private:
  // The nesting is bounded by what verify() lets in.
  Status lift_bodies(Graph& graph, NodeId id, int depth) const {
    const ir::AttributeMap attributes = graph.node(id).attributes;
    for (const auto& [name, attribute] : attributes) {
      const auto* body = std::get_if<ir::GraphPtr>(&attribute);
      if (body == nullptr || *body == nullptr) continue;
      auto lifted = std::make_shared<Graph>(**body);
      OCTET_TRY(lift(*lifted, depth + 1));
      graph.set_attribute(id, name, ir::GraphPtr(std::move(lifted)));
    }
    return {};
  }

  int64_t from_;
  int64_t to_;
};

// Why no lifting is tried, if so.
std::optional<std::string> refusal(int64_t opset) {
  if (opset == 0) return "";  // no operator of ai.onnx
  if (opset < kOldest) {
    return cat("the model stays at operator set ", opset, ": those before ", kOldest,
               " are not known");
  }
  return std::nullopt;
}

}  // namespace

Result<PassReport> lift_opset(Graph& graph, const LiftOpsetConfig& config, PassContext& context) {
  if (config.target_opset < kLowestTarget || config.target_opset > kHighestTarget) {
    return usage_error("operator set ", config.target_opset, " as a target: ", kLowestTarget,
                       " to ", kHighestTarget, " are possible");
  }
  PassReport report;
  const int64_t from = graph.model.opset();
  if (from >= config.target_opset) return report;
  if (const auto why = refusal(from)) {
    if (!why->empty()) report.left_alone.push_back(*why);
    return report;
  }
  Graph lifted = graph;
  const Status status = Lifter(from, config.target_opset).lift(lifted, 0);
  if (!status.ok()) {
    if (status.error().code() == ErrorCode::kInternal) return status.error();
    report.left_alone.push_back(
        cat("the model stays at operator set ", from, ": ", status.error().message()));
    return report;
  }
  if (!context.take_edit(cat("operator set ", from, " to ", config.target_opset))) return report;
  lifted.model.ir_version =
      std::max(lifted.model.ir_version, ir::ir_version_for(config.target_opset));
  graph = std::move(lifted);
  report.edited();
  return report;
}

}  // namespace octet::passes
