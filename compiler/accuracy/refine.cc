#include "compiler/accuracy/refine.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <set>

#include "compiler/accuracy/bias_correction.h"
#include "compiler/accuracy/cross_gram.h"
#include "compiler/accuracy/layer_bundles.h"
#include "compiler/accuracy/layer_error.h"
#include "compiler/accuracy/layer_quality.h"
#include "compiler/accuracy/layer_rounding.h"
#include "compiler/accuracy/lockstep.h"
#include "compiler/accuracy/round_layer.h"
#include "compiler/accuracy/simulation.h"
#include "compiler/accuracy/targeted_layer.h"
#include "compiler/plan/apply.h"
#include "compiler/plan/parameters.h"

namespace octet::accuracy {

using ir::Graph;
using ir::Tensor;
using ir::ValueId;

namespace {

constexpr size_t kMostSamples = 128;
constexpr int64_t kMostKept = int64_t{256} << 20;
constexpr int64_t kMostKeptBeside = int64_t{768} << 20;  // with the float model's data

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
    OCTET_ASSIGN(simulation_, Simulation::make(graph_, plan_));
    std::vector<ir::NodeId> nodes;
    for (const Layer* layer : active_layers_) {
      nodes.push_back(simulation_.reader_of(name(layer->weight)));
    }
    waves_ = plan_waves(simulation_.graph(), nodes);
    if (options_.target == Target::kFloatOutput || any_narrow()) {
      std::vector<ir::NodeId> real;
      for (size_t layer : active_) real.push_back(layers_[layer].node);
      float_waves_ = plan_waves(graph_, real);
    }
    OCTET_ASSIGN(samples_, samples_that_fit(dataset, samples));
    const WaveRunner::Options run_options{options_.threads, options_.max_memory};
    const std::vector<size_t> used(samples.begin(), samples.begin() + samples_);
    WaveRunner runner(waves_, dataset, used, run_options);
    WaveRunner beside(float_waves_, dataset, used, run_options);
    size_t done = 0;
    for (size_t w = 0; w < waves_.waves.size(); ++w) {
      OCTET_TRY(runner.run(simulation_.graph(), w));
      const bool both = w < float_waves_.waves.size();
      if (both) OCTET_TRY(beside.run(graph_, w));
      for (const auto& bundle :
           bundles_of(graph_, active_layers_, waves_.sources, waves_.waves[w].layers)) {
        OCTET_TRY(refine_bundle(bundle, runner, runs_beside(bundle, w) ? &beside : nullptr));
        done += bundle.size();
        if (options_.progress != nullptr) options_.progress(done, active_.size());
      }
      runner.drop_after(w);
      if (both) beside.drop_after(w);
    }
    report_.samples = static_cast<size_t>(samples_);
    report_.layers = active_.size();
    return report_;
  }

 private:
  // True where the float model has the data of all layers of the bundle in the same wave.
  bool runs_beside(const std::vector<size_t>& bundle, size_t wave) const {
    if (wave >= float_waves_.waves.size()) return false;
    const std::vector<size_t>& there = float_waves_.waves[wave].layers;
    return std::all_of(bundle.begin(), bundle.end(), [&](size_t index) {
      return std::find(there.begin(), there.end(), index) != there.end();
    });
  }

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
          (params.per_tensor() || params.axis() == axis_of(layers_[i].layout, params));
      if (!fits || quantizer.uses.size() != 1 || !quantizer.uses.front().factor.empty()) continue;
      quantizer_[i] = it->second;
      active_.push_back(i);
      active_layers_.push_back(&layers_[i]);
    }
  }

  static int64_t axis_of(const WeightLayout& layout, const ir::QuantParams& params) {
    return params.granularity() == ir::Granularity::kBlocked
               ? plan::block_axis(layout.channel_axis())
               : layout.channel_axis();
  }

  // With weights of few bits, what one layer loses is too much for the next to leave alone: then
  // the float model runs beside, and its outputs are the target.
  bool any_narrow() const {
    return std::any_of(active_.begin(), active_.end(),
                       [this](size_t layer) { return is_narrow(layer); });
  }

  bool is_narrow(size_t layer) const {
    return numerics::bit_width(plan_.constants[quantizer_[layer]].params.storage()) < 8;
  }

  // By what one sample keeps at most between two waves.
  Result<ptrdiff_t> samples_that_fit(const data::Dataset& dataset,
                                     const std::vector<size_t>& samples) const {
    WaveRunner runner(waves_, dataset, {samples.front()}, {1, options_.max_memory});
    WaveRunner beside(float_waves_, dataset, {samples.front()}, {1, options_.max_memory});
    int64_t most = 1;
    for (size_t w = 0; w < waves_.waves.size(); ++w) {
      OCTET_TRY(runner.run(simulation_.graph(), w));
      const bool both = w < float_waves_.waves.size();
      if (both) OCTET_TRY(beside.run(graph_, w));
      most = std::max(most, runner.kept_bytes() + beside.kept_bytes());
      runner.drop_after(w);
      if (both) beside.drop_after(w);
    }
    const int64_t room = float_waves_.waves.empty() ? kMostKept : kMostKeptBeside;
    const int64_t fit = std::min(options_.max_memory / 4, room) / most;
    return static_cast<ptrdiff_t>(
        std::clamp<int64_t>(fit, 1, static_cast<int64_t>(samples.size())));
  }

  // Layers that share their columns; places in active_.
  Status refine_bundle(const std::vector<size_t>& bundle, const WaveRunner& runner,
                       const WaveRunner* beside) {
    const Layer& first = *active_layers_[bundle.front()];
    const LayerSource source =
        simulation_.source_of(name(first.weight), waves_.sources[bundle.front()], runner);
    auto gathered =
        gather_grams(graph_.node(first.node), first.layout, graph_.constant(first.weight)->shape(),
                     source.inputs, options_.threads, options_.max_memory);
    // A layer too large for second order stays as it is.
    if (!gathered.ok() && gathered.error().code() == ErrorCode::kResourceLimit) return {};
    if (!gathered.ok()) return gathered.error().in(ir::describe(graph_, first.node));
    std::optional<CrossSums> cross;
    if (beside != nullptr) {
      const LayerInputs real = inputs_from(beside->kept(float_waves_.sources[bundle.front()]));
      auto sums = gather_cross(graph_.node(first.node), first.layout,
                               graph_.constant(first.weight)->shape(), real, source.inputs,
                               options_.threads, options_.max_memory);
      if (!sums.ok()) return sums.error().in(ir::describe(graph_, first.node));
      cross = std::move(sums).value();
    }
    for (size_t index : bundle) {
      OCTET_TRY(refine_layer(active_[index], *gathered, cross ? &*cross : nullptr, source)
                    .in(ir::describe(graph_, layers_[active_[index]].node)));
    }
    return {};
  }

  Status refine_layer(size_t index, const GramSums& grams, const CrossSums* cross,
                      const LayerSource& source) {
    const Layer& layer = layers_[index];
    const double x_scale = source.scale;
    const std::vector<float> rows =
        weight_rows(layer.layout, graph_.constant(layer.weight)->data<float>());
    OCTET_ASSIGN(RowIntegers chosen, nearest(index));
    if (cross != nullptr) return refine_towards_float(index, grams, *cross, rows, chosen, x_scale);
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
    OCTET_TRY(judge(index, grams, rows, std::min(before, after), source));
    return correct_bias(index, grams, rows, chosen, x_scale, Correction::kWhereItHelps);
  }

  // As refine_layer, with the float output for a target: what earlier layers have lost is made up
  // for. Where a bias can take up the means, weights are chosen for what is left without them.
  Status refine_towards_float(size_t index, const GramSums& grams, const CrossSums& cross,
                              const std::vector<float>& rows, RowIntegers chosen, double x_scale) {
    const Layer& layer = layers_[index];
    OCTET_ASSIGN(const ColumnSums real, columns_.total(index, static_cast<size_t>(samples_)));
    const TargetedLayer targeted{
        layer.layout,    grams,
        cross,           real,
        x_scale,         can_correct(index, real, grams) ? Means::kTakenOut : Means::kKept,
        options_.threads};
    // At 8 bits what is missing is little more than noise, so it is followed only as far as columns
    // kept apart bear it out.
    std::optional<double> ridge;
    if (!is_narrow(index)) {
      OCTET_ASSIGN(ridge, targeted.best_ridge(rows));
    }
    const auto round = [&](Columns learnt) -> Result<RowIntegers> {
      const double damping = damping_for(grams, learnt);
      OCTET_ASSIGN(const std::vector<float> targets,
                   targeted.targets(rows, learnt, ridge.value_or(damping)));
      return round_weights(rounding_of(index, damping, least_scales(layer, x_scale)), targets,
                           targeted.grams(learnt));
    };
    const auto plain = [&](Columns learnt) {
      return second_order(index, grams, learnt, rows, x_scale);
    };
    OCTET_ASSIGN(double least, targeted.error_apart(rows, chosen));
    enum { kNearest, kPlain, kTargeted } best = kNearest;
    OCTET_ASSIGN(const RowIntegers as_they_are, plain(Columns::kFit));
    OCTET_ASSIGN(const double plain_error, targeted.error_apart(rows, as_they_are));
    if (plain_error < least) best = kPlain;
    least = std::min(least, plain_error);
    if (ridge || is_narrow(index)) {
      OCTET_ASSIGN(const RowIntegers towards, round(Columns::kFit));
      OCTET_ASSIGN(const double error, targeted.error_apart(rows, towards));
      if (error < least) best = kTargeted;
    }
    if (best == kPlain) {
      OCTET_ASSIGN(chosen, plain(Columns::kAll));
    } else if (best == kTargeted) {
      OCTET_ASSIGN(chosen, round(Columns::kAll));
      ++report_.targeted;
    }
    if (best != kNearest) {
      ++report_.rounded;
      OCTET_TRY(put_weight(index, chosen));
    }
    return correct_bias(index, grams, rows, chosen, x_scale,
                        best == kTargeted ? Correction::kAlways : Correction::kWhereItHelps);
  }

  // `error`: of the weight, on the columns kept apart.
  Status judge(size_t index, const GramSums& grams, const std::vector<float>& rows, double error,
               const LayerSource& source) {
    const Layer& layer = layers_[index];
    std::vector<float> bias;
    if (layer.bias.valid()) bias = graph_.constant(layer.bias)->to_floats();
    const LayerFacts facts{layer.layout, grams, rows, bias, source.scale, source.data};
    OCTET_ASSIGN(const auto sqnr, layer_sqnr(facts, error, options_.threads));
    if (sqnr) {
      report_.quality.push_back({ir::display_name(graph_, graph_.node(layer.node)), *sqnr});
    }
    return {};
  }

  Result<RowIntegers> nearest(size_t index) const {
    const Layer& layer = layers_[index];
    const ir::QuantParams& params = plan_.constants[quantizer_[index]].params;
    return nearest_rows(layer.layout, *graph_.constant(layer.weight), params);
  }

  std::vector<float> least_scales(const Layer& layer, double x_scale) const {
    if (!layer.bias.valid() || spec_.bias != plan::BiasForm::kInt32) return {};
    return plan::bias_scale_floor(*graph_.constant(layer.bias), static_cast<float>(x_scale));
  }

  static double damping_for(const GramSums& grams, Columns columns) {
    const int64_t apart = columns == Columns::kAll ? grams.sums.apart_count : 0;
    return accuracy::damping_for(grams.sums.fit_count + apart, grams.layout.columns);
  }

  LayerRounding rounding_of(size_t index, double damping, std::span<const float> least) const {
    const Layer& layer = layers_[index];
    SecondOrderOptions options;
    options.threads = options_.threads;
    options.damping = damping;
    options.scale_form = scale_form_of(spec_, graph_.node(layer.node));
    return {layer.layout, plan_.constants[quantizer_[index]].params,
            graph_.constant(layer.weight)->shape(), least, options};
  }

  Result<RowIntegers> second_order(size_t index, const GramSums& grams, Columns learnt,
                                   const std::vector<float>& rows, double x_scale) const {
    const std::vector<float> least = least_scales(layers_[index], x_scale);
    return round_weights(rounding_of(index, damping_for(grams, learnt), least), rows,
                         grams_over(grams, learnt));
  }

  Status put_weight(size_t index, const RowIntegers& chosen) {
    const Layer& layer = layers_[index];
    plan::ConstantQuantizer& quantizer = plan_.constants[quantizer_[index]];
    const auto& shape = graph_.constant(layer.weight)->shape();
    OCTET_ASSIGN(RoundedWeight made, to_weight(layer.layout, shape, chosen, quantizer.params));
    quantizer.params = std::move(made.params);
    simulation_.set(name(layer.weight), on_grid(made.integers, quantizer.params));
    quantizer.integers = std::move(made.integers);
    return {};
  }

  // Whether the means of the float and the quantized model are there to be compared.
  bool can_correct(size_t index, const ColumnSums& real, const GramSums& grams) const {
    return layers_[index].bias.valid() && comparable(real, grams.sums);
  }

  Status correct_bias(size_t index, const GramSums& grams, const std::vector<float>& rows,
                      const RowIntegers& integers, double x_scale, Correction when) {
    const Layer& layer = layers_[index];
    OCTET_ASSIGN(const ColumnSums real, columns_.total(index, static_cast<size_t>(samples_)));
    if (!can_correct(index, real, grams)) return {};
    const Tensor& bias = *graph_.constant(layer.bias);
    const auto corrected = corrected_bias(layer.layout, rows, integers, real, grams.sums, x_scale,
                                          bias.to_floats(), when);
    if (!corrected) return {};
    ++report_.corrected;
    Tensor tensor = Tensor::of<float>(bias.shape(), *corrected);
    simulation_.set(name(layer.bias), tensor);
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
  std::vector<const Layer*> active_layers_;
  Simulation simulation_;
  WavePlan waves_;
  WavePlan float_waves_;  // empty where nobody needs the float model beside
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
