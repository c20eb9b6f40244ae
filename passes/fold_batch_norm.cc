#include "passes/fold_batch_norm.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "compiler/ops/schema.h"
#include "passes/declared_types.h"
#include "passes/linear.h"

namespace octet::passes {
namespace {

using ir::Graph;
using ir::Node;
using ir::NodeId;

enum Operand : size_t { kInput, kScale, kShift, kMean, kVariance, kOperands };

// kUnsupported says why it stays.
Status check_form(const Graph& graph, const Node& node) {
  if (ir::int_attribute(node, "training_mode", 0) != 0)
    return unsupported("it is in training mode");
  for (size_t i = 1; i < node.outputs.size(); ++i) {
    const ir::ValueId id = node.outputs[i];
    if (id.valid() && (!graph.uses(id).empty() || graph.is_output(id))) {
      return unsupported("its statistics are read");
    }
  }
  return {};
}

Result<ChannelAffine> as_affine(const Graph& graph, const Node& node, int64_t channels) {
  std::array<const ir::Tensor*, kOperands> tensors = {};
  for (size_t i = kScale; i < kOperands; ++i) {
    tensors[i] = fixed_constant(graph, node.input(i));
    if (tensors[i] == nullptr) return unsupported("input ", i, " is not constant");
    if (tensors[i]->element_count() != channels) {
      return unsupported("input ", i, " has ", tensors[i]->element_count(), " elements for ",
                         channels, " channels");
    }
  }
  const double epsilon = ir::float_attribute(node, "epsilon", 1e-5F);
  ChannelAffine out;
  for (int64_t c = 0; c < channels; ++c) {
    const double variance = tensors[kVariance]->at_as_double(c);
    if (!(variance >= 0.0)) return unsupported("channel ", c, " has a variance of ", variance);
    const double scale = tensors[kScale]->at_as_double(c) / std::sqrt(variance + epsilon);
    const double shift = tensors[kShift]->at_as_double(c) - tensors[kMean]->at_as_double(c) * scale;
    if (!std::isfinite(scale) || !std::isfinite(shift)) {
      return unsupported("the parameters of channel ", c, " are not finite");
    }
    out.scale.push_back(scale);
    out.shift.push_back(shift);
  }
  return out;
}

// BatchNormalization's channels are axis 1.
bool channels_meet(const Graph& graph, const Linear& linear, const Node& node) {
  if (linear.kind != LinearKind::kMatMul) return true;
  const ir::Shape& shape = graph.value(node.input(kInput)).type.shape;
  return shape.has_rank() && shape.rank() == 2;
}

class BatchNormFolder {
 public:
  BatchNormFolder(Graph& graph, PassContext& context) : graph_(graph), context_(context) {}

  Result<PassReport> run();

 private:
  // False when the pass is to stop here.
  Result<bool> visit(NodeId id);
  Result<FoldedLinear> fold(ir::Patch& patch, const Node& node) const;

  Graph& graph_;
  PassContext& context_;
  PassReport report_;
};

Result<FoldedLinear> BatchNormFolder::fold(ir::Patch& patch, const Node& node) const {
  const auto linear = linear_behind(graph_, node.input(kInput));
  if (!linear || !channels_meet(graph_, *linear, node)) {
    return unsupported("no linear operator with a constant weight stands before it alone");
  }
  OCTET_TRY(check_form(graph_, node));
  OCTET_ASSIGN(const ChannelAffine affine, as_affine(graph_, node, linear->channels));
  return fold_affine(graph_, patch, *linear, affine,
                     joined_origins(graph_.node(linear->node), node), context_);
}

Result<bool> BatchNormFolder::visit(NodeId id) {
  const Node& node = graph_.node(id);
  if (!node.is("BatchNormalization") || !node.output().valid()) return true;
  ir::Patch patch(graph_, ops::infer_node);
  auto folded = fold(patch, node);
  if (!folded.ok()) {
    if (folded.error().code() != ErrorCode::kUnsupported) {
      return folded.error().in(ir::describe(graph_, id));
    }
    report_.left_alone.push_back(cat(ir::describe(graph_, id), ": ", folded.error().message()));
    return true;
  }
  if (!context_.take_edit(ir::describe(graph_, id))) return false;
  const DeclaredTypes declared(graph_, node);
  OCTET_TRY(patch.replace(node.output(), folded->output));
  OCTET_TRY(std::move(patch).apply(graph_));
  declared.restore(graph_);
  report_.edited();
  if (!folded->note.empty()) report_.notes.push_back(std::move(folded->note));
  return true;
}

Result<PassReport> BatchNormFolder::run() {
  const std::vector<NodeId> order = graph_.order();
  for (NodeId id : order) {
    if (!graph_.node(id).alive) continue;
    OCTET_ASSIGN(const bool go_on, visit(id));
    if (!go_on) break;
  }
  return std::move(report_);
}

}  // namespace

Result<PassReport> fold_batch_norm(ir::Graph& graph, const FoldBatchNormConfig& /*config*/,
                                   PassContext& context) {
  return BatchNormFolder(graph, context).run();
}

}  // namespace octet::passes
