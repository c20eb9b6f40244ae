#include "passes/eliminate_common_subexpressions.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "compiler/base/names.h"
#include "compiler/ops/schema.h"
#include "passes/purity.h"

namespace octet::passes {
namespace {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::Tensor;
using ir::ValueId;

bool is_candidate(const Node& node) {
  return is_pure(node) && std::any_of(node.outputs.begin(), node.outputs.end(),
                                      [](ValueId id) { return id.valid(); });
}

bool same_attributes(const Node& a, const Node& b) {
  return std::equal(a.attributes.begin(), a.attributes.end(), b.attributes.begin(),
                    b.attributes.end(), [](const auto& x, const auto& y) {
                      return x.first == y.first && ir::attributes_equal(x.second, y.second);
                    });
}

class Eliminator {
 public:
  Eliminator(Graph& graph, const EliminateCommonSubexpressionsConfig& config, PassContext& context)
      : graph_(graph), config_(config), context_(context) {}

  Result<PassReport> run();

 private:
  // Operator, operands and number of outputs: cheap to look up; attributes are compared after.
  using Key = std::tuple<std::string, std::string, std::vector<ValueId>, size_t>;

  Result<bool> merge_constants();
  Result<bool> merge_nodes();
  bool can_merge(const Node& kept, const Node& gone) const;

  Graph& graph_;
  const EliminateCommonSubexpressionsConfig& config_;
  PassContext& context_;
  PassReport report_;
};

// False when the pass is to stop here.
Result<bool> Eliminator::merge_constants() {
  using ConstantKey = std::tuple<ir::DType, std::vector<int64_t>, std::vector<int64_t>>;
  std::map<ConstantKey, ValueId> seen;
  ir::Patch patch(graph_, ops::infer_node);
  for (size_t i = 0; i < graph_.value_count(); ++i) {
    const ValueId id(i);
    const ir::Value& value = graph_.value(id);
    if (!value.alive || !value.is_constant() || value.is_input || graph_.is_output(id)) continue;
    const Tensor& tensor = *value.constant;
    if (!numerics::is_integer(tensor.dtype()) || graph_.uses(id).empty() || value.type.quant ||
        tensor.element_count() > config_.max_constant_elements) {
      continue;
    }
    const auto [at, is_new] =
        seen.emplace(ConstantKey(tensor.dtype(), tensor.shape(), tensor.to_int64s()), id);
    if (is_new) continue;
    if (!context_.take_edit(quote_name(value.name))) break;
    OCTET_TRY(patch.replace(id, at->second));
    report_.edited();
  }
  if (!patch.empty()) OCTET_TRY(std::move(patch).apply(graph_));
  return context_.may_edit();
}

// A graph output keeps its name, so that of two outputs neither can go.
bool Eliminator::can_merge(const Node& kept, const Node& gone) const {
  for (size_t i = 0; i < gone.outputs.size(); ++i) {
    const ValueId from = gone.outputs[i];
    const ValueId to = kept.outputs[i];
    if (from.valid() != to.valid()) return false;
    if (from.valid() && graph_.is_output(from)) return false;
    if (from.valid() && graph_.value(from).type != graph_.value(to).type) return false;
  }
  return same_attributes(kept, gone);
}

Result<bool> Eliminator::merge_nodes() {
  std::map<Key, std::vector<NodeId>> seen;
  const std::vector<NodeId> order = graph_.order();
  for (NodeId id : order) {
    const Node& node = graph_.node(id);
    if (!is_candidate(node)) continue;
    auto& others = seen[Key(node.domain, node.op_type, node.inputs, node.outputs.size())];
    const auto same = std::find_if(others.begin(), others.end(), [&](NodeId other) {
      return can_merge(graph_.node(other), node);
    });
    if (same == others.end()) {
      others.push_back(id);
      continue;
    }
    if (!context_.take_edit(ir::describe(graph_, id))) return false;
    const Node& kept = graph_.node(*same);
    ir::Patch patch(graph_, ops::infer_node);
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i].valid()) OCTET_TRY(patch.replace(node.outputs[i], kept.outputs[i]));
    }
    std::vector<std::string> origins = kept.origins;
    for (const std::string& origin : node.origins) {
      if (std::find(origins.begin(), origins.end(), origin) == origins.end()) {
        origins.push_back(origin);
      }
    }
    OCTET_TRY(std::move(patch).apply(graph_));
    graph_.set_origins(*same, std::move(origins));
    report_.edited();
  }
  return true;
}

Result<PassReport> Eliminator::run() {
  OCTET_ASSIGN(bool go_on, merge_constants());
  if (go_on) {
    OCTET_ASSIGN(go_on, merge_nodes());
  }
  return std::move(report_);
}

}  // namespace

Result<PassReport> eliminate_common_subexpressions(
    ir::Graph& graph, const EliminateCommonSubexpressionsConfig& config, PassContext& context) {
  return Eliminator(graph, config, context).run();
}

}  // namespace octet::passes
