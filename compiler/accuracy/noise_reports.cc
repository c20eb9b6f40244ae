#include "compiler/accuracy/noise_reports.h"

#include <algorithm>
#include <string>

#include "compiler/accuracy/source_reports.h"
#include "compiler/accuracy/tensor_error.h"

namespace octet::accuracy {

using ir::Graph;
using ir::NodeId;

namespace {

// A node by its name, for reports.
std::vector<std::string> names_of(const Graph& graph, const std::vector<NodeId>& nodes) {
  std::vector<std::string> out;
  for (const NodeId id : nodes) out.push_back(ir::display_name(graph, graph.node(id)));
  return out;
}

double share(const MeasuredSources& m, double noise) { return m.sum > 0.0 ? noise / m.sum : 0.0; }

}  // namespace

std::vector<TensorReport> tensor_reports(const MeasuredSources& m) {
  std::vector<TensorReport> out;
  for (size_t i = 0; i < m.sources.tensors.size(); ++i) {
    const TensorSource& source = m.sources.tensors[i];
    const plan::ActivationQuantizer& quantizer = m.input.plan.activations[source.quantizer];
    TensorReport report;
    report.name = quantizer.value;
    report.readers = names_of(*m.input.real, source.readers);
    report.noise = m.tensor_noise[i];
    report.share = share(m, report.noise);
    const auto covered = covered_by(quantizer.params);
    const float half = 0.5F * quantizer.params.scales().front();
    report.low = covered.first + half;
    report.high = covered.second - half;
    const auto found = m.statistics.tensors.find(quantizer.value);
    if (found != m.statistics.tensors.end() && found->second.elements > 0) {
      report.min = found->second.min;
      report.max = found->second.max;
      report.use = range_use(found->second, report.high - report.low);
    }
    if (const TensorSurvey::Seen* seen = m.survey.of(source.value)) {
      report.channels = channel_facts(*seen);
      report.saturated = static_cast<double>(seen->saturated) /
                         static_cast<double>(std::max<int64_t>(1, seen->elements));
    }
    out.push_back(std::move(report));
  }
  return out;
}

std::vector<WeightReport> weight_reports(const MeasuredSources& m) {
  std::vector<WeightReport> out;
  for (size_t i = 0; i < m.sources.weights.size(); ++i) {
    const WeightSource& source = m.sources.weights[i];
    const plan::ConstantQuantizer& quantizer = m.input.plan.constants[source.quantizer];
    WeightReport report;
    report.name = quantizer.value;
    report.readers = names_of(*m.input.real, source.readers);
    report.noise = m.weight_noise[i];
    report.share = share(m, report.noise);
    report.per_channel = !quantizer.params.per_tensor();
    report.second_order = source.second_order;
    const auto layer =
        std::find_if(m.sources.layers.begin(), m.sources.layers.end(),
                     [&](const SourceLayer& candidate) { return candidate.weight == i; });
    if (layer != m.sources.layers.end()) describe_rows(*m.input.real, layer->layer, report);
    out.push_back(std::move(report));
  }
  return out;
}

std::vector<LayerReport> layer_reports(const MeasuredSources& m) {
  std::vector<LayerReport> out;
  std::vector<size_t> readers(m.sources.tensors.size(), 0);
  for (const SourceLayer& layer : m.sources.layers) {
    if (layer.tensor) ++readers[*layer.tensor];
  }
  for (size_t i = 0; i < m.sources.layers.size(); ++i) {
    const SourceLayer& layer = m.sources.layers[i];
    const ir::Node& node = m.input.real->node(layer.layer.node);
    LayerReport report;
    report.node = ir::display_name(*m.input.real, node);
    report.op_type = node.op_type;
    report.output = m.input.real->value(node.output()).name;
    report.weight = layer.weight;
    report.noise = m.weight_noise[layer.weight];
    const auto users =
        static_cast<double>(std::max<size_t>(1, m.sources.weights[layer.weight].readers.size()));
    report.weight_share = share(m, report.noise) / users;
    if (layer.tensor) {
      report.tensor = layer.tensor;
      report.noise += m.tensor_noise[*layer.tensor];
      report.input_share =
          share(m, m.tensor_noise[*layer.tensor]) / static_cast<double>(readers[*layer.tensor]);
    }
    report.share = report.weight_share + report.input_share;
    const auto probed = std::find(m.probed.begin(), m.probed.end(), i);
    if (probed != m.probed.end()) {
      const LayerNoise& local = m.local[static_cast<size_t>(probed - m.probed.begin())];
      report.local_weight_db = decibels(local.power, local.weight);
      if (layer.tensor) report.local_input_db = decibels(local.power, local.input);
      report.local_db = decibels(local.power, local.weight + local.input);
    }
    out.push_back(std::move(report));
  }
  return out;
}

}  // namespace octet::accuracy
