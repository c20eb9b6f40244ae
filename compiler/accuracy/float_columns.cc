#include "compiler/accuracy/float_columns.h"

namespace octet::accuracy {

using ir::Graph;
using ir::Tensor;
using ir::ValueId;

FloatColumns::FloatColumns(const Graph& graph, const std::vector<Layer>& layers,
                           const std::vector<size_t>& samples)
    : graph_(graph), layers_(layers) {
  for (size_t i = 0; i < samples.size(); ++i) place_[samples[i]] = i;
  for (size_t i = 0; i < layers.size(); ++i) layers_of_[layers[i].x].push_back(i);
  sums_.assign(layers.size(), std::vector<ColumnSums>(samples.size()));
}

Status FloatColumns::observe(size_t sample, ValueId value, const Tensor& tensor) {
  const auto place = place_.find(sample);
  const auto found = layers_of_.find(value);
  if (place == place_.end() || found == layers_of_.end()) return {};
  for (size_t index : found->second) {
    const Layer& layer = layers_[index];
    OCTET_ASSIGN(const ColumnReader reader,
                 ColumnReader::make(graph_.node(layer.node), layer.layout, tensor.shape(),
                                    graph_.constant(layer.weight)->shape()));
    OCTET_ASSIGN(sums_[index][place->second], column_sums(reader, tensor, place->second));
  }
  return {};
}

ColumnSums FloatColumns::total(size_t layer, size_t count) const {
  ColumnSums out;
  for (size_t i = 0; i < count && i < sums_[layer].size(); ++i) add(sums_[layer][i], out);
  return out;
}

std::set<ValueId> FloatColumns::values() const {
  std::set<ValueId> out;
  for (const auto& [value, layers] : layers_of_) out.insert(value);
  return out;
}

}  // namespace octet::accuracy
