// If (ai.onnx 7 and on), and what it shares with Loop and Scan. onnx/docs/Operators.md, If.
#include "compiler/ops/control_flow.h"

#include <algorithm>
#include <cstring>

#include "compiler/ops/strided.h"

namespace octet::ops {

Result<bool> condition(const Tensor& tensor, std::string_view what) {
  if (tensor.dtype() != DType::kBool || tensor.element_count() != 1) {
    return malformed(what, ": ", tensor.type().to_string(), ", must be one bool");
  }
  return tensor.at_as_int64(0) != 0;
}

Facts of_types(const InferContext& context, std::span<const ir::TensorType> types) {
  Facts out = unknown_facts(context);
  for (size_t i = 0; i < out.size() && i < types.size(); ++i) out[i].type = types[i];
  return out;
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

Status Stack::push(Tensor tensor) {
  if (!parts_.empty() &&
      (tensor.dtype() != parts_[0].dtype() || tensor.shape() != parts_[0].shape())) {
    return malformed("a scan output is ", parts_[0].type().to_string(), " and then ",
                     tensor.type().to_string());
  }
  OCTET_TRY(charged_.charge(static_cast<int64_t>(tensor.bytes().size())));
  parts_.push_back(std::move(tensor));
  return {};
}

Result<Tensor> Stack::stacked(const EvaluateContext& context, const ir::TensorType& empty,
                              int64_t signed_axis, StackOrder order) const {
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
    const int64_t at = order == StackOrder::kLastInFront ? count - 1 - i : i;
    for (int64_t o = 0; o < outer; ++o) {
      std::memcpy(writable_bytes(out) + static_cast<size_t>(o * count + at) * run,
                  from + static_cast<size_t>(o) * run, run);
    }
  }
  return out;
}

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

namespace {

std::vector<ir::TensorType> types_of(const Facts& facts) {
  std::vector<ir::TensorType> out;
  for (const ir::ValueFacts& f : facts) out.push_back(f.type);
  return out;
}

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

}  // namespace

OpSchema If_schema() {
  return {.name = "If", .roles = {Role::kShape}, .infer = infer_if, .evaluate = evaluate_if};
}

}  // namespace octet::ops
