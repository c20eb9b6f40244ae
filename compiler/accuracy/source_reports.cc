#include "compiler/accuracy/source_reports.h"

#include <algorithm>
#include <cmath>

namespace octet::accuracy {

using ir::Graph;

std::pair<float, float> covered_by(const ir::QuantParams& params) {
  const float scale = params.scales().front();
  const auto zero = static_cast<float>(params.zero_points().front());
  return {(static_cast<float>(params.qmin()) - zero - 0.5F) * scale,
          (static_cast<float>(params.qmax()) - zero + 0.5F) * scale};
}

double range_use(const calibration::TensorStatistics& statistics, float covered) {
  if (!statistics.histogram || !(covered > 0.0F)) return 0.0;
  const calibration::Histogram& histogram = *statistics.histogram;
  const auto total = static_cast<double>(histogram.total());
  const auto counts = histogram.counts();
  const auto place = [&](double part) {
    double sum = 0.0;
    for (size_t i = 0; i < counts.size(); ++i) {
      sum += static_cast<double>(counts[i]);
      if (sum >= part * total && counts[i] > 0) return static_cast<int>(i);
    }
    return static_cast<int>(counts.size()) - 1;
  };
  if (counts.empty()) return 0.0;
  // The bins' outer edges reach beyond what was seen.
  const double low =
      std::max(histogram.lower_edge(place(0.001)), static_cast<double>(statistics.min));
  const double high =
      std::min(histogram.lower_edge(place(0.999) + 1), static_cast<double>(statistics.max));
  return std::clamp((high - low) / static_cast<double>(covered), 0.0, 1.0);
}

void describe_rows(const Graph& graph, const Layer& layer, WeightReport& report) {
  const auto rows = weight_rows(layer.layout, graph.constant(layer.weight)->data<float>());
  const auto k = static_cast<size_t>(layer.layout.columns);
  float least = INFINITY;
  float greatest = 0.0F;
  for (size_t first = 0; k > 0 && first < rows.size(); first += k) {
    float magnitude = 0.0F;
    for (size_t c = 0; c < k; ++c) magnitude = std::max(magnitude, std::abs(rows[first + c]));
    if (!(magnitude > 0.0F)) {
      ++report.dead_rows;
      continue;
    }
    least = std::min(least, magnitude);
    greatest = std::max(greatest, magnitude);
  }
  if (greatest > 0.0F) report.spread = static_cast<double>(greatest / least);
}

void sort_reports(Analysis& analysis) {
  const auto by_noise = [](auto& reports) {
    std::vector<size_t> order(reports.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return reports[a].noise > reports[b].noise; });
    std::vector<size_t> place(order.size());
    auto old = std::move(reports);
    reports.clear();
    for (size_t i = 0; i < order.size(); ++i) {
      place[order[i]] = i;
      reports.push_back(std::move(old[order[i]]));
    }
    return place;
  };
  const std::vector<size_t> tensors = by_noise(analysis.tensors);
  const std::vector<size_t> weights = by_noise(analysis.weight_sources);
  for (LayerReport& layer : analysis.layers) {
    if (layer.tensor) layer.tensor = tensors[*layer.tensor];
    if (layer.weight) layer.weight = weights[*layer.weight];
  }
  std::stable_sort(analysis.layers.begin(), analysis.layers.end(),
                   [](const auto& a, const auto& b) { return a.share > b.share; });
  std::stable_sort(analysis.cures.begin(), analysis.cures.end(),
                   [](const auto& a, const auto& b) { return a.gain_db > b.gain_db; });
}

}  // namespace octet::accuracy
