#include "passes/share_equal_weights.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "compiler/base/names.h"
#include "compiler/ir/patch.h"
#include "compiler/ops/schema.h"

namespace octet::passes {
namespace {

using ir::Graph;
using ir::Node;
using ir::Tensor;
using ir::ValueId;

// How a weight is read: operator and axis of its output channels.
using Reading = std::pair<std::string, int64_t>;

std::optional<Reading> reading_by(const Graph& graph, const ir::Use& use, size_t rank) {
  if (use.implicit) return std::nullopt;
  const Node& node = graph.node(use.node);
  const ops::OpSchema* schema = ops::find_schema(node);
  if (schema == nullptr || schema->weight_channel_axis == nullptr ||
      schema->role(static_cast<size_t>(use.index)) != ops::Role::kWeight) {
    return std::nullopt;
  }
  const auto axis = schema->weight_channel_axis(node, rank);
  return axis ? std::optional(Reading(node.op_type, *axis)) : std::nullopt;
}

// Nothing unless all readers read it alike.
std::optional<Reading> reading_of(const Graph& graph, ValueId id) {
  const ir::Value& value = graph.value(id);
  if (!value.alive || !value.is_constant() || value.is_input || graph.is_output(id) ||
      value.type.quant || !numerics::is_floating_point(value.constant->dtype())) {
    return std::nullopt;
  }
  std::optional<Reading> common;
  for (const ir::Use& use : graph.uses(id)) {
    const auto reading = reading_by(graph, use, value.constant->rank());
    if (!reading || (common && *common != *reading)) return std::nullopt;
    common = reading;
  }
  return common;
}

bool same_bytes(const Tensor& a, const Tensor& b) {
  const auto x = a.bytes();
  const auto y = b.bytes();
  return x.data() == y.data() ? x.size() == y.size()
                              : std::equal(x.begin(), x.end(), y.begin(), y.end());
}

}  // namespace

Result<PassReport> share_equal_weights(Graph& graph, const ShareEqualWeightsConfig& /*config*/,
                                       PassContext& context) {
  using Key = std::tuple<Reading, ir::DType, std::vector<int64_t>>;
  std::map<Key, std::vector<ValueId>> kept;
  PassReport report;
  ir::Patch patch(graph, ops::infer_node);
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const ValueId id(i);
    auto reading = reading_of(graph, id);
    if (!reading) continue;
    const ir::Value& value = graph.value(id);
    const Tensor& tensor = *value.constant;
    std::vector<ValueId>& others = kept[Key(std::move(*reading), tensor.dtype(), tensor.shape())];
    const auto same = std::find_if(others.begin(), others.end(), [&](ValueId other) {
      return same_bytes(*graph.constant(other), tensor);
    });
    if (same == others.end()) {
      others.push_back(id);
      continue;
    }
    if (!context.take_edit(quote_name(value.name))) break;
    OCTET_TRY(patch.replace(id, *same));
    report.edited();
    report.notes.push_back(cat("the weights ", quote_name(value.name), " and ",
                               quote_name(graph.value(*same).name), " are equal: one is kept"));
  }
  if (!patch.empty()) OCTET_TRY(std::move(patch).apply(graph));
  return report;
}

}  // namespace octet::passes
