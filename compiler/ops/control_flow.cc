// If, Loop and Scan (ai.onnx 7, 11, 9 and on): nodes with bodies, run node by node.
// onnx/docs/Operators.md, by these names.
#include <algorithm>
#include <cstring>
#include <optional>

#include "compiler/base/checked.h"
#include "compiler/ops/body.h"
#include "compiler/ops/strided.h"

namespace octet::ops {
namespace {

Result<bool> condition(const Tensor& tensor, std::string_view what) {
  if (tensor.dtype() != DType::kBool || tensor.element_count() != 1) {
    return malformed(what, ": ", tensor.type().to_string(), ", must be one bool");
  }
  return tensor.at_as_int64(0) != 0;
}

// The rest of an inference of which nothing can be told.
Facts of_types(const InferContext& context, std::span<const ir::TensorType> types) {
  Facts out = unknown_facts(context);
  for (size_t i = 0; i < out.size() && i < types.size(); ++i) out[i].type = types[i];
  return out;
}

std::vector<ir::TensorType> types_of(const Facts& facts) {
  std::vector<ir::TensorType> out;
  for (const ir::ValueFacts& f : facts) out.push_back(f.type);
  return out;
}

// If.

Result<Facts> infer_if(const InferContext& context) {
  const BodyGraph then_body = BodyGraph::of(context.node, "then_branch");
  const BodyGraph else_body = BodyGraph::of(context.node, "else_branch");
  if (then_body.graph == nullptr || else_body.graph == nullptr) return unknown_facts(context);
  if (const Tensor* constant = context.constant(0)) {
    OCTET_ASSIGN(const bool taken, condition(*constant, "input 0"));
    return of_types(context, types_of(infer_body(context, taken ? then_body : else_body, {})));
  }
  const auto a = types_of(infer_body(context, then_body, {}));
  const auto b = types_of(infer_body(context, else_body, {}));
  std::vector<ir::TensorType> joined;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    joined.push_back(join_types(a[i], b[i]));
  }
  return of_types(context, joined);
}

Result<Tensors> evaluate_if(const EvaluateContext& context) {
  OCTET_ASSIGN(const bool taken, condition(context.input(0), "input 0"));
  OCTET_ASSIGN(Body body, Body::of(context, taken ? "then_branch" : "else_branch", 0,
                                   context.node.outputs.size()));
  ChargedBytes charged(context.budget);
  return body.run({}, charged);
}

// What bodies give once per run, stacked along a new axis in the end.
class Stack {
 public:
  explicit Stack(MemoryBudget* budget) : charged_(budget) {}

  Status push(Tensor tensor) {
    if (!parts_.empty() && (tensor.dtype() != parts_[0].dtype() ||
                            tensor.shape() != parts_[0].shape())) {
      return malformed("a scan output is ", parts_[0].type().to_string(), " and then ",
                       tensor.type().to_string());
    }
    OCTET_TRY(charged_.charge(static_cast<int64_t>(tensor.bytes().size())));
    parts_.push_back(std::move(tensor));
    return {};
  }

  // `empty` is the type of a part when there is none: extents that are not known count as 0.
  Result<Tensor> stacked(const EvaluateContext& context, const ir::TensorType& empty,
                         int64_t signed_axis, bool reverse) {
    DType dtype = empty.storage;
    std::vector<int64_t> shape;
    if (!parts_.empty()) {
      dtype = parts_[0].dtype();
      shape = parts_[0].shape();
    } else {
      if (dtype == DType::kUndefined) return unsupported("a scan output without a known type");
      for (size_t i = 0; empty.shape.has_rank() && i < empty.shape.rank(); ++i) {
        shape.push_back(std::max<int64_t>(0, empty.shape[i].extent()));
      }
    }
    OCTET_ASSIGN(const int64_t axis,
                 normalize_axis(signed_axis, shape.size() + 1, "scan output axis"));
    OCTET_ASSIGN(const size_t width, element_width(dtype));
    const auto count = static_cast<int64_t>(parts_.size());
    std::vector<int64_t> whole = shape;
    whole.insert(whole.begin() + axis, count);
    OCTET_ASSIGN(Tensor out, context.allocate(dtype, std::move(whole)));
    if (out.element_count() == 0) return out;
    int64_t outer = 1;
    for (int64_t a = 0; a < axis; ++a) outer *= shape[static_cast<size_t>(a)];
    const auto run = static_cast<size_t>(parts_[0].element_count() / outer) * width;
    for (int64_t i = 0; i < count; ++i) {
      const std::byte* from = parts_[static_cast<size_t>(i)].bytes().data();
      const int64_t at = reverse ? count - 1 - i : i;
      for (int64_t o = 0; o < outer; ++o) {
        std::memcpy(writable_bytes(out) + static_cast<size_t>(o * count + at) * run,
                    from + static_cast<size_t>(o) * run, run);
      }
    }
    return out;
  }

 private:
  ChargedBytes charged_;
  Tensors parts_;
};

// The types of carried values that a run of the body does not change, or widens no further.
// `types_in` gives the body's input types for carried ones.
template <typename TypesIn>
Facts infer_carried(const InferContext& context, const BodyGraph& body,
                    std::vector<ir::TensorType>& carried, size_t first_output, TypesIn types_in) {
  Facts after;
  for (int round = 0; round < 3; ++round) {
    after = infer_body(context, body, types_in(carried));
    bool stable = true;
    for (size_t i = 0; i < carried.size(); ++i) {
      const size_t at = first_output + i;
      ir::TensorType joined =
          at < after.size() ? join_types(carried[i], after[at].type) : ir::TensorType();
      if (round == 1) joined.shape = joined == carried[i] ? joined.shape : ir::Shape();
      stable = stable && joined == carried[i];
      carried[i] = std::move(joined);
    }
    if (stable) return after;
  }
  for (ir::TensorType& type : carried) type = {};
  return infer_body(context, body, types_in(carried));
}

ir::TensorType stacked_type(const ir::TensorType& part, int64_t signed_axis, const ir::Dim& count) {
  ir::TensorType out;
  out.storage = part.storage;
  if (!part.shape.has_rank()) return out;
  const auto axis = normalize_axis(signed_axis, part.shape.rank() + 1);
  if (!axis.ok()) return out;
  std::vector<ir::Dim> dims = part.shape.dims();
  dims.insert(dims.begin() + *axis, count);
  out.shape = ir::Shape(std::move(dims));
  return out;
}

// Loop.

const ir::TensorType& trip_type() {
  static const ir::TensorType type = {DType::kInt64, ir::Shape(std::vector<ir::Dim>{})};
  return type;
}
std::vector<ir::TensorType> loop_inputs(const std::vector<ir::TensorType>& carried) {
  // The condition that the body gives may have the shape [1]; nothing is said of it.
  std::vector<ir::TensorType> out = {trip_type(), {DType::kBool, ir::Shape()}};
  out.insert(out.end(), carried.begin(), carried.end());
  return out;
}

Result<Facts> infer_loop(const InferContext& context) {
  const BodyGraph body = BodyGraph::of(context.node, "body");
  if (body.graph == nullptr || context.input_count() < 2) return unknown_facts(context);
  std::vector<ir::TensorType> carried;
  for (size_t i = 2; i < context.input_count(); ++i) {
    if (!context.has_input(i)) return unknown_facts(context);
    carried.push_back(context.type(i));
    carried.back().quant.reset();
  }
  const Facts after = infer_carried(context, body, carried, 1, loop_inputs);
  std::vector<ir::TensorType> types = carried;
  for (size_t i = 1 + carried.size(); i < after.size(); ++i) {
    types.push_back(stacked_type(after[i].type, 0, ir::Dim()));
  }
  return of_types(context, types);
}

// Runs of the body at most, and whether there is a first one.
struct LoopStart {
  int64_t trips = INT64_MAX;
  bool go = true;

  static Result<LoopStart> from(const EvaluateContext& context) {
    LoopStart out;
    if (context.has_input(0)) {
      const Tensor& trips = context.input(0);
      if (trips.dtype() != DType::kInt64 || trips.element_count() != 1) {
        return malformed("input 0: ", trips.type().to_string(), ", must be one int64");
      }
      out.trips = trips.at_as_int64(0);
    }
    if (context.has_input(1)) {
      OCTET_ASSIGN(out.go, condition(context.input(1), "input 1"));
    }
    return out;
  }
};

Result<Tensors> evaluate_loop(const EvaluateContext& context) {
  OCTET_ASSIGN(LoopStart loop, LoopStart::from(context));
  const size_t given = std::max<size_t>(2, context.inputs.size());
  const size_t carried_count = given - 2;
  OCTET_ASSIGN(Body body, Body::of(context, "body", given, 1 + carried_count));
  if (context.node.outputs.size() + 1 > body.output_count()) {
    return malformed(context.node.outputs.size(), " outputs, the body gives ",
                     body.output_count() - 1);
  }
  Tensors state;
  for (size_t i = 2; i < given; ++i) {
    if (!context.has_input(i)) return unsupported("input ", i, ": a carried value that is absent");
    state.push_back(context.input(i));
  }
  ChargedBytes state_charge(context.budget);
  std::vector<Stack> stacks;
  for (size_t i = 1 + carried_count; i < body.output_count(); ++i) {
    stacks.emplace_back(context.budget);
  }
  for (int64_t trip = 0; trip < loop.trips && loop.go; ++trip) {
    Tensors inputs = {Tensor::scalar<int64_t>(trip), Tensor::scalar<bool>(true)};
    inputs.insert(inputs.end(), state.begin(), state.end());
    ChargedBytes charged(context.budget);
    OCTET_ASSIGN(Tensors outputs, body.run(inputs, charged));
    OCTET_ASSIGN(loop.go, condition(outputs[0], "the condition of the body"));
    for (size_t i = 0; i < carried_count; ++i) state[i] = std::move(outputs[1 + i]);
    for (size_t i = 0; i < stacks.size(); ++i) {
      OCTET_TRY(stacks[i].push(std::move(outputs[1 + carried_count + i])));
    }
    state_charge = std::move(charged);
  }
  Facts empty;
  if (!stacks.empty()) {
    std::vector<ir::TensorType> types;
    for (const Tensor& tensor : state) types.push_back(tensor.type());
    empty = infer_body(context, body.graph(), loop_inputs(types));
  }
  for (size_t i = 0; i < stacks.size(); ++i) {
    OCTET_ASSIGN(Tensor out,
                 stacks[i].stacked(context, empty[1 + carried_count + i].type, 0, false));
    state.push_back(std::move(out));
  }
  return state;
}

// Scan.

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
  const BodyGraph body = BodyGraph::of(context.node, "body");
  if (body.graph == nullptr) return unknown_facts(context);
  OCTET_ASSIGN(const auto attributes,
               ScanAttributes::from(context.node, context.input_count(),
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

// Slice `index` of a tensor along an axis, without that axis.
Result<Tensor> slice_of(const EvaluateContext& context, const Tensor& tensor, size_t axis,
                        int64_t index) {
  OCTET_ASSIGN(const size_t width, element_width(tensor.dtype()));
  std::vector<int64_t> shape = tensor.shape();
  const int64_t extent = shape[axis];
  shape.erase(shape.begin() + static_cast<int64_t>(axis));
  OCTET_ASSIGN(Tensor out, context.allocate(tensor.dtype(), shape));
  if (out.element_count() == 0) return out;
  int64_t outer = 1;
  for (size_t a = 0; a < axis; ++a) outer *= shape[a];
  const auto run = static_cast<size_t>(out.element_count() / outer) * width;
  for (int64_t o = 0; o < outer; ++o) {
    std::memcpy(writable_bytes(out) + static_cast<size_t>(o) * run,
                tensor.bytes().data() + static_cast<size_t>(o * extent + index) * run, run);
  }
  return out;
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
      OCTET_ASSIGN(const int64_t axis, normalize_axis(attributes.input_axes[i], tensor.rank(),
                                                      "scan input axis"));
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
  for (size_t i = 0; i < context.inputs.size(); ++i) {
    if (!context.has_input(i)) return malformed("input ", i, " is missing");
  }
  OCTET_ASSIGN(Body body, Body::of(context, "body", context.inputs.size(), 0));
  OCTET_ASSIGN(const auto attributes, ScanAttributes::from(context.node, context.inputs.size(),
                                                           body.output_count()));
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
      OCTET_ASSIGN(Tensor slice, slice_of(context, context.input(attributes.states + i),
                                          operands.axes[i], at));
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
  std::vector<ir::TensorType> types;
  for (const Tensor& tensor : state) types.push_back(tensor.type());
  for (size_t i = 0; i < attributes.scanned; ++i) {
    types.push_back(slice_type(context.input(attributes.states + i).type(),
                               attributes.input_axes[i]));
  }
  const Facts empty = infer_body(context, body.graph(), types);
  for (size_t i = 0; i < stacks.size(); ++i) {
    OCTET_ASSIGN(Tensor out, stacks[i].stacked(context, empty[attributes.states + i].type,
                                               attributes.output_axes[i],
                                               attributes.output_directions[i] == 1));
    state.push_back(std::move(out));
  }
  return state;
}

}  // namespace

OpSchema If_schema() {
  return {.name = "If",
          .roles = {Role::kShape},
          .infer = infer_if,
          .evaluate = evaluate_if};
}

OpSchema Loop_schema() {
  return {.name = "Loop",
          .roles = {Role::kShape, Role::kShape, Role::kData},
          .required = 0,
          .max_inputs = SIZE_MAX,
          .infer = infer_loop,
          .evaluate = evaluate_loop};
}

OpSchema Scan_schema() {
  return {.name = "Scan",
          .since = 9,
          .roles = {Role::kData},
          .max_inputs = SIZE_MAX,
          .infer = infer_scan,
          .evaluate = evaluate_scan};
}

}  // namespace octet::ops
