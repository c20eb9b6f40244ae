#include "compiler/accuracy/float_columns.h"

#include <algorithm>

namespace octet::accuracy {

using ir::Graph;
using ir::Tensor;
using ir::ValueId;

namespace {

// Both counts, the sums of the columns to fit, those of the columns kept apart.
Tensor packed(const ColumnSums& sums) {
  std::vector<double> out = {static_cast<double>(sums.fit_count),
                             static_cast<double>(sums.apart_count)};
  // A part without columns has no sums.
  const size_t columns = std::max(sums.fit.size(), sums.apart.size());
  for (const std::vector<double>* part : {&sums.fit, &sums.apart}) {
    out.insert(out.end(), part->begin(), part->end());
    out.resize(out.size() + columns - part->size());
  }
  const auto count = static_cast<int64_t>(out.size());
  return Tensor::of<double>({count}, out);
}

ColumnSums unpacked(const Tensor& from) {
  const auto values = from.data<double>();
  const auto sums = values.subspan(2);
  const auto columns = static_cast<ptrdiff_t>(sums.size() / 2);
  ColumnSums out;
  out.fit_count = static_cast<int64_t>(values[0]);
  out.apart_count = static_cast<int64_t>(values[1]);
  out.fit.assign(sums.begin(), sums.begin() + columns);
  out.apart.assign(sums.begin() + columns, sums.end());
  return out;
}

}  // namespace

FloatColumns::FloatColumns(const Graph& graph, const std::vector<Layer>& layers,
                           const std::vector<size_t>& samples)
    : graph_(graph), layers_(layers), sums_(layers.size() * samples.size()) {
  for (size_t i = 0; i < samples.size(); ++i) place_[samples[i]] = i;
  for (size_t i = 0; i < layers.size(); ++i) layers_of_[layers[i].x].push_back(i);
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
    OCTET_ASSIGN(const ColumnSums sums, column_sums(reader, tensor, place->second));
    sums_.put(place->second * layers_.size() + index, packed(sums));
  }
  return {};
}

Result<ColumnSums> FloatColumns::total(size_t layer, size_t count) const {
  ColumnSums out;
  for (size_t i = 0; i < count && i < place_.size(); ++i) {
    OCTET_ASSIGN(const Tensor sums, sums_.get(i * layers_.size() + layer));
    if (!sums.bytes().empty()) add(unpacked(sums), out);
  }
  return out;
}

std::set<ValueId> FloatColumns::values() const {
  std::set<ValueId> out;
  for (const auto& [value, layers] : layers_of_) out.insert(value);
  return out;
}

}  // namespace octet::accuracy
