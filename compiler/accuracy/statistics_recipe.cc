#include "compiler/accuracy/statistics_recipe.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "compiler/accuracy/cross_layer.h"
#include "compiler/accuracy/equalize.h"
#include "compiler/accuracy/finish_plan.h"
#include "compiler/accuracy/round_layer.h"
#include "compiler/accuracy/second_order_statistics.h"
#include "compiler/accuracy/statistics_grams.h"
#include "compiler/base/checked.h"
#include "compiler/base/names.h"
#include "compiler/calibration/fingerprint.h"
#include "compiler/plan/apply.h"
#include "compiler/plan/parameters.h"
#include "compiler/plan/planner.h"

namespace octet::accuracy {

using calibration::ChannelStatistics;
using calibration::LayerStatistics;
using calibration::Statistics;
using calibration::TensorStatistics;
using ir::Graph;
using ir::NodeId;
using ir::Tensor;
using ir::ValueId;

namespace {

class StatisticsRun {
 public:
  StatisticsRun(const std::shared_ptr<const Graph>& canonical, const Statistics& statistics,
                const plan::BackendSpec& spec, const plan::Recipe& recipe,
                const RecipeOptions& options)
      : canonical_(canonical),
        seen_(statistics),
        spec_(spec),
        recipe_(recipe),
        options_(options),
        classes_(*canonical) {}

  Result<RecipeResult> run() {
    OCTET_TRY(plan::check_selectors(recipe_, *canonical_));
    // Before anything is read into them.
    const std::string expected = calibration::fingerprint(*canonical_);
    if (seen_.fingerprint != expected) {
      return usage_error("the statistics were gathered on another model (fingerprint ",
                         seen_.fingerprint, ", this model has ", expected, "); calibrate again");
    }
    out_.samples = seen_.samples;
    OCTET_TRY(check_layers());
    OCTET_TRY(equalize_channels());
    OCTET_ASSIGN(const Statistics ranges, equalized_statistics());
    OCTET_ASSIGN(out_.plan, plan::make_plan(*equalized_, ranges, spec_, recipe_));
    OCTET_TRY(round_layers());
    OCTET_TRY(finish_plan(*canonical_, *equalized_, edits_, out_.plan));
    out_.equalized = equalized_;
    return std::move(out_);
  }

 private:
  // The file may say anything.
  Status check_layers() {
    for (const ColumnLayer& layer : find_column_layers(*canonical_)) {
      const std::string& name = canonical_->value(canonical_->node(layer.node).output()).name;
      const auto it = seen_.layers.find(name);
      if (it == seen_.layers.end()) continue;
      if (it->second.groups != layer.layout.groups || it->second.columns != layer.layout.columns) {
        return usage_error("the statistics of ", ir::describe(*canonical_, layer.node),
                           " have other columns than it; calibrate again");
      }
      for (const NodeId id : layer.sharing) {
        of_layer_[canonical_->value(canonical_->node(id).output()).name] = &it->second;
      }
    }
    return {};
  }

  bool only_min_max() const {
    const auto min_max = [](const calibration::RangeMethod& method) {
      return method.kind == calibration::RangeKind::kMinMax;
    };
    return min_max(recipe_.range) &&
           std::all_of(recipe_.overrides.begin(), recipe_.overrides.end(),
                       [&](const plan::Override& o) { return !o.range || min_max(*o.range); });
  }

  const ChannelStatistics* channels_of(ValueId value) const {
    const auto it = seen_.channels.find(canonical_->value(value).name);
    return it == seen_.channels.end() ? nullptr : &it->second;
  }

  Status equalize_channels() {
    equalized_ = canonical_;
    // Weights that share a scale would lose what activations win.
    if (!only_min_max() || has_per_tensor_weights(spec_)) return {};
    const std::vector<Layer> layers =
        find_layers(*canonical_, plan::place(*canonical_, spec_, recipe_));
    const auto wanted = values_to_range(
        *canonical_, classes_, layers, plan::needed_statistics(*canonical_, spec_, recipe_).values);
    ChannelRanges ranges(wanted);
    for (const ChannelRanges::Axis& value : wanted) {
      const ChannelStatistics* seen = channels_of(value.value);
      if (seen == nullptr || seen->axis != static_cast<int64_t>(value.axis)) continue;
      std::vector<float> magnitudes;
      for (size_t c = 0; c < seen->low.size(); ++c) {
        const float magnitude = std::max(-seen->low[c], seen->high[c]);
        magnitudes.push_back(std::isfinite(magnitude) ? std::max(magnitude, 0.0F) : 0.0F);
      }
      ranges.put(value.value, std::move(magnitudes));
    }
    const Equalization decided = equalize(*canonical_, classes_, layers, ranges);
    factors_ = decided.factors;
    for (const auto& [id, tensor] : decided.constants) {
      edits_.replaced.push_back({canonical_->value(id).name, tensor});
    }
    edits_.scalings = decided.scalings;
    out_.report.equalized_tensors = decided.tensors;
    out_.report.equalized_channels = decided.channels;
    Graph edited = *canonical_;
    OCTET_TRY(plan::apply_edits(edited, edits_));
    equalized_ = std::make_shared<const Graph>(std::move(edited));
    return {};
  }

  // By channel of a canonical value; empty where none is scaled.
  std::vector<float> factors_of(ValueId value) const {
    const ChannelClasses::Channels& channels = classes_.of(value);
    std::vector<float> out;
    bool scaled = false;
    for (int64_t i = 0; channels.first >= 0 && i < channels.count; ++i) {
      const size_t channel_class = classes_.class_of(channels.first + i);
      out.push_back(channel_class < factors_.size() ? factors_[channel_class] : 1.0F);
      scaled = scaled || out.back() != 1.0F;
    }
    if (!scaled) out.clear();
    return out;
  }

  static Status scale(const ChannelStatistics& seen, const std::vector<float>& factors,
                      TensorStatistics& to) {
    if (seen.low.size() != factors.size()) {
      return usage_error("the statistics hold ", seen.low.size(), " channels instead of ",
                         factors.size());
    }
    to.histogram.reset();
    to.sum_of_sample_min = {};
    to.sum_of_sample_max = {};
    bool first = true;
    for (size_t c = 0; c < factors.size(); ++c) {
      if (!std::isfinite(seen.low[c]) || !std::isfinite(seen.high[c])) continue;
      const float low = seen.low[c] * factors[c];
      const float high = seen.high[c] * factors[c];
      to.min = first ? low : std::min(to.min, low);
      to.max = first ? high : std::max(to.max, high);
      first = false;
    }
    return {};
  }

  // Exact, but that floats round when they are multiplied.
  Result<Statistics> equalized_statistics() const {
    Statistics out;
    out.fingerprint = calibration::fingerprint(*equalized_);
    out.samples = seen_.samples;
    out.data_free = seen_.data_free;
    out.tensors = seen_.tensors;
    for (auto& [name, tensor] : out.tensors) {
      const ValueId value = canonical_->find_value(name);
      if (!value.valid()) continue;
      const std::vector<float> factors = factors_of(value);
      const ChannelStatistics* seen = channels_of(value);
      if (factors.empty() || seen == nullptr || tensor.elements == 0) continue;
      OCTET_TRY(scale(*seen, factors, tensor).in(cat("value ", quote_name(name))));
    }
    for (const plan::Scaling& scaling : edits_.scalings) {
      const auto tensor = seen_.tensors.find(scaling.value);
      const auto seen = seen_.channels.find(scaling.value);
      if (tensor == seen_.tensors.end() || seen == seen_.channels.end()) continue;
      TensorStatistics scaled = tensor->second;
      OCTET_TRY(scale(seen->second, scaling.factors.to_floats(), scaled)
                    .in(cat("value ", quote_name(scaling.value))));
      out.tensors[scaling.result] = std::move(scaled);
    }
    return out;
  }

  // What the data of a layer of the equalized graph was multiplied with, by input channel.
  std::vector<float> data_factors(const Layer& layer) const {
    const std::string& name = equalized_->value(layer.x).name;
    for (const plan::Scaling& scaling : edits_.scalings) {
      if (scaling.result == name) return scaling.factors.to_floats();
    }
    const ValueId value = canonical_->find_value(name);
    return value.valid() ? factors_of(value) : std::vector<float>();
  }

  // The scale of a layer's data; nothing where no quantizer stands in front of it.
  std::optional<float> data_scale(const Layer& layer) const {
    const std::string& node = equalized_->value(equalized_->node(layer.node).output()).name;
    const std::string& value = equalized_->value(layer.x).name;
    for (const plan::ActivationQuantizer& quantizer : out_.plan.activations) {
      const bool reads = quantizer.readers == plan::Readers::kAll
                             ? quantizer.value == value
                             : std::find(quantizer.operands.begin(), quantizer.operands.end(),
                                         plan::Operand{node, 0}) != quantizer.operands.end();
      if (reads && quantizer.params.per_tensor()) return quantizer.params.scales().front();
    }
    return std::nullopt;
  }

  Status round_layers() {
    std::map<std::string, size_t> by_name;
    for (size_t i = 0; i < out_.plan.constants.size(); ++i) {
      by_name[out_.plan.constants[i].value] = i;
    }
    const std::vector<Layer> layers =
        find_layers(*equalized_, plan::place(*equalized_, spec_, recipe_));
    size_t done = 0;
    for (const Layer& layer : layers) {
      const auto quantizer = by_name.find(equalized_->value(layer.weight).name);
      if (quantizer != by_name.end()) {
        OCTET_TRY(round_one(layer, out_.plan.constants[quantizer->second])
                      .in(ir::describe(*equalized_, layer.node)));
      }
      if (options_.progress != nullptr) options_.progress("rounding layers", ++done, layers.size());
    }
    return {};
  }

  static bool can_round(const Layer& layer, const plan::ConstantQuantizer& quantizer) {
    const ir::QuantParams& params = quantizer.params;
    return params.symmetric() && params.qmin() < 0 && params.qmax() > 0 &&
           (params.per_tensor() || (params.granularity() == ir::Granularity::kPerAxis &&
                                    params.axis() == layer.layout.channel_axis())) &&
           quantizer.uses.size() == 1 && quantizer.uses.front().factor.empty();
  }

  Status round_one(const Layer& layer, plan::ConstantQuantizer& quantizer) {
    const auto found =
        of_layer_.find(equalized_->value(equalized_->node(layer.node).output()).name);
    const auto scale = data_scale(layer);
    if (found == of_layer_.end() || !scale || !can_round(layer, quantizer)) return {};
    ++out_.report.layers;
    const auto square = checked_mul(layer.layout.columns, layer.layout.columns);
    const auto entries = square ? checked_mul(*square, layer.layout.groups) : std::nullopt;
    const auto bytes = entries ? checked_mul(*entries, 16) : std::nullopt;
    // A layer too large for second order stays as it is.
    if (!bytes || *bytes > options_.max_memory) return {};
    const GramSums grams = grams_of(layer, *found->second, *scale);
    if (grams.sums.fit_count == 0 || grams.sums.apart_count == 0) return {};
    const Tensor& weight = *equalized_->constant(layer.weight);
    const std::vector<float> rows = weight_rows(layer.layout, weight.data<float>());
    std::vector<float> least;
    if (layer.bias.valid() && spec_.bias == plan::BiasForm::kInt32) {
      least = plan::bias_scale_floor(*equalized_->constant(layer.bias), *scale);
    }
    RoundLayerOptions round{options_.threads, least, Columns::kFit,
                            scale_form_of(spec_, equalized_->node(layer.node))};
    OCTET_ASSIGN(RowIntegers chosen, nearest_rows(layer.layout, weight, quantizer.params));
    OCTET_ASSIGN(const RowIntegers rounded,
                 round_layer(grams, rows, weight.shape(), quantizer.params, round));
    OCTET_ASSIGN(const double before,
                 apart_error(layer.layout, grams, rows, chosen, options_.threads));
    OCTET_ASSIGN(const double after,
                 apart_error(layer.layout, grams, rows, rounded, options_.threads));
    if (after < before) {
      round.columns = Columns::kAll;
      OCTET_ASSIGN(chosen, round_layer(grams, rows, weight.shape(), quantizer.params, round));
      OCTET_ASSIGN(RoundedWeight made,
                   to_weight(layer.layout, weight.shape(), chosen, quantizer.params));
      quantizer.params = std::move(made.params);
      quantizer.integers = std::move(made.integers);
      ++out_.report.rounded;
    }
    correct_bias(layer, grams, rows, chosen);
    return {};
  }

  GramSums grams_of(const Layer& layer, const LayerStatistics& seen, float x_scale) const {
    GramSums out = gram_sums(layer.layout, seen);
    scale_columns(layer, out);
    // Rounding to steps of s leaves an error of variance s^2 / 12 in each column.
    const double variance = static_cast<double>(x_scale) * static_cast<double>(x_scale) / 12.0;
    add_diagonal(out, out.fit, variance * static_cast<double>(out.sums.fit_count));
    add_diagonal(out, out.apart, variance * static_cast<double>(out.sums.apart_count));
    return out;
  }

  // Column (channel, tap) takes the factor of its channel.
  void scale_columns(const Layer& layer, GramSums& grams) const {
    const std::vector<float> factors = data_factors(layer);
    const auto k = static_cast<size_t>(layer.layout.columns);
    const auto groups = static_cast<size_t>(layer.layout.groups);
    const size_t channels = factors.size() / groups;
    if (factors.empty() || channels == 0 || k % channels != 0) return;
    const size_t taps = k / channels;
    for (size_t group = 0; group < groups; ++group) {
      const auto factor = [&](size_t column) {
        return static_cast<double>(factors[group * channels + column / taps]);
      };
      for (size_t a = 0; a < k; ++a) {
        grams.sums.fit[group * k + a] *= factor(a);
        grams.sums.apart[group * k + a] *= factor(a);
        for (size_t b = 0; b < k; ++b) {
          grams.fit[(group * k + a) * k + b] *= factor(a) * factor(b);
          grams.apart[(group * k + a) * k + b] *= factor(a) * factor(b);
        }
      }
    }
  }

  // Dead columns stay dead: they say nothing about their weights.
  static void add_diagonal(const GramSums& grams, std::vector<double>& gram, double amount) {
    const auto k = static_cast<size_t>(grams.layout.columns);
    for (size_t first = 0; first < gram.size(); first += k * k) {
      for (size_t a = 0; a < k; ++a) {
        double& entry = gram[first + a * k + a];
        if (entry > 0.0) entry += amount;
      }
    }
  }

  void correct_bias(const Layer& layer, const GramSums& grams, const std::vector<float>& rows,
                    const RowIntegers& integers) {
    if (!layer.bias.valid()) return;
    const ColumnSums& sums = grams.sums;
    const auto fit =
        mean_shift(layer.layout, rows, integers, sums.fit, sums.fit, 1.0, sums.fit_count);
    const auto apart =
        mean_shift(layer.layout, rows, integers, sums.apart, sums.apart, 1.0, sums.apart_count);
    double before = 0.0;
    double after = 0.0;
    for (size_t c = 0; c < fit.size(); ++c) {
      before += apart[c] * apart[c];
      after += (apart[c] - fit[c]) * (apart[c] - fit[c]);
    }
    if (!(after < before)) return;
    const Tensor& tensor = *equalized_->constant(layer.bias);
    const auto fits = static_cast<double>(sums.fit_count);
    const auto aparts = static_cast<double>(sums.apart_count);
    std::vector<float> bias = tensor.to_floats();
    for (size_t c = 0; c < bias.size(); ++c) {
      const double mean = (fit[c] * fits + apart[c] * aparts) / (fits + aparts);
      const auto corrected = static_cast<float>(static_cast<double>(bias[c]) + mean);
      if (std::isfinite(corrected)) bias[c] = corrected;
    }
    ++out_.report.corrected;
    out_.plan.replaced.push_back(
        {equalized_->value(layer.bias).name, Tensor::of<float>(tensor.shape(), bias)});
  }

  const std::shared_ptr<const Graph>& canonical_;
  const Statistics& seen_;
  const plan::BackendSpec& spec_;
  const plan::Recipe& recipe_;
  const RecipeOptions& options_;
  const ChannelClasses classes_;
  std::map<std::string, const LayerStatistics*> of_layer_;  // by first output
  std::vector<float> factors_;                              // by class of channels
  std::shared_ptr<const Graph> equalized_;
  plan::QuantPlan edits_;  // only replaced and scalings
  RecipeResult out_;
};

}  // namespace

Result<RecipeResult> plan_from_statistics(const std::shared_ptr<const Graph>& canonical,
                                          const Statistics& statistics,
                                          const plan::BackendSpec& spec, const plan::Recipe& recipe,
                                          const RecipeOptions& options) {
  return StatisticsRun(canonical, statistics, spec, recipe, options).run();
}

}  // namespace octet::accuracy
