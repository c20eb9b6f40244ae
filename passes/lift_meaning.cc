// Operators whose meaning changed, or whose old meaning has to be said in other words.
#include <algorithm>
#include <optional>

#include "passes/lift_operators.h"
#include "passes/linear.h"

namespace octet::passes {

using ir::Node;
using ir::NodeSpec;
using ir::Tensor;
using ir::ValueId;

namespace {

ir::Shape shape_of(const LiftContext& context, size_t operand) {
  return context.graph.value(context.node().input(operand)).type.shape;
}

bool is_read(const LiftContext& context, ValueId id) {
  return id.valid() && (!context.graph.uses(id).empty() || context.graph.is_output(id));
}

}  // namespace

// Before version 14 more than one output meant training; `spatial` went with version 9.
Status lift_batch_normalization(const LiftContext& context) {
  if (!context.crosses(9) && !context.crosses(14)) return {};
  const Node& node = context.node();
  if (context.from < 9 && ir::int_attribute(node, "spatial", 1) != 1) {
    return unsupported("spatial = 0 has no later form");
  }
  for (size_t i = 1; i < node.outputs.size(); ++i) {
    if (is_read(context, node.outputs[i])) return unsupported("its statistics are read");
  }
  NodeSpec spec = same_node(context);
  spec.outputs = 1;
  for (const char* gone : {"spatial", "is_test", "consumed_inputs"}) spec.attributes.erase(gone);
  if (spec.attributes.size() == node.attributes.size() && node.outputs.size() == 1) return {};
  return replace_node(context, std::move(spec));
}

// --- resampling ------------------------------------------------------------------------------

namespace {

// Nearest neighbours before version 11: the coordinate in the input is output / scale; ONNX Runtime
// cuts its fraction off when it makes an axis longer and rounds it up when it makes it shorter.
// Nothing when one node does both.
std::optional<std::string> old_nearest_mode(const LiftContext& context) {
  const Tensor* scales = fixed_constant(context.graph, context.node().input(1));
  if (scales == nullptr) return "floor";
  const std::vector<float> values = scales->to_floats();
  const bool grows = std::any_of(values.begin(), values.end(), [](float s) { return s > 1.0F; });
  const bool shrinks = std::any_of(values.begin(), values.end(), [](float s) { return s < 1.0F; });
  if (grows && shrinks) return std::nullopt;
  return shrinks ? "ceil" : "floor";
}

Status to_resize(const LiftContext& context, ValueId scales, const std::string& nearest_mode) {
  NodeSpec spec = same_node(context);
  spec.op_type = "Resize";
  std::string mode = ir::string_attribute(context.node(), "mode", "nearest");
  if (mode == "bilinear") mode = "linear";
  spec.attributes = {{"coordinate_transformation_mode", std::string("asymmetric")}, {"mode", mode}};
  if (mode == "nearest") spec.attributes["nearest_mode"] = nearest_mode;
  spec.inputs = {context.node().input(0), ValueId(), scales};
  return replace_node(context, std::move(spec));
}

}  // namespace

Status lift_upsample(const LiftContext& context) {
  if (context.from >= 10) return unsupported("Upsample went with operator set 10");
  if (context.from >= 9) return to_resize(context, context.node().input(1), "floor");
  const std::vector<float> scales = ir::floats_attribute(context.node(), "scales");
  if (scales.empty()) return unsupported("it has no scales");
  const ValueId operand =
      context.patch.constant(Tensor::of<float>({static_cast<int64_t>(scales.size())}, scales),
                             ir::display_name(context.graph, context.node()) + "_scales");
  return to_resize(context, operand, "floor");
}

Status lift_resize(const LiftContext& context) {
  const Node& node = context.node();
  if (context.crosses(11)) {
    const auto nearest_mode = old_nearest_mode(context);
    if (!nearest_mode) return unsupported("it makes one axis longer and another shorter");
    return to_resize(context, node.input(1), *nearest_mode);
  }
  if (context.crosses(13) &&
      ir::string_attribute(node, "coordinate_transformation_mode", "") == "tf_half_pixel_for_nn") {
    return unsupported("tf_half_pixel_for_nn went with operator set 13");
  }
  return {};
}

Status lift_roi_align(const LiftContext& context) {
  if (!context.crosses(16)) return {};
  NodeSpec spec = same_node(context);
  spec.attributes["coordinate_transformation_mode"] = std::string("output_half_pixel");
  return replace_node(context, std::move(spec));
}

Status lift_grid_sample(const LiftContext& context) {
  if (!context.crosses(20)) return {};
  const std::string mode = ir::string_attribute(context.node(), "mode", "bilinear");
  NodeSpec spec = same_node(context);
  if (mode == "bilinear") spec.attributes["mode"] = std::string("linear");
  if (mode == "bicubic") spec.attributes["mode"] = std::string("cubic");
  return replace_node(context, std::move(spec));
}

// --- softmax ---------------------------------------------------------------------------------

namespace {

// Before version 13 the axes from `axis` on were one; that is the axis itself when those behind it
// have one element each.
std::optional<int64_t> plain_axis(const ir::Shape& shape, int64_t axis) {
  if (axis == -1) return -1;
  if (!shape.has_rank()) return std::nullopt;
  const auto rank = static_cast<int64_t>(shape.rank());
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank) return std::nullopt;
  for (int64_t i = axis + 1; i < rank; ++i) {
    if (shape[static_cast<size_t>(i)] != ir::Dim(1)) return std::nullopt;
  }
  return axis == rank - 1 ? -1 : axis;
}

NodeSpec part(const LiftContext& context, std::string op_type, std::vector<ValueId> inputs,
              std::string_view what) {
  NodeSpec spec;
  spec.op_type = std::move(op_type);
  spec.inputs = std::move(inputs);
  spec.name = cat(ir::display_name(context.graph, context.node()), "_", what);
  spec.origins = context.node().origins;
  return spec;
}

}  // namespace

Status lift_softmax(const LiftContext& context) {
  if (!context.crosses(13)) return {};
  const int64_t axis = ir::int_attribute(context.node(), "axis", 1);
  const auto plain = plain_axis(shape_of(context, 0), axis);
  NodeSpec spec = same_node(context);
  spec.attributes["axis"] = plain.value_or(-1);
  if (plain) {
    const bool same = ir::has_attribute(context.node(), "axis") && axis == *plain;
    return same ? Status() : replace_node(context, std::move(spec));
  }
  const ValueId input = context.node().input(0);
  ir::Patch& patch = context.patch;
  NodeSpec flatten = part(context, "Flatten", {input}, "flatten");
  flatten.attributes["axis"] = axis;
  OCTET_ASSIGN(const ValueId matrix, patch.node(std::move(flatten)));
  spec.inputs[0] = matrix;
  OCTET_ASSIGN(const ValueId result, patch.node(std::move(spec)));
  OCTET_ASSIGN(const ValueId shape, patch.node(part(context, "Shape", {input}, "shape")));
  return replace_node(context, part(context, "Reshape", {result, shape}, "reshape"));
}

// --- group normalization ---------------------------------------------------------------------

// Scale and bias are per group before version 21, per channel from then on.
Status lift_group_normalization(const LiftContext& context) {
  if (!context.crosses(21)) return {};
  const ir::Shape shape = shape_of(context, 0);
  const int64_t groups = ir::int_attribute(context.node(), "num_groups", 0);
  if (!shape.has_rank() || shape.rank() < 2 || !shape[1].is_static() || groups < 1 ||
      shape[1].extent() % groups != 0) {
    return unsupported("its number of channels is not known");
  }
  const int64_t channels = shape[1].extent();
  NodeSpec spec = same_node(context);
  for (size_t i = 1; i <= 2; ++i) {
    const Tensor* per_group = fixed_constant(context.graph, context.node().input(i));
    if (per_group == nullptr || per_group->element_count() != groups) {
      return unsupported("input ", i, " is not a constant of one number per group");
    }
    OCTET_ASSIGN(Tensor per_channel, Tensor::zeros(per_group->dtype(), {channels}));
    for (int64_t c = 0; c < channels; ++c) {
      per_channel.set_from_double(c, per_group->at_as_double(c / (channels / groups)));
    }
    spec.inputs[i] = context.patch.constant(std::move(per_channel),
                                            context.graph.value(context.node().input(i)).name);
  }
  return replace_node(context, std::move(spec));
}

}  // namespace octet::passes
