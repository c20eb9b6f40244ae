#include "passes/linear.h"

#include <algorithm>
#include <cmath>

#include "compiler/base/names.h"
#include "compiler/ops/schema.h"
#include "compiler/plan/unit.h"
#include "passes/declared_types.h"

namespace octet::passes {

using ir::Graph;
using ir::Node;
using ir::Tensor;
using ir::ValueId;

const Tensor* fixed_constant(const Graph& graph, ValueId id) {
  return id.valid() && !graph.value(id).is_input ? graph.constant(id) : nullptr;
}

// --- recognition -----------------------------------------------------------------------------

namespace {

std::optional<LinearKind> linear_kind(const Node& node) {
  if (node.is("Conv")) return LinearKind::kConv;
  if (node.is("ConvTranspose")) return LinearKind::kConvTranspose;
  if (node.is("Gemm")) return LinearKind::kGemm;
  if (node.is("MatMul")) return LinearKind::kMatMul;
  return std::nullopt;
}

bool is_foldable_dtype(ir::DType dtype) {
  return dtype == ir::DType::kFloat32 || dtype == ir::DType::kFloat64 ||
         dtype == ir::DType::kFloat16 || dtype == ir::DType::kBfloat16;
}

// Fills in axis, groups and channels; false when the weight does not suit the operator.
bool lay_out(const Node& node, const std::vector<int64_t>& weight, Linear& linear) {
  switch (linear.kind) {
    case LinearKind::kConv:
      if (weight.size() < 3) return false;
      linear.axis = 0;
      break;
    case LinearKind::kConvTranspose:
      if (weight.size() < 3) return false;
      linear.axis = 1;
      linear.groups = ir::int_attribute(node, "group", 1);
      if (linear.groups < 1 || weight[0] % linear.groups != 0) return false;
      break;
    case LinearKind::kGemm:
      if (weight.size() != 2) return false;
      linear.axis = ir::int_attribute(node, "transB", 0) != 0 ? 0 : 1;
      break;
    case LinearKind::kMatMul:
      if (weight.size() < 2) return false;
      linear.axis = weight.size() - 1;
      break;
  }
  // An empty weight has nothing to fold into; its group count may be any number.
  if (std::find(weight.begin(), weight.end(), 0) != weight.end()) return false;
  linear.channels = weight[linear.axis] * linear.groups;
  return true;
}

// The factor broadcasts along the channel axis and nothing else.
bool factor_fits(const Graph& graph, const Linear& linear) {
  const Tensor& factor = *graph.constant(linear.factor);
  const Tensor& weight = *graph.constant(linear.weight);
  const size_t missing = weight.rank() - factor.rank();
  for (size_t i = 0; i < factor.rank(); ++i) {
    if (factor.shape()[i] == 1) continue;
    if (i + missing != linear.axis || factor.shape()[i] != linear.channels) return false;
  }
  return linear.groups == 1 && factor.dtype() == weight.dtype();
}

}  // namespace

std::optional<Linear> as_linear(const Graph& graph, ir::NodeId id) {
  const Node& node = graph.node(id);
  const auto kind = linear_kind(node);
  if (!kind || node.outputs.size() != 1 || !node.output().valid()) return std::nullopt;
  if (*kind == LinearKind::kGemm && (ir::float_attribute(node, "alpha", 1.0F) != 1.0F ||
                                     ir::float_attribute(node, "beta", 1.0F) != 1.0F)) {
    return std::nullopt;
  }
  Linear linear;
  linear.node = id;
  linear.kind = *kind;
  const plan::WeightSource source = plan::weight_source(graph, node.input(1));
  const Tensor* weight = fixed_constant(graph, source.constant);
  if (weight == nullptr || !is_foldable_dtype(weight->dtype())) return std::nullopt;
  linear.weight = source.constant;
  linear.factor = source.factor;
  if (*kind != LinearKind::kMatMul) linear.bias = node.input(2);
  if (!lay_out(node, weight->shape(), linear)) return std::nullopt;
  if (linear.factor.valid() &&
      (fixed_constant(graph, linear.factor) == nullptr || !factor_fits(graph, linear))) {
    return std::nullopt;
  }
  return linear;
}

std::optional<Linear> linear_behind(const Graph& graph, ValueId value) {
  if (!value.valid() || !graph.value(value).producer.valid()) return std::nullopt;
  if (!graph.has_single_use(value)) return std::nullopt;
  return as_linear(graph, graph.value(value).producer);
}

size_t channel_axis_from_end(const Graph& graph, const Linear& linear) {
  const bool convolution =
      linear.kind == LinearKind::kConv || linear.kind == LinearKind::kConvTranspose;
  return convolution ? graph.constant(linear.weight)->rank() - 1 : 1;
}

// --- folding ---------------------------------------------------------------------------------

namespace {

std::vector<std::string> joined_origins(const Node& a, const Node& b) {
  std::vector<std::string> out = a.origins;
  for (const std::string& origin : b.origins) {
    if (std::find(out.begin(), out.end(), origin) == out.end()) out.push_back(origin);
  }
  return out;
}

struct FoldedLinear {
  ValueId output;    // in the patch
  std::string note;  // what grew; mostly empty
};

// Adds to the patch a node that computes scale * y + shift.
class AffineFolder {
 public:
  AffineFolder(const Graph& graph, ir::Patch& patch, const Linear& linear,
               const ChannelAffine& affine, std::vector<std::string> origins, PassContext& context)
      : graph_(graph),
        patch_(patch),
        linear_(linear),
        affine_(affine),
        origins_(std::move(origins)),
        context_(context),
        node_(graph.node(linear.node)),
        weight_(*graph.constant(linear.weight)) {}

  Result<FoldedLinear> run();

 private:
  bool scales() const {
    return std::any_of(affine_.scale.begin(), affine_.scale.end(),
                       [](double s) { return s != 1.0; });
  }
  bool is_shared() const {
    return linear_.factor.valid() || !graph_.has_single_use(linear_.weight);
  }
  std::string weight_name() const { return graph_.value(linear_.weight).name; }

  // The scale with the factor that stands on the weight already.
  std::vector<double> total_scale() const;
  Result<ValueId> weight_operand();
  Result<ValueId> factored_weight(const std::vector<double>& scale);
  bool can_factor(const std::vector<double>& scale) const;
  Result<Tensor> scaled_weight(const std::vector<double>& scale) const;
  // Nothing when there is no bias and none is needed.
  Result<std::optional<Tensor>> new_bias() const;
  Result<std::vector<double>> old_bias() const;

  const Graph& graph_;
  ir::Patch& patch_;
  const Linear& linear_;
  const ChannelAffine& affine_;
  std::vector<std::string> origins_;
  PassContext& context_;
  const Node& node_;
  const Tensor& weight_;
  std::string note_;
};

Error out_of_range(std::string_view what) {
  return unsupported("the folded ", what, " would leave the range of its type");
}

Status store(Tensor& tensor, int64_t index, double value, std::string_view what) {
  tensor.set_from_double(index, value);
  if (std::isfinite(value) && !std::isfinite(tensor.at_as_double(index))) {
    return out_of_range(what);
  }
  return {};
}

std::vector<double> AffineFolder::total_scale() const {
  std::vector<double> scale = affine_.scale;
  if (!linear_.factor.valid()) return scale;
  const Tensor& factor = *graph_.constant(linear_.factor);
  for (int64_t c = 0; c < linear_.channels; ++c) {
    scale[static_cast<size_t>(c)] *= factor.at_as_double(factor.element_count() == 1 ? 0 : c);
  }
  return scale;
}

// y = x * scale over runs of elements that have their output channel in common.
Result<Tensor> AffineFolder::scaled_weight(const std::vector<double>& scale) const {
  const std::vector<int64_t>& shape = weight_.shape();
  OCTET_ASSIGN(Tensor out, Tensor::zeros(weight_.dtype(), shape));
  int64_t inner = 1;
  for (size_t i = linear_.axis + 1; i < shape.size(); ++i) inner *= shape[i];
  const int64_t extent = shape[linear_.axis];
  const int64_t outer = weight_.element_count() / (inner * extent);
  const int64_t outer_per_group = outer / linear_.groups;
  int64_t index = 0;
  for (int64_t o = 0; o < outer; ++o) {
    const int64_t group = linear_.groups == 1 ? 0 : o / outer_per_group;
    for (int64_t c = 0; c < extent; ++c) {
      const double factor = scale[static_cast<size_t>(group * extent + c)];
      for (int64_t i = 0; i < inner; ++i, ++index) {
        OCTET_TRY(store(out, index, weight_.at_as_double(index) * factor, "weight"));
      }
    }
  }
  return out;
}

bool AffineFolder::can_factor(const std::vector<double>& scale) const {
  if (linear_.groups != 1) return false;
  auto rounded = Tensor::zeros(weight_.dtype(), {1});
  if (!rounded.ok()) return false;
  return std::all_of(scale.begin(), scale.end(), [&](double s) {
    rounded->set_from_double(0, s);
    const double value = rounded->at_as_double(0);
    return value > 0.0 && std::isfinite(value);
  });
}

Result<ValueId> AffineFolder::factored_weight(const std::vector<double>& scale) {
  std::vector<int64_t> shape(weight_.rank(), 1);
  shape[linear_.axis] = linear_.channels;
  OCTET_ASSIGN(Tensor factor, Tensor::zeros(weight_.dtype(), std::move(shape)));
  for (int64_t c = 0; c < linear_.channels; ++c) {
    factor.set_from_double(c, scale[static_cast<size_t>(c)]);
  }
  const ValueId constant = patch_.constant(std::move(factor), weight_name() + "_factor");
  const std::string name = ir::display_name(graph_, node_) + "_weight";
  return patch_.node({.op_type = "Mul",
                      .inputs = {linear_.weight, constant},
                      .attributes = {},
                      .name = name,
                      .domain = {},
                      .outputs = 1,
                      .origins = origins_});
}

Result<ValueId> AffineFolder::weight_operand() {
  if (!scales()) return node_.input(1);
  const std::vector<double> scale = total_scale();
  const bool shared = is_shared();
  if (shared && can_factor(scale)) return factored_weight(scale);
  if (shared && context_.budget != nullptr) {
    OCTET_TRY(context_.budget->charge(static_cast<int64_t>(weight_.bytes().size())));
  }
  OCTET_ASSIGN(Tensor weight, scaled_weight(scale));
  if (shared) {
    note_ = cat(ir::describe(graph_, node_), ": the shared weight ", quote_name(weight_name()),
                " is copied, ", weight.bytes().size(),
                linear_.groups != 1 ? " bytes: its channels lie on two axes"
                                    : " bytes: a channel is scaled by zero or less");
  }
  return patch_.constant(std::move(weight), weight_name());
}

// One number per channel.
Result<std::vector<double>> AffineFolder::old_bias() const {
  std::vector<double> out(static_cast<size_t>(linear_.channels), 0.0);
  if (!linear_.bias.valid()) return out;
  const Tensor* bias = fixed_constant(graph_, linear_.bias);
  if (bias == nullptr) return unsupported("its bias is not constant");
  const int64_t count = bias->element_count();
  const bool per_channel =
      count == 1 || (count == linear_.channels && bias->shape().back() == count);
  if (!per_channel || bias->rank() > 2)
    return unsupported("its bias is not one number per channel");
  for (int64_t c = 0; c < linear_.channels; ++c) {
    out[static_cast<size_t>(c)] = bias->at_as_double(count == 1 ? 0 : c);
  }
  return out;
}

Result<std::optional<Tensor>> AffineFolder::new_bias() const {
  const bool shifts =
      std::any_of(affine_.shift.begin(), affine_.shift.end(), [](double s) { return s != 0.0; });
  if (!linear_.bias.valid() && !shifts) return std::optional<Tensor>();
  OCTET_ASSIGN(const std::vector<double> old, old_bias());
  OCTET_ASSIGN(Tensor out, Tensor::zeros(weight_.dtype(), {linear_.channels}));
  for (int64_t c = 0; c < linear_.channels; ++c) {
    const auto i = static_cast<size_t>(c);
    OCTET_TRY(store(out, c, old[i] * affine_.scale[i] + affine_.shift[i], "bias"));
  }
  return std::optional<Tensor>(std::move(out));
}

Result<FoldedLinear> AffineFolder::run() {
  OCTET_ASSIGN(std::optional<Tensor> bias, new_bias());
  OCTET_ASSIGN(const ValueId weight, weight_operand());
  std::vector<ValueId> inputs = {node_.input(0), weight};
  ValueId bias_id;
  if (bias) {
    const std::string hint = linear_.bias.valid() ? graph_.value(linear_.bias).name
                                                  : ir::display_name(graph_, node_) + "_bias";
    bias_id = patch_.constant(std::move(*bias), hint);
  }
  const bool own_add = linear_.kind == LinearKind::kMatMul && bias_id.valid();
  if (bias_id.valid() && !own_add) inputs.push_back(bias_id);
  FoldedLinear out;
  OCTET_ASSIGN(out.output, patch_.node({.op_type = node_.op_type,
                                        .inputs = std::move(inputs),
                                        .attributes = node_.attributes,
                                        .name = node_.name,
                                        .domain = {},
                                        .outputs = 1,
                                        .origins = origins_}));
  if (own_add) {
    OCTET_ASSIGN(out.output, patch_.node({.op_type = "Add",
                                          .inputs = {out.output, bias_id},
                                          .attributes = {},
                                          .name = ir::display_name(graph_, node_) + "_bias",
                                          .domain = {},
                                          .outputs = 1,
                                          .origins = origins_}));
  }
  out.note = std::move(note_);
  return out;
}

// False when the pass is to stop in front of this node.
Result<bool> fold_node(Graph& graph, ir::NodeId id, const FindAffine& find, PassContext& context,
                       PassReport& report) {
  const Node& node = graph.node(id);
  ir::Patch patch(graph, ops::infer_node);
  const auto fold = [&]() -> Result<std::optional<FoldedLinear>> {
    OCTET_ASSIGN(const std::optional<AffineNode> found, find(graph, node));
    if (!found) return std::optional<FoldedLinear>();
    const Linear& linear = found->linear;
    OCTET_ASSIGN(FoldedLinear folded,
                 AffineFolder(graph, patch, linear, found->affine,
                              joined_origins(graph.node(linear.node), node), context)
                     .run());
    return std::optional<FoldedLinear>(std::move(folded));
  };
  const auto folded = fold();
  if (!folded.ok()) {
    const Error error = folded.error().in(ir::describe(graph, id));
    if (error.code() != ErrorCode::kUnsupported) return error;
    report.left_alone.push_back(error.message());
    return true;
  }
  if (!*folded) return true;
  if (!context.take_edit(ir::describe(graph, id))) return false;
  const DeclaredTypes declared(graph, node);
  OCTET_TRY(patch.replace(node.output(), (*folded)->output));
  OCTET_TRY(std::move(patch).apply(graph));
  declared.restore(graph);
  report.edited();
  if (!(*folded)->note.empty()) report.notes.push_back((*folded)->note);
  return true;
}

}  // namespace

Result<PassReport> fold_affine_nodes(Graph& graph, const FindAffine& find, PassContext& context) {
  PassReport report;
  const std::vector<ir::NodeId> order = graph.order();
  for (ir::NodeId id : order) {
    if (!graph.node(id).alive) continue;
    OCTET_ASSIGN(const bool go_on, fold_node(graph, id, find, context, report));
    if (!go_on) break;
  }
  return report;
}

}  // namespace octet::passes
