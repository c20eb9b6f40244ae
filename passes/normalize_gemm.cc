#include "passes/normalize_gemm.h"

#include <cmath>
#include <optional>

#include "compiler/base/names.h"
#include "compiler/ops/schema.h"
#include "passes/declared_types.h"
#include "passes/linear.h"

namespace octet::passes {
namespace {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::Tensor;
using ir::ValueId;

// Nothing when the tensor is no floating point constant or leaves the range of its type.
std::optional<Tensor> scaled(const Tensor* tensor, double scale) {
  if (tensor == nullptr || !numerics::is_floating_point(tensor->dtype())) return std::nullopt;
  auto out = Tensor::zeros(tensor->dtype(), tensor->shape());
  if (!out.ok()) return std::nullopt;
  for (int64_t i = 0; i < tensor->element_count(); ++i) {
    const double old = tensor->at_as_double(i);
    out->set_from_double(i, old * scale);
    if (std::isfinite(old) && !std::isfinite(out->at_as_double(i))) return std::nullopt;
  }
  return std::move(out).value();
}

class GemmNormalizer {
 public:
  GemmNormalizer(Graph& graph, PassContext& context) : graph_(graph), context_(context) {}

  Result<PassReport> run();

 private:
  Result<bool> visit(NodeId id);
  Status move_transpose(ir::Patch& patch, const Node& node, ir::NodeSpec& spec);
  Status move_alpha(ir::Patch& patch, const Node& node, ir::NodeSpec& spec);
  Status move_beta(ir::Patch& patch, const Node& node, ir::NodeSpec& spec);

  Graph& graph_;
  PassContext& context_;
  PassReport report_;
  // Of the node that is looked at.
  bool edits_ = false;
  std::vector<std::string> notes_;
};

Status GemmNormalizer::move_transpose(ir::Patch& patch, const Node& node, ir::NodeSpec& spec) {
  if (ir::int_attribute(node, "transA", 0) == 0) return {};
  OCTET_ASSIGN(spec.inputs[0], patch.node({.op_type = "Transpose",
                                           .inputs = {node.input(0)},
                                           .attributes = {{"perm", std::vector<int64_t>{1, 0}}},
                                           .name = ir::display_name(graph_, node) + "_transpose",
                                           .domain = {},
                                           .outputs = 1,
                                           .origins = node.origins}));
  spec.attributes.erase("transA");
  edits_ = true;
  return {};
}

Status GemmNormalizer::move_alpha(ir::Patch& patch, const Node& node, ir::NodeSpec& spec) {
  const float alpha = ir::float_attribute(node, "alpha", 1.0F);
  if (alpha == 1.0F || !std::isfinite(alpha)) return {};
  const Tensor* weight = fixed_constant(graph_, node.input(1));
  if (weight == nullptr) return {};
  const bool shared = !graph_.has_single_use(node.input(1));
  if (shared && context_.budget != nullptr) {
    OCTET_TRY(context_.budget->charge(static_cast<int64_t>(weight->bytes().size())));
  }
  auto folded = scaled(weight, alpha);
  if (!folded) return {};
  if (shared) {
    notes_.push_back(cat(ir::describe(graph_, node), ": the shared weight ",
                         quote_name(graph_.value(node.input(1)).name), " is copied, ",
                         weight->bytes().size(), " bytes"));
  }
  spec.inputs[1] = patch.constant(std::move(*folded), graph_.value(node.input(1)).name);
  spec.attributes.erase("alpha");
  edits_ = true;
  return {};
}

Status GemmNormalizer::move_beta(ir::Patch& patch, const Node& node, ir::NodeSpec& spec) {
  const float beta = ir::float_attribute(node, "beta", 1.0F);
  if (beta == 1.0F || !std::isfinite(beta)) return {};
  if (!node.input(2).valid() || beta == 0.0F) {
    if (spec.inputs.size() > 2) spec.inputs.resize(2);
  } else {
    auto folded = scaled(fixed_constant(graph_, node.input(2)), beta);
    if (!folded) return {};
    spec.inputs[2] = patch.constant(std::move(*folded), graph_.value(node.input(2)).name);
  }
  spec.attributes.erase("beta");
  edits_ = true;
  return {};
}

// False when the pass is to stop here.
Result<bool> GemmNormalizer::visit(NodeId id) {
  const Node& node = graph_.node(id);
  if (!node.is("Gemm") || node.inputs.size() < 2 || node.outputs.size() != 1 ||
      !node.output().valid()) {
    return true;
  }
  ir::Patch patch(graph_, ops::infer_node);
  ir::NodeSpec spec;
  spec.op_type = node.op_type;
  spec.inputs = node.inputs;
  spec.attributes = node.attributes;
  spec.name = node.name;
  spec.origins = node.origins;
  edits_ = false;
  notes_.clear();
  OCTET_TRY(move_transpose(patch, node, spec));
  OCTET_TRY(move_alpha(patch, node, spec));
  OCTET_TRY(move_beta(patch, node, spec));
  if (!edits_) return true;
  if (!context_.take_edit(ir::describe(graph_, id))) return false;
  OCTET_ASSIGN(const ValueId output, patch.node(std::move(spec)));
  const DeclaredTypes declared(graph_, node);
  OCTET_TRY(patch.replace(node.output(), output));
  OCTET_TRY(std::move(patch).apply(graph_));
  declared.restore(graph_);
  report_.edited();
  report_.notes.insert(report_.notes.end(), notes_.begin(), notes_.end());
  return true;
}

Result<PassReport> GemmNormalizer::run() {
  const std::vector<NodeId> order = graph_.order();
  for (NodeId id : order) {
    if (!graph_.node(id).alive) continue;
    auto go_on = visit(id);
    if (!go_on.ok()) return go_on.error().in(ir::describe(graph_, id));
    if (!*go_on) break;
  }
  return std::move(report_);
}

}  // namespace

Result<PassReport> normalize_gemm(ir::Graph& graph, const NormalizeGemmConfig& /*config*/,
                                  PassContext& context) {
  return GemmNormalizer(graph, context).run();
}

}  // namespace octet::passes
