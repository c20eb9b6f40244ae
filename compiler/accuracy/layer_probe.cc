#include "compiler/accuracy/layer_probe.h"

#include <algorithm>
#include <map>

#include "compiler/accuracy/product.h"
#include "compiler/base/names.h"
#include "compiler/base/thread_pool.h"
#include "compiler/interpreter/interpreter.h"
#include "compiler/numerics/quantize.h"

namespace octet::accuracy {

using ir::Graph;
using ir::Tensor;
using ir::ValueId;

namespace {

constexpr int64_t kPositions = 16;

// The rounding of one number by per-tensor parameters.
float rounded(float x, const ir::QuantParams& params) {
  const float scale = params.scales().front();
  const int32_t zero = params.zero_points().front();
  return numerics::dequantize(numerics::quantize(x, scale, zero, params.qmin(), params.qmax()),
                              scale, zero);
}

double square_sum(const std::vector<double>& values) {
  double out = 0.0;
  for (const double x : values) out += x * x;
  return out;
}

// The columns of one group, turned: a row of numbers per input.
std::vector<double> turned(const std::vector<float>& columns, size_t k) {
  const size_t count = columns.size() / k;
  std::vector<double> out(columns.size());
  for (size_t i = 0; i < count; ++i) {
    for (size_t a = 0; a < k; ++a) out[a * count + i] = static_cast<double>(columns[i * k + a]);
  }
  return out;
}

class Probe {
 public:
  Probe(const Graph& graph, const ProbedLayer& probed) : graph_(graph), probed_(probed) {
    const Layer& layer = probed.layer;
    rows_ = weight_rows(layer.layout, graph.constant(layer.weight)->data<float>());
    if (!probed.weight) return;
    change_ = weight_rows(layer.layout, probed.weight->data<float>());
    for (size_t i = 0; i < rows_.size(); ++i) change_[i] -= rows_[i];
  }

  Result<LayerNoise> run(const Tensor& x, size_t sample) const {
    const Layer& layer = probed_.layer;
    const WeightLayout& layout = layer.layout;
    OCTET_ASSIGN(const ColumnReader reader,
                 ColumnReader::make(graph_.node(layer.node), layout, x.shape(),
                                    graph_.constant(layer.weight)->shape()));
    const auto positions = sampled_positions(reader.positions(), kPositions, sample);
    const std::vector<int64_t> places = reader.places(positions);
    const auto k = static_cast<size_t>(layout.columns);
    const auto rows = static_cast<size_t>(layout.rows);
    const size_t count = positions.size();
    LayerNoise out;
    out.products = reader.positions() * layout.columns * layout.channels();
    std::vector<float> columns(count * k);
    std::vector<float> bias;
    if (layer.bias.valid()) bias = graph_.constant(layer.bias)->to_floats();
    for (int64_t group = 0; group < layout.groups && count > 0; ++group) {
      reader.read(x, 0, group, places, columns);
      const std::vector<double> data = turned(columns, k);
      const size_t first = static_cast<size_t>(group) * rows;
      const auto product = [&](const std::vector<float>& weights, const std::vector<double>& with) {
        const auto begin = weights.begin() + static_cast<ptrdiff_t>(first * k);
        const std::vector<double> part(begin, begin + static_cast<ptrdiff_t>(rows * k));
        std::vector<double> y(rows * count, 0.0);
        add_product({part.data(), k}, {with.data(), count}, y.data(), count, rows, count, k);
        return y;
      };
      std::vector<double> y = product(rows_, data);
      for (size_t i = 0; !bias.empty() && i < y.size(); ++i) {
        y[i] += static_cast<double>(bias[first + i / count]);
      }
      out.power += square_sum(y);
      if (!change_.empty()) out.weight += square_sum(product(change_, data));
      if (!probed_.params) continue;
      for (float& value : columns) value = rounded(value, *probed_.params) - value;
      out.input += square_sum(product(rows_, turned(columns, k)));
    }
    return out;
  }

 private:
  const Graph& graph_;
  const ProbedLayer& probed_;
  std::vector<float> rows_;
  std::vector<float> change_;  // of the rows, by rounding
};

class ProbeObserver : public interpreter::Observer {
 public:
  ProbeObserver(const std::vector<Probe>& probes,
                const std::map<ValueId, std::vector<size_t>>& of_value, size_t sample,
                std::vector<LayerNoise>& out)
      : probes_(probes), of_value_(of_value), sample_(sample), out_(out) {}

  Status observe(ValueId id, const Tensor& tensor) override {
    const auto it = of_value_.find(id);
    if (it == of_value_.end() || tensor.dtype() != ir::DType::kFloat32) return {};
    for (const size_t layer : it->second) {
      OCTET_ASSIGN(out_[layer], probes_[layer].run(tensor, sample_));
    }
    return {};
  }

 private:
  const std::vector<Probe>& probes_;
  const std::map<ValueId, std::vector<size_t>>& of_value_;
  size_t sample_;
  std::vector<LayerNoise>& out_;
};

}  // namespace

Result<std::vector<LayerNoise>> probe_layers(const std::shared_ptr<const Graph>& real,
                                             const std::vector<ProbedLayer>& layers,
                                             const HeldSamples& samples, size_t threads,
                                             int64_t max_memory) {
  std::vector<Probe> probes;
  std::map<ValueId, std::vector<size_t>> of_value;
  for (size_t i = 0; i < layers.size(); ++i) {
    probes.emplace_back(*real, layers[i]);
    of_value[layers[i].layer.x].push_back(i);
  }
  interpreter::Options options;
  options.max_memory = max_memory;
  for (const auto& [value, indices] : of_value) options.observed.push_back(value);
  OCTET_ASSIGN(const interpreter::Interpreter interpreter,
               interpreter::Interpreter::create(real, options));
  std::vector<std::vector<LayerNoise>> found(samples.size(),
                                             std::vector<LayerNoise>(layers.size()));
  OCTET_TRY(parallel_for(threads, samples.size(), [&](size_t, size_t i) -> Status {
    ProbeObserver observer(probes, of_value, i, found[i]);
    auto outputs = interpreter.run(samples.at(i), &observer);
    if (!outputs.ok()) return outputs.error().in(cat("sample ", i));
    return {};
  }));
  std::vector<LayerNoise> out(layers.size());
  for (const std::vector<LayerNoise>& sample : found) {
    for (size_t i = 0; i < out.size(); ++i) {
      out[i].power += sample[i].power;
      out[i].weight += sample[i].weight;
      out[i].input += sample[i].input;
      out[i].products = std::max(out[i].products, sample[i].products);
    }
  }
  return out;
}

}  // namespace octet::accuracy
