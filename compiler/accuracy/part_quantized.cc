#include "compiler/accuracy/part_quantized.h"

#include <algorithm>

#include "compiler/base/names.h"
#include "compiler/numerics/quantize.h"
#include "compiler/plan/apply.h"

namespace octet::accuracy {

using ir::Graph;
using ir::NodeId;
using ir::Tensor;
using ir::ValueId;

Tensor dequantized(const Tensor& integers, const ir::QuantParams& params) {
  size_t inner = 1;
  if (!params.per_tensor()) {
    for (size_t a = static_cast<size_t>(params.axis()) + 1; a < integers.rank(); ++a) {
      inner *= static_cast<size_t>(integers.shape()[a]);
    }
  }
  std::vector<float> out(static_cast<size_t>(integers.element_count()));
  const size_t channels = params.scales().size();
  for (size_t i = 0; i < out.size(); ++i) {
    const size_t c = params.per_tensor() ? 0 : i / inner % channels;
    const auto q = static_cast<int32_t>(integers.at_as_int64(static_cast<int64_t>(i)));
    out[i] = numerics::dequantize(q, params.scales()[c], params.zero_points()[c]);
  }
  return Tensor::of<float>(integers.shape(), out);
}

Result<std::optional<Tensor>> numbers_on_grid(const Tensor& real,
                                              const plan::ConstantQuantizer& quantizer) {
  if (quantizer.params.granularity() == ir::Granularity::kBlocked ||
      real.dtype() != ir::DType::kFloat32) {
    return std::optional<Tensor>();
  }
  if (quantizer.integers) {
    return std::optional<Tensor>(
        dequantized(quantizer.integers->reshaped(real.shape()), quantizer.params));
  }
  OCTET_ASSIGN(const Tensor integers, plan::quantize_constant(real, quantizer.params));
  return std::optional<Tensor>(dequantized(integers, quantizer.params));
}

PartQuantized::PartQuantized(const Graph& real) : real_(real) {
  for (const NodeId id : real.order()) {
    const ValueId output = real.node(id).output();
    if (output.valid()) node_of_.emplace(real.value(output).name, id);
  }
}

NodeId PartQuantized::node_of(const std::string& output) const {
  const auto it = node_of_.find(output);
  return it == node_of_.end() ? NodeId() : it->second;
}

Status PartQuantized::put(Graph& graph, const plan::ActivationQuantizer& quantizer) const {
  const ValueId value = graph.find_value(quantizer.value);
  if (!value.valid()) return internal_error("no value ", quote_name(quantizer.value));
  const ir::QuantParams& params = quantizer.params;
  const std::vector<int64_t> shape =
      params.per_tensor() ? std::vector<int64_t>{}
                          : std::vector<int64_t>{static_cast<int64_t>(params.scales().size())};
  OCTET_ASSIGN(Tensor zero_points, Tensor::zeros(params.storage(), shape));
  for (size_t i = 0; i < params.zero_points().size(); ++i) {
    zero_points.set_from_int64(static_cast<int64_t>(i), params.zero_points()[i]);
  }
  const auto fresh = [&](const std::string& ending) {
    return graph.unique_value_name(quantizer.value + ending);
  };
  OCTET_ASSIGN(const ValueId scale,
               graph.add_constant(fresh("_scale"), std::make_shared<const Tensor>(
                                                       Tensor::of<float>(shape, params.scales()))));
  OCTET_ASSIGN(
      const ValueId zero,
      graph.add_constant(fresh("_zero"), std::make_shared<const Tensor>(std::move(zero_points))));
  const ir::TensorType type = graph.value(value).type;
  ir::TensorType stored = type;
  stored.storage = params.storage();
  OCTET_ASSIGN(const ValueId integers, graph.add_value(fresh("_integers"), stored));
  OCTET_ASSIGN(const ValueId again, graph.add_value(fresh("_rounded"), type));
  ir::Node quantize;
  quantize.op_type = "QuantizeLinear";
  quantize.inputs = {value, scale, zero};
  quantize.outputs = {integers};
  if (!params.per_tensor()) quantize.attributes = {{"axis", params.axis()}};
  quantize.origins = {quantizer.value};
  ir::Node dequantize = quantize;
  dequantize.op_type = "DequantizeLinear";
  dequantize.inputs = {integers, scale, zero};
  dequantize.outputs = {again};
  const NodeId first = graph.add_node(std::move(quantize));
  graph.add_node(std::move(dequantize));
  if (quantizer.readers == plan::Readers::kAll) {
    graph.replace_uses(value, again, first);
  } else {
    for (const plan::Operand& operand : quantizer.operands) {
      const NodeId node = node_of(operand.node_output);
      const auto index = static_cast<size_t>(operand.input);
      if (!node.valid() || graph.node(node).input(index) != value) continue;
      graph.set_input(node, index, again);
    }
  }
  return graph.sort();
}

Status PartQuantized::put(Graph& graph, const std::string& constant, Tensor numbers) const {
  const ValueId id = graph.find_value(constant);
  if (graph.constant(id) == nullptr) return internal_error("no constant ", quote_name(constant));
  graph.set_constant(id, std::make_shared<const Tensor>(std::move(numbers)));
  return {};
}

}  // namespace octet::accuracy
