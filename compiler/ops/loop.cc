// Loop (ai.onnx 7 and on): a body run while a condition holds, at most so many times.
// onnx/docs/Operators.md, Loop.
#include <algorithm>

#include "compiler/ops/control_flow.h"

namespace octet::ops {
namespace {

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
  Facts empty(body.output_count());
  if (!stacks.empty() && stacks[0].empty()) {
    std::vector<ir::TensorType> types;
    for (const Tensor& tensor : state) types.push_back(tensor.type());
    empty = infer_body(context, body.graph(), loop_inputs(types));
  }
  for (size_t i = 0; i < stacks.size(); ++i) {
    OCTET_ASSIGN(Tensor out, stacks[i].stacked(context, empty[1 + carried_count + i].type, 0,
                                               StackOrder::kFirstInFront));
    state.push_back(std::move(out));
  }
  return state;
}

}  // namespace

OpSchema Loop_schema() {
  return {.name = "Loop",
          .roles = {Role::kShape, Role::kShape, Role::kData},
          .required = 0,
          .max_inputs = SIZE_MAX,
          .infer = infer_loop,
          .evaluate = evaluate_loop};
}

}  // namespace octet::ops
