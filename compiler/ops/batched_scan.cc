// Scan of opset 8: operands [batch, steps, ...], an optional first operand with the number of steps
// of each sample. onnx/docs/Changelog.md, Scan-8.
#include <algorithm>
#include <cstring>

#include "compiler/ops/control_flow.h"
#include "compiler/ops/strided.h"

namespace octet::ops {
namespace {

struct BatchedScan {
  size_t states = 0;
  size_t scanned = 0;
  std::vector<int64_t> directions;
  int64_t batch = 0;
  int64_t steps = 0;
  std::vector<int64_t> lengths;  // by sample

  static Result<BatchedScan> from(const EvaluateContext& context) {
    BatchedScan out;
    const size_t operands = std::max<size_t>(1, context.inputs.size()) - 1;
    const int64_t scanned = ir::int_attribute(context.node, "num_scan_inputs", 0);
    if (scanned < 1 || scanned > static_cast<int64_t>(operands)) {
      return malformed("attribute num_scan_inputs is ", scanned, " of ", operands, " inputs");
    }
    out.scanned = static_cast<size_t>(scanned);
    out.states = operands - out.scanned;
    out.directions =
        ir::ints_attribute(context.node, "directions", std::vector<int64_t>(out.scanned, 0));
    if (out.directions.size() != out.scanned) {
      return malformed("attribute directions: ", out.directions.size(), " numbers");
    }
    for (size_t i = 1; i <= operands; ++i) {
      if (!context.has_input(i)) return malformed("input ", i, " is missing");
      const std::vector<int64_t>& shape = context.input(i).shape();
      const bool is_scanned = i > out.states;
      if (shape.size() < (is_scanned ? 2U : 1U)) return malformed("input ", i, ": no batch axis");
      if (i == 1) out.batch = shape[0];
      if (i == 1 + out.states) out.steps = shape[1];
      if (shape[0] != out.batch || (is_scanned && shape[1] != out.steps)) {
        return malformed("input ", i, ": ", context.input(i).type().to_string(), " for ", out.batch,
                         " samples of ", out.steps, " steps");
      }
    }
    out.lengths.assign(static_cast<size_t>(out.batch), out.steps);
    if (!context.has_input(0)) return out;
    const Tensor& lengths = context.input(0);
    if (lengths.dtype() != DType::kInt64 || lengths.shape() != std::vector<int64_t>{out.batch}) {
      return malformed("input 0: ", lengths.type().to_string(), " for ", out.batch, " samples");
    }
    out.lengths = lengths.to_int64s();
    for (int64_t length : out.lengths) {
      if (length < 0 || length > out.steps) {
        return malformed("input 0: a length of ", length, " for ", out.steps, " steps");
      }
    }
    return out;
  }
};

// The first elements of a zero-filled tensor with `steps` in front of the shape.
Result<Tensor> padded(const EvaluateContext& context, const Tensor& tensor, int64_t steps) {
  std::vector<int64_t> shape = tensor.shape();
  if (shape[0] == steps) return tensor;
  shape[0] = steps;
  OCTET_ASSIGN(Tensor out, context.allocate(tensor.dtype(), shape));
  if (tensor.element_count() > 0) {
    std::memcpy(writable_bytes(out), tensor.bytes().data(), tensor.bytes().size());
  }
  return out;
}

// One sample: final states, then stacked outputs of all steps.
Result<Tensors> run_sample(const EvaluateContext& context, const BatchedScan& scan, Body& body,
                           int64_t sample) {
  Tensors state;
  for (size_t i = 0; i < scan.states; ++i) {
    OCTET_ASSIGN(Tensor slice, slice_of(context, context.input(1 + i), 0, sample));
    state.push_back(std::move(slice));
  }
  Tensors sequences;
  for (size_t i = 0; i < scan.scanned; ++i) {
    OCTET_ASSIGN(Tensor slice, slice_of(context, context.input(1 + scan.states + i), 0, sample));
    sequences.push_back(std::move(slice));
  }
  std::vector<Stack> stacks;
  for (size_t i = scan.states; i < body.output_count(); ++i) stacks.emplace_back(context.budget);
  ChargedBytes state_charge(context.budget);
  const int64_t length = scan.lengths[static_cast<size_t>(sample)];
  for (int64_t step = 0; step < length; ++step) {
    Tensors inputs = state;
    ChargedBytes slices(context.budget);
    for (size_t i = 0; i < scan.scanned; ++i) {
      const int64_t at = scan.directions[i] == 1 ? length - 1 - step : step;
      OCTET_ASSIGN(Tensor slice, slice_of(context, sequences[i], 0, at));
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
  for (const Stack& stack : stacks) {
    if (stack.empty()) return unsupported("a sample without steps");
    OCTET_ASSIGN(Tensor all, stack.stacked(context, {}, 0, StackOrder::kFirstInFront));
    OCTET_ASSIGN(Tensor whole, padded(context, all, scan.steps));
    state.push_back(std::move(whole));
  }
  return state;
}

}  // namespace

Result<Tensors> evaluate_batched_scan(const EvaluateContext& context) {
  OCTET_ASSIGN(const BatchedScan scan, BatchedScan::from(context));
  OCTET_ASSIGN(Body body, Body::of(context, "body", scan.states + scan.scanned,
                                   std::max(scan.states, context.node.outputs.size())));
  std::vector<Stack> samples;
  for (size_t i = 0; i < body.output_count(); ++i) samples.emplace_back(context.budget);
  for (int64_t sample = 0; sample < scan.batch; ++sample) {
    OCTET_ASSIGN(Tensors outputs, run_sample(context, scan, body, sample));
    for (size_t i = 0; i < outputs.size(); ++i) OCTET_TRY(samples[i].push(std::move(outputs[i])));
  }
  Tensors out;
  for (const Stack& stack : samples) {
    OCTET_ASSIGN(Tensor all, stack.stacked(context, {}, 0, StackOrder::kFirstInFront));
    out.push_back(std::move(all));
  }
  return out;
}

}  // namespace octet::ops
