#include "backends/lowering/matmul_to_gemm.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "compiler/ir/patch.h"
#include "compiler/ops/schema.h"

namespace octet::backends {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::Patch;
using ir::Tensor;
using ir::ValueId;

namespace {

struct Match {
  ValueId data;
  ValueId weight;
  ValueId bias;     // of rank 1
  ValueId product;  // result of the Add
  std::string name;
};

bool is_dequantized_constant(const Graph& graph, ValueId id, ir::DType storage) {
  const NodeId producer = graph.value(id).producer;
  if (!producer.valid() || !graph.node(producer).is("DequantizeLinear")) return false;
  const Tensor* tensor = graph.constant(graph.node(producer).input(0));
  return tensor != nullptr && tensor->dtype() == storage;
}

std::optional<Match> match_at(const Graph& graph, NodeId id) {
  const Node& matmul = graph.node(id);
  if (!matmul.is("MatMul") || !graph.has_single_use(matmul.output())) return std::nullopt;
  const ir::Shape& data = graph.value(matmul.input(0)).type.shape;
  const ir::Shape& weight = graph.value(matmul.input(1)).type.shape;
  if (!data.has_rank() || data.rank() < 2 || !weight.has_rank() || weight.rank() != 2 ||
      !weight.is_static()) {
    return std::nullopt;
  }
  const Node& add = graph.node(graph.uses(matmul.output()).front().node);
  if (!add.is("Add")) return std::nullopt;
  const ValueId bias = add.input(0) == matmul.output() ? add.input(1) : add.input(0);
  if (!is_dequantized_constant(graph, bias, ir::DType::kInt32) ||
      !is_dequantized_constant(graph, matmul.input(1), ir::DType::kInt8)) {
    return std::nullopt;
  }
  return Match{matmul.input(0), matmul.input(1), bias, add.output(), matmul.name};
}

// What a value was quantized from, where it is a dequantized activation: a dequantize node has one
// reader, so the shape is asked of the float value.
ValueId float_source(const Graph& graph, ValueId id) {
  const NodeId dequantize = graph.value(id).producer;
  if (!dequantize.valid() || !graph.node(dequantize).is("DequantizeLinear")) return id;
  const NodeId quantize = graph.value(graph.node(dequantize).input(0)).producer;
  if (!quantize.valid() || !graph.node(quantize).is("QuantizeLinear")) {
    return graph.node(dequantize).input(0);
  }
  return graph.node(quantize).input(0);
}

// The shape of the result as an operand of Reshape: a constant where at most one extent is open,
// taken from the data otherwise.
Result<ValueId> result_shape(const Graph& graph, Patch& patch, const Match& match,
                             int64_t columns) {
  const ir::Shape shape = patch.value(match.data).type.shape;
  const auto leading = static_cast<int64_t>(shape.rank()) - 1;
  std::vector<int64_t> extents;
  for (int64_t i = 0; i < leading; ++i) {
    const ir::Dim& dim = shape[static_cast<size_t>(i)];
    extents.push_back(dim.is_static() ? dim.extent() : -1);
  }
  const auto vector = [&](std::vector<int64_t> values, const std::string& hint) {
    const auto size = static_cast<int64_t>(values.size());
    return patch.constant(Tensor::of<int64_t>({size}, values), match.name + hint);
  };
  if (std::count(extents.begin(), extents.end(), -1) <= 1) {
    extents.push_back(columns);
    return vector(std::move(extents), "_shape");
  }
  OCTET_ASSIGN(const ValueId whole, patch.node({"Shape", {float_source(graph, match.data)}}));
  OCTET_ASSIGN(const ValueId front,
               patch.node({"Slice", {whole, vector({0}, "_starts"), vector({leading}, "_ends")}}));
  return patch.node({"Concat",
                     {front, vector({columns}, "_columns")},
                     {{"axis", int64_t{0}}},
                     match.name + "_shape"});
}

Status rewrite(Graph& graph, const Match& match) {
  Patch patch(graph, ops::infer_node);
  const ir::Shape weight = graph.value(match.weight).type.shape;
  const int64_t rows = weight[0].extent();
  const int64_t columns = weight[1].extent();
  const bool flat = graph.value(match.data).type.shape.rank() == 2;
  ValueId data = match.data;
  if (!flat) {
    const ValueId shape =
        patch.constant(Tensor::of<int64_t>({2}, {-1, rows}), match.name + "_flat_shape");
    OCTET_ASSIGN(data, patch.node({"Reshape", {data, shape}, {}, match.name + "_flatten"}));
  }
  OCTET_ASSIGN(ValueId result,
               patch.node({"Gemm", {data, match.weight, match.bias}, {}, match.name}));
  if (!flat) {
    OCTET_ASSIGN(const ValueId shape, result_shape(graph, patch, match, columns));
    OCTET_ASSIGN(result, patch.node({"Reshape", {result, shape}, {}, match.name + "_unflatten"}));
  }
  OCTET_TRY(patch.replace(match.product, result));
  return std::move(patch).apply(graph);
}

}  // namespace

Status lower_matmul_to_gemm(Graph& graph) {
  const std::vector<NodeId> order = graph.order();
  for (NodeId id : order) {
    if (!graph.node(id).alive) continue;
    if (const auto match = match_at(graph, id)) OCTET_TRY(rewrite(graph, *match));
  }
  return {};
}

}  // namespace octet::backends
