#include "compiler/accuracy/refine.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "compiler/accuracy/layer_error.h"
#include "compiler/accuracy/lockstep.h"
#include "compiler/accuracy/tensor_error.h"
#include "compiler/base/thread_pool.h"
#include "compiler/numerics/quantize.h"
#include "compiler/plan/apply.h"
#include "compiler/plan/parameters.h"

namespace octet::accuracy {

using ir::Graph;
using ir::Tensor;
using ir::ValueId;

namespace {

constexpr size_t kMostSamples = 128;
constexpr int64_t kMostKept = int64_t{256} << 20;

// What a bundle of layers has in common: the data they read and how they read it.
struct Bundle {
  std::vector<size_t> layers;
};

class Refiner {
 public:
  Refiner(const Graph& graph, const std::vector<Layer>& layers, const FloatColumns& columns,
          const plan::BackendSpec& spec, plan::QuantPlan& plan, const RefineOptions& options)
      : graph_(graph),
        layers_(layers),
        columns_(columns),
        spec_(spec),
        plan_(plan),
        options_(options) {}

  Result<RefineReport> run(const data::Dataset& dataset, const std::vector<size_t>& samples) {
    find_quantizers();
    OCTET_TRY(make_simulation());
    std::vector<ir::NodeId> nodes;
    for (size_t layer : active_) {
      const ValueId weight = simulation_.find_value(name(layers_[layer].weight));
      nodes.push_back(simulation_.uses(weight).front().node);
    }
    waves_ = plan_waves(simulation_, nodes);
    OCTET_ASSIGN(samples_, samples_that_fit(dataset, samples));
    WaveRunner runner(waves_, dataset, {samples.begin(), samples.begin() + samples_},
                      {options_.threads, options_.max_memory});
    size_t done = 0;
    for (size_t w = 0; w < waves_.waves.size(); ++w) {
      OCTET_TRY(runner.run(simulation_, w));
      for (const Bundle& bundle : bundles(waves_.waves[w].layers)) {
        OCTET_TRY(refine_bundle(bundle, runner));
        done += bundle.layers.size();
        if (options_.progress != nullptr) options_.progress(done, active_.size());
      }
      runner.drop_after(w);
    }
    report_.samples = static_cast<size_t>(samples_);
    report_.layers = active_.size();
    return report_;
  }

 private:
  const std::string& name(ValueId id) const { return graph_.value(id).name; }

  // Which layers have a symmetric quantizer on their weight.
  void find_quantizers() {
    std::map<std::string, size_t> by_name;
    for (size_t i = 0; i < plan_.constants.size(); ++i) by_name[plan_.constants[i].value] = i;
    quantizer_.assign(layers_.size(), SIZE_MAX);
    for (size_t i = 0; i < layers_.size(); ++i) {
      const auto it = by_name.find(name(layers_[i].weight));
      if (it == by_name.end()) continue;
      const plan::ConstantQuantizer& quantizer = plan_.constants[it->second];
      const ir::QuantParams& params = quantizer.params;
      const bool fits =
          params.symmetric() && params.qmin() < 0 && params.qmax() > 0 &&
          (params.per_tensor() || (params.granularity() == ir::Granularity::kPerAxis &&
                                   params.axis() == layers_[i].layout.channel_axis()));
      if (!fits || quantizer.uses.size() != 1 || !quantizer.uses.front().factor.empty()) continue;
      quantizer_[i] = it->second;
      active_.push_back(i);
    }
  }

  // Activations quantized; every quantized constant on its grid.
  Status make_simulation() {
    simulation_ = graph_;
    plan::QuantPlan activations = plan_;
    activations.constants.clear();
    activations.biases.clear();
    OCTET_TRY(plan::apply_plan(simulation_, activations));
    for (const plan::ConstantQuantizer& quantizer : plan_.constants) {
      const ValueId id = simulation_.find_value(quantizer.value);
      const Tensor* tensor = graph_.constant(graph_.find_value(quantizer.value));
      if (!id.valid() || tensor == nullptr) continue;
      OCTET_ASSIGN(const Tensor integers, plan::quantize_constant(*tensor, quantizer.params));
      simulation_.set_constant(id,
                               std::make_shared<const Tensor>(on_grid(integers, quantizer.params)));
    }
    return {};
  }

  static Tensor on_grid(const Tensor& integers, const ir::QuantParams& params) {
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

  // By what one sample keeps at most between two waves.
  Result<ptrdiff_t> samples_that_fit(const data::Dataset& dataset,
                                     const std::vector<size_t>& samples) const {
    WaveRunner runner(waves_, dataset, {samples.front()}, {1, options_.max_memory});
    int64_t most = 1;
    for (size_t w = 0; w < waves_.waves.size(); ++w) {
      OCTET_TRY(runner.run(simulation_, w));
      most = std::max(most, runner.kept_bytes());
      runner.drop_after(w);
    }
    const int64_t fit = std::min(options_.max_memory / 4, kMostKept) / most;
    return static_cast<ptrdiff_t>(
        std::clamp<int64_t>(fit, 1, static_cast<int64_t>(samples.size())));
  }

  // Layers of one wave that read the same data in the same way share their Gram.
  std::vector<Bundle> bundles(const std::vector<size_t>& ready) const {
    std::vector<Bundle> out;
    for (size_t index : ready) {
      const auto same = [&](const Bundle& bundle) {
        return same_columns(bundle.layers.front(), index);
      };
      const auto it = std::find_if(out.begin(), out.end(), same);
      if (it != out.end()) {
        it->layers.push_back(index);
      } else {
        out.push_back({{index}});
      }
    }
    return out;
  }

  // a, b: places in active_.
  bool same_columns(size_t a, size_t b) const {
    const Layer& x = layers_[active_[a]];
    const Layer& y = layers_[active_[b]];
    const ir::Node& m = graph_.node(x.node);
    const ir::Node& n = graph_.node(y.node);
    if (waves_.sources[a] != waves_.sources[b] || x.layout.groups != 1 || y.layout.groups != 1 ||
        x.layout.columns != y.layout.columns || m.op_type != n.op_type) {
      return false;
    }
    if (!m.is("Conv")) return true;
    const auto& u = graph_.constant(x.weight)->shape();
    const auto& v = graph_.constant(y.weight)->shape();
    if (!std::equal(u.begin() + 1, u.end(), v.begin() + 1, v.end())) return false;
    if (m.attributes.size() != n.attributes.size()) return false;
    for (const auto& [key, value] : m.attributes) {
      const auto it = n.attributes.find(key);
      if (it == n.attributes.end() || !ir::attributes_equal(value, it->second)) return false;
    }
    return true;
  }

  // What a bundle reads: scale and zero point where it is integers.
  struct Source {
    LayerInputs inputs;
    double scale = 1.0;
  };
  Source source_of(size_t index, const WaveRunner& runner) const {
    const ValueId kept = waves_.sources[index];
    Source out{{runner.kept(kept), 0}, 1.0};
    const Layer& layer = layers_[active_[index]];
    const ValueId weight = simulation_.find_value(name(layer.weight));
    const ValueId x = simulation_.node(simulation_.uses(weight).front().node).input(0);
    if (x == kept) return out;
    const ir::Node& dequantizer = simulation_.node(simulation_.value(x).producer);
    out.scale = simulation_.constant(dequantizer.input(1))->at_as_double(0);
    if (dequantizer.input(2).valid()) {
      out.inputs.zero_point =
          static_cast<int32_t>(simulation_.constant(dequantizer.input(2))->at_as_int64(0));
    }
    return out;
  }

  Status refine_bundle(const Bundle& bundle, const WaveRunner& runner) {
    const Layer& first = layers_[active_[bundle.layers.front()]];
    const Source source = source_of(bundle.layers.front(), runner);
    auto gathered =
        gather_grams(graph_.node(first.node), first.layout, graph_.constant(first.weight)->shape(),
                     source.inputs, options_.threads, options_.max_memory);
    // A layer too large for second order stays as it is.
    if (!gathered.ok() && gathered.error().code() == ErrorCode::kResourceLimit) return {};
    if (!gathered.ok()) return gathered.error().in(ir::describe(graph_, first.node));
    for (size_t index : bundle.layers) {
      OCTET_TRY(refine_layer(active_[index], *gathered, source.scale)
                    .in(ir::describe(graph_, layers_[active_[index]].node)));
    }
    return {};
  }

  Status refine_layer(size_t index, const GramSums& grams, double x_scale) {
    const Layer& layer = layers_[index];
    const std::vector<float> rows =
        weight_rows(layer.layout, graph_.constant(layer.weight)->data<float>());
    OCTET_ASSIGN(RowIntegers chosen, nearest(index));
    OCTET_ASSIGN(const RowIntegers rounded,
                 second_order(index, grams, Columns::kFit, rows, x_scale));
    OCTET_ASSIGN(const double before,
                 apart_error(layer.layout, grams, rows, chosen, options_.threads));
    OCTET_ASSIGN(const double after,
                 apart_error(layer.layout, grams, rows, rounded, options_.threads));
    if (after < before) {
      // It helps on columns it has not seen: then it may learn from those too.
      OCTET_ASSIGN(chosen, second_order(index, grams, Columns::kAll, rows, x_scale));
      ++report_.rounded;
      OCTET_TRY(put_weight(index, chosen));
    }
    OCTET_TRY(judge(index, grams, rows, std::min(before, after), x_scale));
    return correct_bias(index, grams, rows, chosen, x_scale);
  }

  // `error`: of the weight, on the columns kept apart.
  Status judge(size_t index, const GramSums& grams, const std::vector<float>& rows, double error,
               double x_scale) {
    const Layer& layer = layers_[index];
    const RowIntegers nothing{std::vector<int32_t>(rows.size(), 0),
                              std::vector<float>(static_cast<size_t>(layer.layout.channels()))};
    OCTET_ASSIGN(const double power,
                 apart_error(layer.layout, grams, rows, nothing, options_.threads));
    double squares = 0.0;
    for (const float w : rows) squares += static_cast<double>(w) * static_cast<double>(w);
    // Integers carry a rounding error of variance 1/12 in their own units; floats carry none.
    const bool integers = x_scale != 1.0;
    const double data =
        integers ? squares * static_cast<double>(grams.sums.apart_count) / 12.0 : 0.0;
    const auto sqnr = decibels(power, error + data);
    if (sqnr) {
      report_.quality.push_back({ir::display_name(graph_, graph_.node(layer.node)), *sqnr});
    }
    return {};
  }

  Result<RowIntegers> nearest(size_t index) const {
    const Layer& layer = layers_[index];
    const ir::QuantParams& params = plan_.constants[quantizer_[index]].params;
    OCTET_ASSIGN(const Tensor integers,
                 plan::quantize_constant(*graph_.constant(layer.weight), params));
    std::vector<float> as_floats = integers.to_floats();
    RowIntegers out;
    for (const float q : weight_rows(layer.layout, as_floats)) {
      out.integers.push_back(static_cast<int32_t>(q));
    }
    out.scales = params.scales();
    out.scales.resize(static_cast<size_t>(layer.layout.channels()), params.scales().front());
    return out;
  }

  std::vector<float> least_scales(const Layer& layer, double x_scale) const {
    if (!layer.bias.valid() || spec_.bias != plan::BiasForm::kInt32) return {};
    return plan::bias_scale_floor(*graph_.constant(layer.bias), static_cast<float>(x_scale));
  }

  enum class Columns { kFit, kAll };

  // Few columns for their number of weights overfit: more damping then holds the weights where they
  // were.
  static double damping_for(const GramSums& grams, Columns columns) {
    constexpr double kFew = 0.1;
    constexpr double kEnough = 0.01;
    const int64_t count =
        grams.sums.fit_count + (columns == Columns::kAll ? grams.sums.apart_count : 0);
    return count < grams.layout.columns ? kFew : kEnough;
  }

  Result<RowIntegers> second_order(size_t index, const GramSums& grams, Columns learnt,
                                   const std::vector<float>& rows, double x_scale) const {
    const Layer& layer = layers_[index];
    const ir::QuantParams& params = plan_.constants[quantizer_[index]].params;
    const numerics::IntegerRange range{params.qmin(), params.qmax()};
    const auto groups = static_cast<size_t>(layer.layout.groups);
    const auto per_group = static_cast<size_t>(layer.layout.rows);
    const auto columns = static_cast<size_t>(layer.layout.columns);
    const std::vector<float> least = least_scales(layer, x_scale);
    RowIntegers out;
    out.integers.resize(rows.size());
    out.scales.resize(groups * per_group);
    SecondOrderOptions options;
    options.threads = groups == 1 ? options_.threads : 1;
    options.damping = damping_for(grams, learnt);
    const size_t workers = groups == 1 ? 1 : options_.threads;
    OCTET_TRY(parallel_for(workers, groups, [&](size_t, size_t group) -> Status {
      const size_t first = group * per_group;
      const WeightRows part{std::span(rows).subspan(first * columns, per_group * columns),
                            per_group, columns};
      const auto at = static_cast<int64_t>(group);
      std::vector<double> all;
      if (learnt == Columns::kAll) all = grams.all_columns(at);
      const Gram gram = all.empty() ? grams.fit_gram(at) : Gram{all, columns};
      RoundedRows result;
      if (params.per_tensor()) {
        const std::vector<float> scales(per_group, params.scales().front());
        OCTET_ASSIGN(result, round_rows(gram, part, scales, range, options));
      } else {
        const auto floor =
            least.empty() ? std::span<const float>() : std::span(least).subspan(first, per_group);
        OCTET_ASSIGN(result, quantize_rows(gram, part, range, floor, options));
      }
      std::copy(result.integers.begin(), result.integers.end(),
                out.integers.begin() + static_cast<ptrdiff_t>(first * columns));
      std::copy(result.scales.begin(), result.scales.end(),
                out.scales.begin() + static_cast<ptrdiff_t>(first));
      return {};
    }));
    return out;
  }

  Status put_weight(size_t index, const RowIntegers& chosen) {
    const Layer& layer = layers_[index];
    plan::ConstantQuantizer& quantizer = plan_.constants[quantizer_[index]];
    ir::QuantParams::Spec spec = quantizer.params.spec();
    if (!quantizer.params.per_tensor()) spec.scales = chosen.scales;
    OCTET_ASSIGN(quantizer.params, ir::QuantParams::make(std::move(spec)));
    const auto& shape = graph_.constant(layer.weight)->shape();
    OCTET_ASSIGN(Tensor integers, Tensor::zeros(quantizer.params.storage(), shape));
    const std::vector<int32_t> ordered = from_weight_rows<int32_t>(layer.layout, chosen.integers);
    for (size_t i = 0; i < ordered.size(); ++i) {
      integers.set_from_int64(static_cast<int64_t>(i), ordered[i]);
    }
    const ValueId id = simulation_.find_value(name(layer.weight));
    simulation_.set_constant(id,
                             std::make_shared<const Tensor>(on_grid(integers, quantizer.params)));
    quantizer.integers = std::move(integers);
    return {};
  }

  Status correct_bias(size_t index, const GramSums& grams, const std::vector<float>& rows,
                      const RowIntegers& integers, double x_scale) {
    const Layer& layer = layers_[index];
    const ColumnSums real = columns_.total(index, static_cast<size_t>(samples_));
    const ColumnSums& quantized = grams.sums;
    if (!layer.bias.valid() || real.fit_count != quantized.fit_count || real.fit_count == 0 ||
        real.apart_count != quantized.apart_count || real.apart_count == 0) {
      return {};
    }
    const auto fit =
        mean_shift(layer.layout, rows, integers, real.fit, quantized.fit, x_scale, real.fit_count);
    const auto apart = mean_shift(layer.layout, rows, integers, real.apart, quantized.apart,
                                  x_scale, real.apart_count);
    double before = 0.0;
    double after = 0.0;
    for (size_t c = 0; c < fit.size(); ++c) {
      before += apart[c] * apart[c];
      after += (apart[c] - fit[c]) * (apart[c] - fit[c]);
    }
    if (!(after < before)) return {};
    const double all = static_cast<double>(real.fit_count + real.apart_count);
    std::vector<float> bias = graph_.constant(layer.bias)->to_floats();
    for (size_t c = 0; c < bias.size(); ++c) {
      const double mean = (fit[c] * static_cast<double>(real.fit_count) +
                           apart[c] * static_cast<double>(real.apart_count)) /
                          all;
      const double corrected = static_cast<double>(bias[c]) + mean;
      if (std::isfinite(static_cast<float>(corrected))) bias[c] = static_cast<float>(corrected);
    }
    ++report_.corrected;
    Tensor tensor = Tensor::of<float>(graph_.constant(layer.bias)->shape(), bias);
    const ValueId id = simulation_.find_value(name(layer.bias));
    simulation_.set_constant(id, std::make_shared<const Tensor>(tensor));
    plan_.replaced.push_back({name(layer.bias), std::move(tensor)});
    return {};
  }

  const Graph& graph_;
  const std::vector<Layer>& layers_;
  const FloatColumns& columns_;
  const plan::BackendSpec& spec_;
  plan::QuantPlan& plan_;
  const RefineOptions& options_;
  std::vector<size_t> quantizer_;  // by layer: index into the plan's constants, or SIZE_MAX
  std::vector<size_t> active_;     // layers with a quantizer
  Graph simulation_;
  WavePlan waves_;
  ptrdiff_t samples_ = 0;
  RefineReport report_;
};

}  // namespace

std::vector<size_t> refinement_samples(size_t count) {
  const size_t used = std::min(count, kMostSamples);
  // Steps of about the golden ratio, prime to the number of places so that each is met once.
  size_t step = std::max<size_t>(1, used * 618 / 1000);
  while (std::gcd(step, used) > 1) ++step;
  std::vector<size_t> out;
  for (size_t i = 0; i < used; ++i) out.push_back(i * step % used * count / used);
  return out;
}

Result<RefineReport> refine(const std::shared_ptr<const Graph>& graph,
                            const std::vector<Layer>& layers, const FloatColumns& columns,
                            const data::Dataset& dataset, const std::vector<size_t>& samples,
                            const plan::BackendSpec& spec, plan::QuantPlan& plan,
                            const RefineOptions& options) {
  return Refiner(*graph, layers, columns, spec, plan, options).run(dataset, samples);
}

}  // namespace octet::accuracy
