// Scan (ai.onnx 9 and on): a body run once per slice of its operands. onnx/docs/Operators.md, Scan.
// Opset 8 is in batched_scan.cc.
#include <cstring>

#include "compiler/ops/control_flow.h"
#include "compiler/ops/strided.h"

namespace octet::ops {
namespace {

struct ScanAttributes {
  size_t states = 0;
  size_t scanned = 0;
  std::vector<int64_t> input_axes;
  std::vector<int64_t> input_directions;
  std::vector<int64_t> output_axes;
  std::vector<int64_t> output_directions;

  static Result<ScanAttributes> from(const ir::Node& node, size_t inputs, size_t body_outputs) {
    ScanAttributes out;
    const int64_t scanned = ir::int_attribute(node, "num_scan_inputs", 0);
    if (scanned < 1 || scanned > static_cast<int64_t>(inputs)) {
      return malformed("attribute num_scan_inputs is ", scanned, " of ", inputs, " inputs");
    }
    out.scanned = static_cast<size_t>(scanned);
    out.states = inputs - out.scanned;
    if (body_outputs < out.states) {
      return malformed(out.states, " states, the body gives ", body_outputs);
    }
    const size_t stacked = body_outputs - out.states;
    OCTET_ASSIGN(out.input_axes, list(node, "scan_input_axes", out.scanned));
    OCTET_ASSIGN(out.input_directions, list(node, "scan_input_directions", out.scanned));
    OCTET_ASSIGN(out.output_axes, list(node, "scan_output_axes", stacked));
    OCTET_ASSIGN(out.output_directions, list(node, "scan_output_directions", stacked));
    return out;
  }

 private:
  static Result<std::vector<int64_t>> list(const ir::Node& node, std::string_view name,
                                           size_t count) {
    std::vector<int64_t> out = ir::ints_attribute(node, name, std::vector<int64_t>(count, 0));
    if (out.size() == count) return out;
    return malformed("attribute ", name, ": ", out.size(), " numbers, ", count, " expected");
  }
};

ir::TensorType slice_type(const ir::TensorType& type, int64_t signed_axis) {
  ir::TensorType out;
  out.storage = type.storage;
  if (!type.shape.has_rank()) return out;
  const auto axis = normalize_axis(signed_axis, type.shape.rank());
  if (!axis.ok()) return out;
  std::vector<ir::Dim> dims = type.shape.dims();
  dims.erase(dims.begin() + *axis);
  out.shape = ir::Shape(std::move(dims));
  return out;
}

Result<Facts> infer_scan(const InferContext& context) {
  if (context.opset() < 9) return unknown_facts(context);
  const BodyGraph body = BodyGraph::of(context.node, "body");
  if (body.graph == nullptr) return unknown_facts(context);
  OCTET_ASSIGN(const auto attributes, ScanAttributes::from(context.node, context.input_count(),
                                                           body.graph->outputs().size()));
  for (size_t i = 0; i < context.input_count(); ++i) {
    if (!context.has_input(i)) return unknown_facts(context);
  }
  std::vector<ir::TensorType> carried;
  for (size_t i = 0; i < attributes.states; ++i) {
    carried.push_back(context.type(i));
    carried.back().quant.reset();
  }
  std::vector<ir::TensorType> slices;
  ir::Dim count;
  for (size_t i = 0; i < attributes.scanned; ++i) {
    const ir::TensorType& type = context.type(attributes.states + i);
    slices.push_back(slice_type(type, attributes.input_axes[i]));
    if (slices.back().shape.has_rank() && !count.is_static()) {
      const auto axis = normalize_axis(attributes.input_axes[i], type.shape.rank());
      count = type.shape[static_cast<size_t>(*axis)];
    }
  }
  const auto inputs = [&slices](const std::vector<ir::TensorType>& states) {
    std::vector<ir::TensorType> out = states;
    out.insert(out.end(), slices.begin(), slices.end());
    return out;
  };
  const Facts after = infer_carried(context, body, carried, 0, inputs);
  std::vector<ir::TensorType> types = carried;
  for (size_t i = attributes.states; i < after.size(); ++i) {
    types.push_back(
        stacked_type(after[i].type, attributes.output_axes[i - attributes.states], count));
  }
  return of_types(context, types);
}

// Axis and direction of each scanned operand, and the number of slices they all have.
struct ScanOperands {
  std::vector<size_t> axes;
  int64_t count = 0;

  static Result<ScanOperands> from(const EvaluateContext& context,
                                   const ScanAttributes& attributes) {
    ScanOperands out;
    for (size_t i = 0; i < attributes.scanned; ++i) {
      const Tensor& tensor = context.input(attributes.states + i);
      OCTET_ASSIGN(const int64_t axis,
                   normalize_axis(attributes.input_axes[i], tensor.rank(), "scan input axis"));
      out.axes.push_back(static_cast<size_t>(axis));
      const int64_t extent = tensor.shape()[out.axes.back()];
      if (i > 0 && extent != out.count) {
        return malformed("scanned operands of ", out.count, " and ", extent, " slices");
      }
      out.count = extent;
    }
    return out;
  }
};

Result<Tensors> evaluate_scan(const EvaluateContext& context) {
  if (context.opset < 9) return evaluate_batched_scan(context);
  for (size_t i = 0; i < context.inputs.size(); ++i) {
    if (!context.has_input(i)) return malformed("input ", i, " is missing");
  }
  OCTET_ASSIGN(Body body, Body::of(context, "body", context.inputs.size(), 0));
  OCTET_ASSIGN(const auto attributes,
               ScanAttributes::from(context.node, context.inputs.size(), body.output_count()));
  OCTET_ASSIGN(const auto operands, ScanOperands::from(context, attributes));
  if (context.node.outputs.size() > body.output_count()) {
    return malformed(context.node.outputs.size(), " outputs, the body gives ", body.output_count());
  }
  Tensors state;
  for (size_t i = 0; i < attributes.states; ++i) state.push_back(context.input(i));
  ChargedBytes state_charge(context.budget);
  std::vector<Stack> stacks;
  for (size_t i = attributes.states; i < body.output_count(); ++i) {
    stacks.emplace_back(context.budget);
  }
  for (int64_t step = 0; step < operands.count; ++step) {
    Tensors inputs = state;
    ChargedBytes slices(context.budget);
    for (size_t i = 0; i < attributes.scanned; ++i) {
      const int64_t at = attributes.input_directions[i] == 1 ? operands.count - 1 - step : step;
      OCTET_ASSIGN(Tensor slice,
                   slice_of(context, context.input(attributes.states + i), operands.axes[i], at));
      slices.adopt(slice);
      inputs.push_back(std::move(slice));
    }
    ChargedBytes charged(context.budget);
    OCTET_ASSIGN(Tensors outputs, body.run(inputs, charged));
    for (size_t i = 0; i < state.size(); ++i) state[i] = std::move(outputs[i]);
    for (size_t i = 0; i < stacks.size(); ++i) {
      OCTET_TRY(stacks[i].push(std::move(outputs[state.size() + i])));
    }
    state_charge = std::move(charged);
  }
  Facts empty(body.output_count());
  if (operands.count == 0) {
    std::vector<ir::TensorType> types;
    for (const Tensor& tensor : state) types.push_back(tensor.type());
    for (size_t i = 0; i < attributes.scanned; ++i) {
      types.push_back(
          slice_type(context.input(attributes.states + i).type(), attributes.input_axes[i]));
    }
    empty = infer_body(context, body.graph(), types);
  }
  for (size_t i = 0; i < stacks.size(); ++i) {
    OCTET_ASSIGN(
        Tensor out,
        stacks[i].stacked(context, empty[attributes.states + i].type, attributes.output_axes[i],
                          attributes.output_directions[i] == 1 ? StackOrder::kLastInFront
                                                               : StackOrder::kFirstInFront));
    state.push_back(std::move(out));
  }
  return state;
}

}  // namespace

OpSchema Scan_schema() {
  return {.name = "Scan",
          .since = 8,
          .roles = {Role::kData},
          .required = 0,
          .max_inputs = SIZE_MAX,
          .infer = infer_scan,
          .evaluate = evaluate_scan};
}

}  // namespace octet::ops
