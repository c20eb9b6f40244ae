#include "passes/lift_operators.h"

#include <algorithm>
#include <array>
#include <limits>

#include "compiler/base/names.h"
#include "compiler/ops/schema.h"

namespace octet::passes {

using ir::Node;
using ir::NodeSpec;
using ir::Tensor;
using ir::ValueId;

// --- parts -----------------------------------------------------------------------------------

NodeSpec same_node(const LiftContext& context) {
  const Node& node = context.node();
  NodeSpec spec;
  spec.op_type = node.op_type;
  spec.inputs = node.inputs;
  spec.attributes = node.attributes;
  spec.name = node.name;
  spec.origins = node.origins;
  spec.outputs = node.outputs.size();
  while (spec.outputs > 1 && !node.outputs[spec.outputs - 1].valid()) --spec.outputs;
  return spec;
}

Status replace_node(const LiftContext& context, NodeSpec spec) {
  const std::vector<ValueId>& old = context.node().outputs;
  OCTET_ASSIGN(const std::vector<ValueId> outputs, context.patch.nodes(std::move(spec)));
  for (size_t i = 0; i < std::min(old.size(), outputs.size()); ++i) {
    if (old[i].valid()) OCTET_TRY(context.patch.replace(old[i], outputs[i]));
  }
  return {};
}

void set_operand(NodeSpec& spec, size_t index, ValueId value) {
  if (spec.inputs.size() <= index) spec.inputs.resize(index + 1);
  spec.inputs[index] = value;
}

namespace {

std::string operand_name(const LiftContext& context, std::string_view what) {
  return cat(ir::display_name(context.graph, context.node()), "_", what);
}

ValueId int64_operand(const LiftContext& context, std::string_view what,
                      const std::vector<int64_t>& values) {
  return context.patch.constant(Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values),
                                operand_name(context, what));
}

// A scalar of the element type of operand 0.
Result<ValueId> scalar_operand(const LiftContext& context, std::string_view what, double value) {
  const ir::DType dtype = context.graph.value(context.node().input(0)).type.storage;
  if (!numerics::is_floating_point(dtype)) {
    return unsupported("the element type that its attribute ", quote_name(what),
                       " is to have is not known");
  }
  OCTET_ASSIGN(Tensor tensor, Tensor::zeros(dtype, {}));
  tensor.set_from_double(0, value);
  return context.patch.constant(std::move(tensor), operand_name(context, what));
}

}  // namespace

void move_ints(const LiftContext& context, NodeSpec& spec, std::string_view attribute,
               size_t index) {
  const auto at = spec.attributes.find(attribute);
  if (at == spec.attributes.end()) return;
  const std::vector<int64_t> values = ir::ints_attribute(context.node(), attribute);
  spec.attributes.erase(at);
  set_operand(spec, index, int64_operand(context, attribute, values));
}

// --- attributes that became operands -----------------------------------------------------------

namespace {

Status lift_clip(const LiftContext& context) {
  if (!context.crosses(11)) return {};
  NodeSpec spec = same_node(context);
  constexpr std::array<std::string_view, 2> kBounds = {"min", "max"};
  for (size_t i = 0; i < kBounds.size(); ++i) {
    const auto at = spec.attributes.find(kBounds[i]);
    if (at == spec.attributes.end()) continue;
    const float bound = ir::float_attribute(context.node(), kBounds[i], 0.0F);
    spec.attributes.erase(at);
    constexpr float kOpen = std::numeric_limits<float>::max();
    if (bound == (i == 0 ? -kOpen : kOpen)) continue;  // the default of the attribute
    OCTET_ASSIGN(const ValueId operand, scalar_operand(context, kBounds[i], bound));
    set_operand(spec, i + 1, operand);
  }
  return replace_node(context, std::move(spec));
}

// The ratio matters in training only.
Status lift_dropout(const LiftContext& context) {
  if (!context.crosses(12)) return {};
  const Node& node = context.node();
  const ValueId mask = node.output(1);
  const bool mask_is_read =
      mask.valid() && (!context.graph.uses(mask).empty() || context.graph.is_output(mask));
  if (mask_is_read && context.from < 10) return unsupported("its mask of numbers is read");
  NodeSpec spec = same_node(context);
  if (!mask_is_read) spec.outputs = 1;
  spec.attributes.clear();
  return replace_node(context, std::move(spec));
}

Status lift_pad(const LiftContext& context) {
  if (!context.crosses(11)) return {};
  if (!ir::has_attribute(context.node(), "pads")) return unsupported("it has no pads");
  NodeSpec spec = same_node(context);
  move_ints(context, spec, "pads", 1);
  const float value = ir::float_attribute(context.node(), "value", 0.0F);
  spec.attributes.erase("value");
  if (value != 0.0F) {
    OCTET_ASSIGN(const ValueId operand, scalar_operand(context, "value", value));
    set_operand(spec, 2, operand);
  }
  return replace_node(context, std::move(spec));
}

Status lift_slice(const LiftContext& context) {
  if (!context.crosses(10)) return {};
  if (!ir::has_attribute(context.node(), "starts") || !ir::has_attribute(context.node(), "ends")) {
    return unsupported("it has no starts or no ends");
  }
  NodeSpec spec = same_node(context);
  move_ints(context, spec, "starts", 1);
  move_ints(context, spec, "ends", 2);
  move_ints(context, spec, "axes", 3);
  return replace_node(context, std::move(spec));
}

Status lift_split(const LiftContext& context) {
  NodeSpec spec = same_node(context);
  if (context.crosses(13)) move_ints(context, spec, "split", 1);
  const bool has_sizes = spec.inputs.size() > 1 && spec.inputs[1].valid();
  if (context.crosses(18) && !has_sizes) {
    spec.attributes["num_outputs"] = static_cast<int64_t>(spec.outputs);
  }
  if (!context.crosses(13) && !context.crosses(18)) return {};
  return replace_node(context, std::move(spec));
}

Status lift_top_k(const LiftContext& context) {
  if (!context.crosses(10)) return {};
  NodeSpec spec = same_node(context);
  spec.attributes.erase("k");
  const int64_t k = ir::int_attribute(context.node(), "k", -1);
  if (k < 0) return unsupported("it has no k");
  set_operand(spec, 1, int64_operand(context, "k", {k}));
  return replace_node(context, std::move(spec));
}

template <int64_t kVersion>
Status lift_axes(const LiftContext& context) {
  if (!context.crosses(kVersion) || !ir::has_attribute(context.node(), "axes")) return {};
  NodeSpec spec = same_node(context);
  move_ints(context, spec, "axes", 1);
  return replace_node(context, std::move(spec));
}

Status lift_dft(const LiftContext& context) {
  if (!context.crosses(20)) return {};
  NodeSpec spec = same_node(context);
  const int64_t axis = ir::int_attribute(context.node(), "axis", 1);
  spec.attributes.erase("axis");
  set_operand(spec, 2,
              context.patch.constant(Tensor::scalar<int64_t>(axis), operand_name(context, "axis")));
  return replace_node(context, std::move(spec));
}

// --- names -----------------------------------------------------------------------------------

Status lift_scatter(const LiftContext& context) {
  if (!context.crosses(11)) return {};
  NodeSpec spec = same_node(context);
  spec.op_type = "ScatterElements";
  return replace_node(context, std::move(spec));
}

// The slices of Scan 8 run along a batch; those of Scan 9 do not.
Status lift_scan(const LiftContext& context) {
  if (context.crosses(9)) return unsupported("Scan of operator set 8 has no later form");
  return {};
}

// Experimental before version 9, with attributes of its own.
Status lift_mean_variance(const LiftContext& context) {
  if (context.crosses(9)) return unsupported("its experimental form has no later one");
  return {};
}

// --- tables ----------------------------------------------------------------------------------

struct Row {
  std::string_view op_type;
  Lift lift;
};

// Sorted by name.
constexpr std::array kLifts = {
    Row{"BatchNormalization", lift_batch_normalization},
    Row{"Clip", lift_clip},
    Row{"DFT", lift_dft},
    Row{"Dropout", lift_dropout},
    Row{"GridSample", lift_grid_sample},
    Row{"GroupNormalization", lift_group_normalization},
    Row{"Hardmax", lift_softmax},
    Row{"LogSoftmax", lift_softmax},
    Row{"MeanVarianceNormalization", lift_mean_variance},
    Row{"Pad", lift_pad},
    Row{"ReduceL1", lift_axes<18>},
    Row{"ReduceL2", lift_axes<18>},
    Row{"ReduceLogSum", lift_axes<18>},
    Row{"ReduceLogSumExp", lift_axes<18>},
    Row{"ReduceMax", lift_axes<18>},
    Row{"ReduceMean", lift_axes<18>},
    Row{"ReduceMin", lift_axes<18>},
    Row{"ReduceProd", lift_axes<18>},
    Row{"ReduceSum", lift_axes<13>},
    Row{"ReduceSumSquare", lift_axes<18>},
    Row{"Resize", lift_resize},
    Row{"RoiAlign", lift_roi_align},
    Row{"Scan", lift_scan},
    Row{"Scatter", lift_scatter},
    Row{"Slice", lift_slice},
    Row{"Softmax", lift_softmax},
    Row{"Split", lift_split},
    Row{"Squeeze", lift_axes<13>},
    Row{"TopK", lift_top_k},
    Row{"Unsqueeze", lift_axes<13>},
    Row{"Upsample", lift_upsample},
};

// Operators that compiler/ops does not know and whose form is the same in all versions that have
// them. Sorted.
constexpr auto kUnchanged = std::to_array<std::string_view>({
    "AffineGrid",
    "Bernoulli",
    "BlackmanWindow",
    "CenterCropPad",
    "Col2Im",
    "Compress",
    "ConcatFromSequence",
    "Constant",
    "ConstantOfShape",
    "DeformConv",
    "Det",
    "EyeLike",
    "GRU",
    "HammingWindow",
    "HannWindow",
    "If",
    "ImageDecoder",
    "LSTM",
    "Loop",
    "MaxRoiPool",
    "MaxUnpool",
    "MelWeightMatrix",
    "Multinomial",
    "NegativeLogLikelihoodLoss",
    "NonMaxSuppression",
    "NonZero",
    "Optional",
    "OptionalGetElement",
    "OptionalHasElement",
    "RNN",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    "RegexFullMatch",
    "ReverseSequence",
    "STFT",
    "ScatterElements",
    "ScatterND",
    "SequenceAt",
    "SequenceConstruct",
    "SequenceEmpty",
    "SequenceErase",
    "SequenceInsert",
    "SequenceLength",
    "SequenceMap",
    "Shrink",
    "SoftmaxCrossEntropyLoss",
    "SplitToSequence",
    "StringConcat",
    "StringNormalizer",
    "StringSplit",
    "TfIdfVectorizer",
    "Unique",
});

}  // namespace

Status lift_node(const LiftContext& context) {
  const Node& node = context.node();
  if (!node.domain.empty()) return {};  // versions of ai.onnx say nothing of other domains
  const auto row =
      std::lower_bound(kLifts.begin(), kLifts.end(), node.op_type,
                       [](const Row& r, const std::string& name) { return r.op_type < name; });
  if (row != kLifts.end() && row->op_type == node.op_type) return row->lift(context);
  const ops::OpSchema* schema = ops::find_schema(node);
  if (schema != nullptr && schema->since <= context.from) return {};
  if (std::binary_search(kUnchanged.begin(), kUnchanged.end(), std::string_view(node.op_type))) {
    return {};
  }
  return unsupported("operator ", quote_name(node.op_type), " is not part of operator set ",
                     context.from);
}

}  // namespace octet::passes
