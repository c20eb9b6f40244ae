#include "compiler/accuracy/analyze.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <set>

#include "compiler/accuracy/cures.h"
#include "compiler/accuracy/layer_probe.h"
#include "compiler/accuracy/noise_reports.h"
#include "compiler/accuracy/noise_sources.h"
#include "compiler/accuracy/output_noise.h"
#include "compiler/accuracy/source_reports.h"
#include "compiler/accuracy/wide_cure.h"
#include "compiler/base/thread_pool.h"
#include "compiler/calibration/calibrate.h"
#include "compiler/plan/recipe.h"

namespace octet::accuracy {

using ir::Graph;
using ir::NodeId;
using ir::Tensor;
using ir::ValueId;

namespace {

constexpr size_t kMostSamples = 16;
constexpr size_t kLeastSamples = 4;
constexpr double kMostProducts = 1.2e12;
constexpr double kLeastGain = 0.1;  // dB: below it a cure is not worth a line

std::set<ValueId> watched_values(const Graph& graph, const NoiseSources& sources) {
  std::set<ValueId> out;
  for (const TensorSource& tensor : sources.tensors) out.insert(tensor.value);
  for (const SourceLayer& layer : sources.layers) out.insert(layer.layer.x);
  for (const ValueId id : graph.required_inputs()) out.insert(id);
  std::erase_if(out, [&](ValueId id) {
    return graph.value(id).type.storage != ir::DType::kFloat32 || graph.constant(id) != nullptr;
  });
  return out;
}

calibration::CalibrateOptions pass(const AnalyzeOptions& options, const std::string& what,
                                   const std::set<ValueId>& values) {
  calibration::CalibrateOptions out;
  out.values = values;
  out.histograms = values;
  out.threads = options.threads;
  out.max_memory = options.max_memory;
  if (options.progress != nullptr) {
    out.progress = [&options, what](size_t done, size_t all) { options.progress(what, done, all); };
  }
  return out;
}

class Analyzer {
 public:
  Analyzer(const AnalyzeInput& input, const AnalyzeOptions& options)
      : input_(input), options_(options), part_(*input.real) {}

  Result<AnalyzeResult> run(const data::Dataset& dataset) {
    OCTET_ASSIGN(sources_, find_sources(part_, input_.plan));
    OCTET_TRY(look_at_all(dataset));
    OCTET_TRY(hold_samples(dataset));
    OCTET_TRY(probe());
    OCTET_TRY(measure_sources());
    report();
    OCTET_TRY(try_cures());
    keep_float();
    out_.analysis.data = sample_facts(*input_.real, *survey_);
    sort_reports(analysis());
    return std::move(out_);
  }

 private:
  Analysis& analysis() { return out_.analysis; }
  const Graph& graph() const { return *input_.real; }

  Status look_at_all(const data::Dataset& dataset) {
    const std::set<ValueId> values = watched_values(graph(), sources_);
    std::map<ValueId, std::pair<float, float>> covered;
    for (const TensorSource& tensor : sources_.tensors) {
      const ir::QuantParams& params = input_.plan.activations[tensor.quantizer].params;
      if (params.per_tensor()) covered[tensor.value] = covered_by(params);
    }
    std::vector<TensorSurvey::Watched> watched;
    for (const ValueId id : values) {
      watched.push_back({id, channel_axis(graph(), id), std::nullopt});
      const auto it = covered.find(id);
      if (it != covered.end()) watched.back().covered = it->second;
    }
    survey_ = std::make_unique<TensorSurvey>(watched);
    products_.assign(sources_.layers.size(), 0);
    calibration::CalibrateOptions run = pass(options_, "looking at tensors", values);
    run.shown = values;
    run.show = [&](size_t sample, ValueId value, const Tensor& tensor) -> Status {
      survey_->observe(sample, value, tensor);
      return sample == 0 ? count_products(value, tensor) : Status();
    };
    OCTET_ASSIGN(out_.statistics, calibration::calibrate(input_.real, dataset, run));
    return {};
  }

  // Multiply-adds of the layers that read `value`. Values are shown one after the other.
  Status count_products(ValueId value, const Tensor& tensor) {
    for (size_t i = 0; i < sources_.layers.size(); ++i) {
      const Layer& layer = sources_.layers[i].layer;
      if (layer.x != value) continue;
      OCTET_ASSIGN(const ColumnReader reader,
                   ColumnReader::make(graph().node(layer.node), layer.layout, tensor.shape(),
                                      graph().constant(layer.weight)->shape()));
      products_[i] = static_cast<double>(reader.positions()) *
                     static_cast<double>(layer.layout.columns) *
                     static_cast<double>(layer.layout.channels());
    }
    return {};
  }

  Status hold_samples(const data::Dataset& dataset) {
    OCTET_ASSIGN(const data::Sample first, dataset.get(0));
    double bytes = 1.0;
    for (const Tensor& tensor : first) bytes += static_cast<double>(tensor.bytes().size());
    double products = 1.0;
    for (const double layer : products_) products += layer;
    const auto runs = static_cast<double>(sources_.tensors.size() + sources_.weights.size() + 2) +
                      2.0 * static_cast<double>(options_.cured);
    const double fit = std::min(kMostProducts / products / runs,
                                static_cast<double>(options_.max_memory) / 16.0 / bytes);
    const auto count = static_cast<size_t>(
        std::clamp(fit, static_cast<double>(kLeastSamples), static_cast<double>(kMostSamples)));
    OCTET_ASSIGN(out_.samples, HeldSamples::read(dataset, spread_samples(count, dataset.size())));
    OCTET_ASSIGN(noise_, OutputNoise::make(input_.real, out_.samples, options_.threads,
                                           options_.max_memory));
    analysis().samples = out_.samples.size();
    return {};
  }

  Status probe() {
    std::vector<ProbedLayer> probed;
    for (size_t i = 0; i < sources_.layers.size(); ++i) {
      const SourceLayer& layer = sources_.layers[i];
      if (!layer.alone) continue;
      ProbedLayer one{layer.layer, sources_.weights[layer.weight].numbers, std::nullopt};
      if (layer.tensor) {
        const ir::QuantParams& params =
            input_.plan.activations[sources_.tensors[*layer.tensor].quantizer].params;
        if (params.per_tensor()) one.params = params;
      }
      probed.push_back(std::move(one));
      probed_.push_back(i);
    }
    if (probed.empty()) return {};
    OCTET_ASSIGN(local_, probe_layers(input_.real, probed, out_.samples, options_.threads,
                                      options_.max_memory));
    return {};
  }

  // The noise of an edited float graph.
  Result<double> noise_of(const std::function<Status(Graph&)>& edit) const {
    Graph changed = graph();
    OCTET_TRY(edit(changed));
    OCTET_ASSIGN(const auto errors,
                 noise_.measure(std::make_shared<const Graph>(std::move(changed))));
    return relative_noise(errors);
  }

  Result<std::vector<double>> noises(const std::string& what,
                                     const std::vector<std::function<Status(Graph&)>>& edits) {
    std::vector<double> out(edits.size(), 0.0);
    std::mutex mutex;
    size_t done = 0;
    OCTET_TRY(parallel_for(options_.threads, edits.size(), [&](size_t, size_t i) -> Status {
      OCTET_ASSIGN(out[i], noise_of(edits[i]));
      if (options_.progress != nullptr) {
        const std::lock_guard lock(mutex);
        options_.progress(what, ++done, edits.size());
      }
      return {};
    }));
    return out;
  }

  Status put_tensor(Graph& to, size_t i) const {
    return part_.put(to, input_.plan.activations[sources_.tensors[i].quantizer]);
  }
  Status put_weight(Graph& to, size_t i) const {
    const WeightSource& weight = sources_.weights[i];
    return part_.put(to, input_.plan.constants[weight.quantizer].value, weight.numbers);
  }

  Status measure_sources() {
    std::vector<std::function<Status(Graph&)>> edits;
    for (size_t i = 0; i < sources_.tensors.size(); ++i) {
      edits.emplace_back([this, i](Graph& to) { return put_tensor(to, i); });
    }
    for (size_t i = 0; i < sources_.weights.size(); ++i) {
      edits.emplace_back([this, i](Graph& to) { return put_weight(to, i); });
    }
    edits.emplace_back([this](Graph& to) -> Status {
      for (size_t i = 0; i < sources_.tensors.size(); ++i) OCTET_TRY(put_tensor(to, i));
      return {};
    });
    edits.emplace_back([this](Graph& to) -> Status {
      for (size_t i = 0; i < sources_.weights.size(); ++i) OCTET_TRY(put_weight(to, i));
      return {};
    });
    OCTET_ASSIGN(const std::vector<double> found, noises("measuring noise", edits));
    const auto weights = found.begin() + static_cast<ptrdiff_t>(sources_.tensors.size());
    tensor_noise_.assign(found.begin(), weights);
    weight_noise_.assign(weights, found.end() - 2);
    analysis().tensors_noise = found[found.size() - 2];
    analysis().weights = found.back();
    for (size_t i = 0; i + 2 < found.size(); ++i) analysis().sum += found[i];
    return {};
  }

  void report() {
    const MeasuredSources measured{input_,          sources_,      *survey_,
                                   out_.statistics, tensor_noise_, weight_noise_,
                                   probed_,         local_,        analysis().sum};
    analysis().tensors = tensor_reports(measured);
    analysis().weight_sources = weight_reports(measured);
    analysis().layers = layer_reports(measured);
  }

  double gain(double before, double after) const {
    const double sum = out_.analysis.sum;
    const double least = 1e-12 * sum;
    return sum > 0.0 ? 10.0 * std::log10(sum / std::max(least, sum - before + after)) : 0.0;
  }

  // The places of the greatest `count` of these, greatest first.
  static std::vector<size_t> greatest(const std::vector<double>& noises, size_t count) {
    std::vector<size_t> out(noises.size());
    for (size_t i = 0; i < out.size(); ++i) out[i] = i;
    std::stable_sort(out.begin(), out.end(),
                     [&](size_t a, size_t b) { return noises[a] > noises[b]; });
    out.resize(std::min(count, out.size()));
    return out;
  }

  Status try_cures() {
    const CureContext context{input_,          part_,        sources_, *survey_,
                              out_.statistics, out_.samples, options_};
    std::vector<double> all = tensor_noise_;
    all.insert(all.end(), weight_noise_.begin(), weight_noise_.end());
    std::vector<Trial> trials;
    for (const size_t source : greatest(all, options_.cured)) {
      if (!(all[source] > 0.0)) continue;
      const bool tensor = source < tensor_noise_.size();
      OCTET_ASSIGN(std::vector<Trial> found,
                   tensor ? tensor_trials(context, source)
                          : weight_trials(context, source - tensor_noise_.size()));
      if (tensor) more_bits(source);
      for (Trial& trial : found) {
        trial.before = all[source];
        trials.push_back(std::move(trial));
      }
    }
    std::vector<std::function<Status(Graph&)>> edits;
    for (const Trial& trial : trials) edits.push_back(trial.edit);
    OCTET_ASSIGN(const std::vector<double> found, noises("trying cures", edits));
    for (size_t i = 0; i < trials.size(); ++i) {
      Cure cure = std::move(trials[i].cure);
      cure.noise = found[i];
      cure.gain_db = gain(trials[i].before, found[i]);
      offer(std::move(cure));
    }
    return {};
  }

  // Of several forms of one cure for one source, the best.
  void offer(Cure cure) {
    if (cure.gain_db < kLeastGain) return;
    for (Cure& other : analysis().cures) {
      if (other.name != cure.name || other.of != cure.of) continue;
      if (cure.gain_db > other.gain_db) other = std::move(cure);
      return;
    }
    analysis().cures.push_back(std::move(cure));
  }

  void more_bits(size_t tensor) {
    const auto how = recipe_for_wide_data(graph(), input_.spec, sources_.tensors[tensor].readers);
    if (!how) return;
    const double noise = tensor_noise_[tensor];
    offer({"16 bits", *how, analysis().tensors[tensor].name, noise / 65536.0,
           gain(noise, noise / 65536.0)});
  }

  void keep_float() {
    std::vector<double> shares;
    for (const LayerReport& layer : analysis().layers) shares.push_back(layer.share);
    for (const size_t i : greatest(shares, options_.cured)) {
      const LayerReport& layer = analysis().layers[i];
      offer({"keep the layer float",
             "recipe: " + plan::override_text(layer.node, "precision: FLOAT"), layer.node, 0.0,
             gain(layer.share * analysis().sum, 0.0)});
    }
  }

  const AnalyzeInput& input_;
  const AnalyzeOptions& options_;
  const PartQuantized part_;
  NoiseSources sources_;
  std::unique_ptr<TensorSurvey> survey_;
  std::vector<double> products_;  // multiply-adds of one sample, by layer
  OutputNoise noise_;
  std::vector<double> tensor_noise_;
  std::vector<double> weight_noise_;
  std::vector<size_t> probed_;  // layers
  std::vector<LayerNoise> local_;
  AnalyzeResult out_;
};

}  // namespace

Result<AnalyzeResult> analyze(const AnalyzeInput& input, const data::Dataset& dataset,
                              const AnalyzeOptions& options) {
  return Analyzer(input, options).run(dataset);
}

Result<calibration::Statistics> observed_statistics(const AnalyzeInput& input,
                                                    const data::Dataset& dataset,
                                                    const AnalyzeOptions& options) {
  const PartQuantized part(*input.real);
  OCTET_ASSIGN(const NoiseSources sources, find_sources(part, input.plan));
  return calibration::calibrate(
      input.real, dataset,
      pass(options, "looking at the other data", watched_values(*input.real, sources)));
}

}  // namespace octet::accuracy
