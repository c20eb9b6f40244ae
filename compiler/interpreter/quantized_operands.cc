#include "compiler/interpreter/quantized_operands.h"

#include <algorithm>
#include <memory>

#include "compiler/numerics/quantize.h"

namespace octet::interpreter {

using ir::DType;
using ir::Node;
using ir::NodeId;
using ir::Tensor;
using ir::ValueId;

bool is_byte(DType dtype) { return dtype == DType::kInt8 || dtype == DType::kUint8; }

Result<std::optional<Quantized>> QuantizedOperands::parameters(const Node& node, DType dtype) {
  const Tensor* scale = graph_.constant(node.input(1));
  const bool blocked = ir::int_attribute(node, "block_size", 0) != 0;
  if (scale == nullptr || scale->dtype() != DType::kFloat32 || scale->element_count() == 0 ||
      blocked) {
    return std::optional<Quantized>();
  }
  Quantized out;
  out.dtype = dtype;
  out.scale = node.inputs[1];
  out.scales = scale->to_floats();
  out.axis = ir::int_attribute(node, "axis", 1);
  if (node.input(2).valid()) {
    const Tensor* zero_point = graph_.constant(node.input(2));
    if (zero_point == nullptr || zero_point->element_count() != scale->element_count()) {
      return std::optional<Quantized>();
    }
    out.zero_point = node.inputs[2];
    out.zero_points = zero_point->to_int64s();
  } else {
    out.zero_points.assign(out.scales.size(), 0);
    OCTET_ASSIGN(Tensor zeros, Tensor::zeros(dtype, scale->shape()));
    OCTET_ASSIGN(out.zero_point, constant(std::move(zeros), "zero_point"));
  }
  return std::optional<Quantized>(std::move(out));
}

Result<std::optional<Quantized>> QuantizedOperands::dequantized(ValueId id) {
  const NodeId producer = id.valid() ? graph_.value(id).producer : NodeId();
  if (!producer.valid() || !graph_.node(producer).is("DequantizeLinear")) {
    return std::optional<Quantized>();
  }
  const Node node = graph_.node(producer);
  const ValueId integers = node.inputs[0];
  OCTET_ASSIGN(auto out, parameters(node, graph_.value(integers).type.storage));
  if (out) out->integers = integers;
  return out;
}

Result<std::optional<Quantized>> QuantizedOperands::activation(ValueId id) {
  std::vector<NodeId> shapers;  // the last one first
  ValueId source = id;
  for (NodeId node = shaper_of(id); node.valid(); node = shaper_of(source)) {
    shapers.push_back(node);
    source = graph_.node(node).inputs[0];
  }
  OCTET_ASSIGN(auto out, dequantized(source));
  if (out && (!out->per_tensor() || !is_byte(out->dtype))) out.reset();
  for (size_t i = shapers.size(); out && i-- > 0;) {
    OCTET_ASSIGN(out->integers, shaped(shapers[i], out->integers));
  }
  return out;
}

// The node that gives a value another shape and nothing else [I1].
NodeId QuantizedOperands::shaper_of(ValueId id) const {
  const NodeId producer = id.valid() ? graph_.value(id).producer : NodeId();
  if (!producer.valid()) return {};
  const Node& node = graph_.node(producer);
  const bool shapes =
      node.is("Reshape") || node.is("Flatten") || node.is("Squeeze") || node.is("Unsqueeze");
  return shapes && node.inputs[0].valid() ? producer : NodeId();
}

// The node again, over integers; once for all who ask.
Result<ValueId> QuantizedOperands::shaped(NodeId id, ValueId integers) {
  const auto at = shaped_.find({id, integers});
  if (at != shaped_.end()) return at->second;
  Node node = graph_.node(id);
  const ir::Value& old = graph_.value(node.output());
  const ir::TensorType type{graph_.value(integers).type.storage, old.type.shape, std::nullopt};
  OCTET_ASSIGN(const ValueId output, graph_.add_value(graph_.unique_value_name(old.name), type));
  node.inputs[0] = integers;
  node.outputs = {output};
  graph_.add_node(std::move(node), id);
  shaped_[{id, integers}] = output;
  return output;
}

Result<std::optional<Quantized>> QuantizedOperands::weight(ValueId id, int64_t axis) {
  OCTET_ASSIGN(auto out, dequantized(id));
  if (!out || !is_byte(out->dtype) || graph_.constant(out->integers) == nullptr) {
    return std::optional<Quantized>();
  }
  const Tensor& integers = *graph_.constant(out->integers);
  const auto rank = static_cast<int64_t>(integers.rank());
  const int64_t given = out->axis < 0 ? out->axis + rank : out->axis;
  const bool fits = out->per_tensor() || (given == axis && axis < rank &&
                                          integers.shape()[static_cast<size_t>(axis)] ==
                                              static_cast<int64_t>(out->scales.size()));
  const bool one_zero_point = std::all_of(out->zero_points.begin(), out->zero_points.end(),
                                          [&](int64_t z) { return z == out->zero_points.front(); });
  if (!fits || !one_zero_point) out.reset();
  return out;
}

Result<std::optional<Quantized>> QuantizedOperands::matmul_factor(ValueId id) {
  const ir::Shape& shape = graph_.value(id).type.shape;
  if (!shape.has_rank() || shape.rank() < 2) return std::optional<Quantized>();
  OCTET_ASSIGN(auto out, weight(id, static_cast<int64_t>(shape.rank()) - 1));
  if (out && !out->per_tensor() && shape.rank() != 2) out.reset();
  if (!out) return activation(id);
  return out;
}

Result<std::optional<ValueId>> QuantizedOperands::integer_bias(ValueId id, const Quantized& x,
                                                               const Quantized& w) {
  std::vector<float> scales;
  for (float w_scale : w.scales) scales.push_back(x.scales.front() * w_scale);
  OCTET_ASSIGN(const auto given, dequantized(id));
  if (given) {
    const bool zero = std::all_of(given->zero_points.begin(), given->zero_points.end(),
                                  [](int64_t z) { return z == 0; });
    const bool same = given->dtype == DType::kInt32 && given->scales == scales && zero &&
                      graph_.value(given->integers).type.shape.rank() == 1;
    return same ? std::optional(given->integers) : std::optional<ValueId>();
  }
  const Tensor* real = graph_.constant(id);
  if (real == nullptr || real->dtype() != DType::kFloat32 || real->rank() != 1 ||
      (scales.size() != 1 && static_cast<int64_t>(scales.size()) != real->element_count())) {
    return std::optional<ValueId>();
  }
  std::vector<int32_t> integers;
  for (float value : real->to_floats()) {
    const float scale = scales[scales.size() == 1 ? 0 : integers.size()];
    integers.push_back(numerics::quantize(value, scale, 0, INT32_MIN, INT32_MAX));
  }
  OCTET_ASSIGN(const ValueId out,
               constant(Tensor::of<int32_t>(real->shape(), integers), graph_.value(id).name));
  return std::optional(out);
}

Result<ValueId> QuantizedOperands::constant(Tensor tensor, const std::string& hint) {
  return graph_.add_constant(graph_.unique_value_name(hint),
                             std::make_shared<const Tensor>(std::move(tensor)));
}

}  // namespace octet::interpreter
