#include <algorithm>
#include <cmath>

#include "compiler/accuracy/moments.h"

namespace octet::accuracy {

using ir::Graph;
using ir::Node;
using ir::Tensor;
using ir::ValueId;

namespace {

// Least squares by normal equations; the matrix is small.
std::vector<double> solve_normal(const std::vector<std::vector<double>>& a,
                                 const std::vector<double>& b, size_t n) {
  std::vector<std::vector<double>> m(n, std::vector<double>(n + 1, 0.0));
  double trace = 0.0;
  for (size_t r = 0; r < a.size(); ++r) {
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j < n; ++j) m[i][j] += a[r][i] * a[r][j];
      m[i][n] += a[r][i] * b[r];
    }
  }
  for (size_t i = 0; i < n; ++i) trace += m[i][i];
  for (size_t i = 0; i < n; ++i) m[i][i] += 1e-4 * trace / static_cast<double>(n) + 1e-30;
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = i + 1; j < n; ++j) {
      const double factor = m[j][i] / m[i][i];
      for (size_t k = i; k <= n; ++k) m[j][k] -= factor * m[i][k];
    }
  }
  std::vector<double> out(n, 0.0);
  for (size_t i = n; i-- > 0;) {
    double sum = m[i][n];
    for (size_t j = i + 1; j < n; ++j) sum -= m[i][j] * out[j];
    out[i] = sum / m[i][i];
  }
  return out;
}

// w R w^T for one row, R the correlation of the pixels of pictures.
double picture_energy(std::span<const float> row, size_t channels, int64_t height, int64_t width) {
  constexpr double kPixel = 0.95;
  constexpr double kChannel = 0.9;
  const auto taps = static_cast<size_t>(height * width);
  double out = 0.0;
  for (size_t a = 0; a < channels * taps; ++a) {
    for (size_t b = 0; b < channels * taps; ++b) {
      const auto p = static_cast<int64_t>(a % taps);
      const auto q = static_cast<int64_t>(b % taps);
      const double away = std::hypot(static_cast<double>(p / width - q / width),
                                     static_cast<double>(p % width - q % width));
      const double correlation = std::pow(kPixel, away) * (a / taps == b / taps ? 1.0 : kChannel);
      out += static_cast<double>(row[a]) * static_cast<double>(row[b]) * correlation;
    }
  }
  return out;
}

// The convolution with a batch norm that reads the value, and its channels.
struct Stem {
  const Node* node = nullptr;
  const NormFact* fact = nullptr;
};
Stem find_stem(const Graph& graph, const NormFacts& facts, ValueId input) {
  for (const ir::Use& use : graph.uses(input)) {
    if (use.implicit || use.index != 0) continue;
    const Node& node = graph.node(use.node);
    const Tensor* weight = graph.constant(node.input(1));
    if (!node.is("Conv") || weight == nullptr || weight->dtype() != ir::DType::kFloat32 ||
        weight->rank() != 4 || ir::int_attribute(node, "group", 1) != 1) {
      continue;
    }
    const auto fact = facts.find(graph.value(node.output()).name);
    if (fact == facts.end() ||
        static_cast<int64_t>(fact->second.mean.size()) != weight->shape()[0]) {
      continue;
    }
    return {&node, &fact->second};
  }
  return {};
}

}  // namespace

ValueMoments guess_input(const Graph& graph, const NormFacts& facts, ValueId input) {
  constexpr size_t kMostColumns = 1024;
  const Stem stem = find_stem(graph, facts, input);
  if (stem.node == nullptr) return {};
  const Tensor& weight = *graph.constant(stem.node->input(1));
  const auto channels = static_cast<size_t>(weight.shape()[1]);
  const auto taps = static_cast<size_t>(weight.shape()[2] * weight.shape()[3]);
  const size_t columns = channels * taps;
  if (columns == 0 || columns > kMostColumns) return {};
  const Tensor* bias = graph.constant(stem.node->input(2));
  std::vector<std::vector<double>> sums;
  std::vector<double> means;
  std::vector<std::pair<double, double>> energies;  // of the row, of the channel
  double greatest = 0.0;
  for (size_t o = 0; o < stem.fact->mean.size(); ++o) {
    const auto row = weight.data<float>().subspan(o * columns, columns);
    std::vector<double> sum(channels, 0.0);
    for (size_t i = 0; i < columns; ++i) sum[i / taps] += static_cast<double>(row[i]);
    sums.push_back(std::move(sum));
    const bool has_bias = bias != nullptr && bias->element_count() > static_cast<int64_t>(o);
    means.push_back(stem.fact->mean[o] -
                    (has_bias ? bias->at_as_double(static_cast<int64_t>(o)) : 0.0));
    const double energy = picture_energy(row, channels, weight.shape()[2], weight.shape()[3]);
    energies.emplace_back(energy, stem.fact->deviation[o] * stem.fact->deviation[o]);
    greatest = std::max(greatest, energy);
  }
  std::vector<double> ratios;
  for (const auto& [own, seen] : energies) {
    if (own > 1e-6 * greatest) ratios.push_back(std::sqrt(seen / own));
  }
  if (ratios.empty()) return {};
  std::nth_element(ratios.begin(), ratios.begin() + static_cast<ptrdiff_t>(ratios.size() / 2),
                   ratios.end());
  const double deviation = ratios[ratios.size() / 2];
  if (!std::isfinite(deviation)) return {};
  constexpr double kPictureReach = 4.0;
  ValueMoments out;
  for (const double mean : solve_normal(sums, means, channels)) {
    out.channels.push_back(
        {mean, deviation, mean - kPictureReach * deviation, mean + kPictureReach * deviation});
  }
  return out;
}

}  // namespace octet::accuracy
