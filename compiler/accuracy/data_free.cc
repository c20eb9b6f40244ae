#include "compiler/accuracy/data_free.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "compiler/accuracy/cross_layer.h"
#include "compiler/accuracy/equalize.h"
#include "compiler/accuracy/finish_plan.h"
#include "compiler/accuracy/layer_rounding.h"
#include "compiler/base/names.h"
#include "compiler/calibration/fingerprint.h"
#include "compiler/plan/apply.h"
#include "compiler/plan/parameters.h"
#include "compiler/plan/planner.h"

namespace octet::accuracy {

using ir::Graph;
using ir::Node;
using ir::Tensor;
using ir::ValueId;

namespace {

constexpr double kTapCorrelation = 0.5;
constexpr double kHighBias = 3.0;  // deviations
// Layers of more columns keep plain rounding: the Gram would be large and says little.
constexpr int64_t kMostColumns = 4096;

class DataFree {
 public:
  DataFree(const std::shared_ptr<const Graph>& canonical, const plan::BackendSpec& spec,
           const plan::Recipe& recipe, const DataFreeOptions& options)
      : canonical_(canonical), spec_(spec), recipe_(recipe), options_(options) {}

  Result<RecipeResult> run() {
    OCTET_TRY(plan::check_selectors(recipe_, *canonical_));
    if (options_.facts.empty()) return no_batch_norms();
    facts_ = options_.facts;
    OCTET_TRY(find_inputs());
    moments_ = propagate_moments(*canonical_, facts_, inputs_);
    OCTET_TRY(equalize_channels());
    moments_ = propagate_moments(*equalized_, facts_, inputs_);
    OCTET_ASSIGN(const calibration::Statistics statistics, make_statistics());
    OCTET_ASSIGN(out_.plan, plan::make_plan(*equalized_, statistics, spec_, recipe_));
    for (const Layer& layer : find_layers(*equalized_, plan::place(*equalized_, spec_, recipe_))) {
      OCTET_TRY(refine(layer).in(ir::describe(*equalized_, layer.node)));
    }
    OCTET_TRY(finish());
    return std::move(out_);
  }

 private:
  Status find_inputs() {
    for (const ValueId id : canonical_->required_inputs()) {
      const ir::Value& value = canonical_->value(id);
      if (value.type.storage != ir::DType::kFloat32) continue;
      const auto given = options_.inputs.find(value.name);
      ValueMoments moments =
          given != options_.inputs.end() ? given->second : guess_input(*canonical_, facts_, id);
      if (!moments.channels.empty()) inputs_[id] = std::move(moments);
    }
    return {};
  }

  // Magnitudes by channel, as if they had been measured; none where the channels are not known.
  std::map<ValueId, ChannelReach> reach_of(const std::vector<ChannelRanges::Axis>& wanted) const {
    std::map<ValueId, ChannelReach> out;
    for (const ChannelRanges::Axis& value : wanted) {
      const auto it = moments_.find(value.value);
      if (it == moments_.end() || it->second.axis != value.axis) continue;
      ChannelReach& reach = out[value.value];
      for (const ChannelMoments& c : it->second.channels) {
        reach.greatest.push_back(static_cast<float>(std::max(std::abs(c.low), std::abs(c.high))));
      }
      reach.least = least_of(value.value, reach.greatest.size());
    }
    return out;
  }

  // What channels behind an activation seldom go below: of what it reads, 3 deviations under the
  // mean.
  std::vector<float> least_of(ValueId value, size_t count) const {
    const ir::NodeId producer = canonical_->value(value).producer;
    if (!producer.valid() || !canonical_->node(producer).input(0).valid()) return {};
    const auto before = moments_.find(canonical_->node(producer).input(0));
    if (before == moments_.end() || before->second.channels.size() != count) return {};
    std::vector<float> out;
    for (const ChannelMoments& c : before->second.channels) {
      out.push_back(static_cast<float>(std::max(0.0, c.mean - kHighBias * c.deviation)));
    }
    return out;
  }

  Status equalize_channels() {
    equalized_ = canonical_;
    const std::vector<Layer> layers =
        find_layers(*canonical_, plan::place(*canonical_, spec_, recipe_));
    const ChannelClasses classes(*canonical_);
    const auto wanted = values_to_range(
        *canonical_, classes, layers, plan::needed_statistics(*canonical_, spec_, recipe_).values);
    const std::map<ValueId, ChannelReach> reach = reach_of(wanted);
    Equalization decided;
    if (has_per_tensor_weights(spec_)) {
      CrossLayer made =
          equalize_across_layers(*canonical_, classes, layers, reach, bounds_of(spec_));
      edits_.bounds = std::move(made.bounds);
      out_.report.dead_channels = made.dead;
      out_.report.high_biases = made.high_biases;
      absorbed_ = std::move(made.absorbed);
      decided = std::move(made.equalization);
    } else {
      ChannelRanges ranges(wanted);
      for (const auto& [value, own] : reach) observe(value, own.greatest, ranges);
      decided = equalize(*canonical_, classes, layers, ranges);
    }
    for (const auto& [id, tensor] : decided.constants) {
      edits_.replaced.push_back({canonical_->value(id).name, tensor});
    }
    edits_.scalings = decided.scalings;
    out_.report.equalized_tensors = decided.tensors;
    out_.report.equalized_channels = decided.channels;
    move_facts(decided.value_factors);
    Graph edited = *canonical_;
    OCTET_TRY(plan::apply_edits(edited, edits_));
    equalized_ = std::make_shared<const Graph>(std::move(edited));
    return {};
  }

  // One sample of the greatest magnitudes, shaped to have the channels on their axis.
  void observe(ValueId value, const std::vector<float>& greatest, ChannelRanges& ranges) const {
    const size_t axis = moments_.at(value).axis;
    std::vector<int64_t> shape(axis + 1, 1);
    shape.back() = static_cast<int64_t>(greatest.size());
    ranges.observe(value, Tensor::of<float>(shape, greatest));
  }

  // What batch norms say of the equalized model.
  void move_facts(const std::map<ValueId, std::vector<float>>& factors) {
    for (const auto& [value, own] : factors) {
      const auto fact = facts_.find(canonical_->value(value).name);
      if (fact == facts_.end() || fact->second.mean.size() != own.size()) continue;
      for (size_t c = 0; c < own.size(); ++c) {
        fact->second.mean[c] *= static_cast<double>(own[c]);
        fact->second.deviation[c] *= static_cast<double>(own[c]);
      }
    }
    for (const auto& [value, taken] : absorbed_) {
      const auto fact = facts_.find(canonical_->value(value).name);
      if (fact == facts_.end() || fact->second.mean.size() != taken.size()) continue;
      for (size_t c = 0; c < taken.size(); ++c) {
        fact->second.mean[c] -= static_cast<double>(taken[c]);
      }
    }
  }

  Result<calibration::Statistics> make_statistics() const {
    calibration::Statistics out;
    out.fingerprint = calibration::fingerprint(*equalized_);
    out.data_free = true;
    for (const ValueId value : plan::needed_statistics(*equalized_, spec_, recipe_).values) {
      const std::string& name = equalized_->value(value).name;
      const auto it = moments_.find(value);
      if (it == moments_.end()) return no_range(value);
      calibration::TensorStatistics& tensor = out.tensors[name];
      tensor.samples = 1;
      tensor.elements = 1;
      double low = 0.0;
      double high = 0.0;
      for (const ChannelMoments& c : it->second.channels) {
        low = std::min(low, c.low);
        high = std::max(high, c.high);
      }
      tensor.min = static_cast<float>(low);
      tensor.max = static_cast<float>(high);
      if (!std::isfinite(tensor.min) || !std::isfinite(tensor.max)) return no_range(value);
    }
    return out;
  }

  // Names the first node whose result needs a range.
  Error no_batch_norms() const {
    const std::set<ValueId> needed = plan::needed_statistics(*canonical_, spec_, recipe_).values;
    std::string where;
    for (const ir::NodeId id : canonical_->order()) {
      const ValueId output = canonical_->node(id).output();
      if (!output.valid() || !needed.contains(output)) continue;
      where = cat(", so nothing says what ", ir::describe(*canonical_, id), " computes");
      break;
    }
    return unsupported(
        "--data none takes ranges from batch norms, and the model has none with constant "
        "statistics",
        where, "; give samples (--data), or a model exported with its batch norms");
  }

  Error no_range(ValueId value) const {
    const ir::NodeId producer = equalized_->value(value).producer;
    return unsupported("value ", quote_name(equalized_->value(value).name), ", ",
                       producer.valid()
                           ? cat("which ", ir::describe(*equalized_, producer), " computes")
                           : "an input",
                       ": its range does not follow from batch norms; give samples (--data), or "
                       "keep what reads it "
                       "in float (--recipe)");
  }

  // The Gram that the moments imply for one group of a layer, without the means where the bias
  // takes them up.
  std::vector<double> implied_gram(const Layer& layer, const ValueMoments& x, int64_t group) const {
    const auto columns = static_cast<size_t>(layer.layout.columns);
    const size_t taps = taps_of(layer);
    const size_t first = static_cast<size_t>(group) * (columns / taps);
    std::vector<double> out(columns * columns, 0.0);
    for (size_t a = 0; a < columns; ++a) {
      for (size_t b = 0; b < columns; ++b) {
        const ChannelMoments& p = channel_of(x, first + a / taps);
        const ChannelMoments& q = channel_of(x, first + b / taps);
        double& h = out[a * columns + b];
        if (!layer.bias.valid()) h = p.mean * q.mean;
        if (a / taps != b / taps) continue;
        h += p.deviation * p.deviation * (a == b ? 1.0 : kTapCorrelation);
      }
    }
    return out;
  }

  static const ChannelMoments& channel_of(const ValueMoments& x, size_t channel) {
    return x.channels[x.channels.size() == 1 ? 0 : channel % x.channels.size()];
  }

  size_t taps_of(const Layer& layer) const {
    const Tensor& w = *equalized_->constant(layer.weight);
    if (!equalized_->node(layer.node).is("Conv")) return 1;
    return static_cast<size_t>(w.element_count() / (w.shape()[0] * w.shape()[1]));
  }

  Status refine(const Layer& layer) {
    const auto x = moments_.find(layer.x);
    const std::string& name = equalized_->value(layer.weight).name;
    const auto quantizer = std::find_if(out_.plan.constants.begin(), out_.plan.constants.end(),
                                        [&](const auto& entry) { return entry.value == name; });
    if (x == moments_.end() || quantizer == out_.plan.constants.end() ||
        !quantizer->params.symmetric() || quantizer->params.qmin() >= 0 ||
        quantizer->uses.size() != 1 || !quantizer->uses.front().factor.empty()) {
      return {};
    }
    ++out_.report.layers;
    const Tensor& weight = *equalized_->constant(layer.weight);
    const std::vector<float> rows = weight_rows(layer.layout, weight.data<float>());
    OCTET_ASSIGN(const Tensor nearest, plan::quantize_constant(weight, quantizer->params));
    RowIntegers chosen =
        as_rows(layer.layout, quantizer->params, weight.shape(), nearest.to_floats());
    if (layer.layout.columns <= kMostColumns) {
      OCTET_ASSIGN(chosen, round(layer, x->second, quantizer->params, rows));
      ++out_.report.rounded;
      OCTET_TRY(put(layer, chosen, *quantizer));
    }
    correct_bias(layer, x->second, rows, chosen);
    return {};
  }

  Result<RowIntegers> round(const Layer& layer, const ValueMoments& x,
                            const ir::QuantParams& params, const std::vector<float>& rows) const {
    std::vector<float> least;
    if (layer.bias.valid() && spec_.bias == plan::BiasForm::kInt32) {
      least = plan::bias_scale_floor(*equalized_->constant(layer.bias), x_scale(layer));
    }
    LayerRounding rounding{
        layer.layout, params, equalized_->constant(layer.weight)->shape(), least, {}};
    rounding.options.threads = options_.threads;
    const plan::OpRule* rule = spec_.find_op(equalized_->node(layer.node));
    const plan::Space* space = rule == nullptr ? nullptr : spec_.find_space(rule->weight_space);
    if (space != nullptr) rounding.options.scale_form = space->scales;
    return round_weights(rounding, rows, [&](int64_t group, std::vector<double>& room) {
      room = implied_gram(layer, x, group);
      return Gram{room, static_cast<size_t>(layer.layout.columns)};
    });
  }

  // Of the quantizer on the layer's data; 1 where it reads float.
  float x_scale(const Layer& layer) const {
    const std::string& name = equalized_->value(layer.x).name;
    for (const plan::ActivationQuantizer& quantizer : out_.plan.activations) {
      if (quantizer.value == name) return quantizer.params.scales().front();
    }
    return 1.0F;
  }

  static Status put(const Layer& layer, const RowIntegers& chosen,
                    plan::ConstantQuantizer& quantizer, const std::vector<int64_t>& shape) {
    ir::QuantParams::Spec spec = quantizer.params.spec();
    spec.scales = scales_of(layer.layout, quantizer.params, shape, chosen);
    OCTET_ASSIGN(quantizer.params, ir::QuantParams::make(std::move(spec)));
    OCTET_ASSIGN(Tensor integers, Tensor::zeros(quantizer.params.storage(), shape));
    const std::vector<int32_t> ordered = from_weight_rows<int32_t>(layer.layout, chosen.integers);
    for (size_t i = 0; i < ordered.size(); ++i) {
      integers.set_from_int64(static_cast<int64_t>(i), ordered[i]);
    }
    quantizer.integers = std::move(integers);
    return {};
  }
  Status put(const Layer& layer, const RowIntegers& chosen,
             plan::ConstantQuantizer& quantizer) const {
    return put(layer, chosen, quantizer, equalized_->constant(layer.weight)->shape());
  }

  void correct_bias(const Layer& layer, const ValueMoments& x, const std::vector<float>& rows,
                    const RowIntegers& integers) {
    if (!layer.bias.valid()) return;
    const auto columns = static_cast<size_t>(layer.layout.columns);
    const size_t taps = taps_of(layer);
    std::vector<float> bias = equalized_->constant(layer.bias)->to_floats();
    for (size_t r = 0; r < bias.size(); ++r) {
      const size_t first = r / static_cast<size_t>(layer.layout.rows) * (columns / taps);
      double shift = 0.0;
      for (size_t k = 0; k < columns; ++k) {
        shift += (integers.value(r, k, columns) - static_cast<double>(rows[r * columns + k])) *
                 channel_of(x, first + k / taps).mean;
      }
      const auto corrected = static_cast<float>(static_cast<double>(bias[r]) - shift);
      if (std::isfinite(corrected)) bias[r] = corrected;
    }
    ++out_.report.corrected;
    out_.plan.replaced.push_back(
        {equalized_->value(layer.bias).name,
         Tensor::of<float>(equalized_->constant(layer.bias)->shape(), bias)});
  }

  // As RecipeRun::finish: the plan speaks of the canonical graph.
  Status finish() {
    out_.equalized = equalized_;
    return finish_plan(*canonical_, *equalized_, edits_, out_.plan);
  }

  const std::shared_ptr<const Graph>& canonical_;
  const plan::BackendSpec& spec_;
  const plan::Recipe& recipe_;
  const DataFreeOptions& options_;
  std::shared_ptr<const Graph> equalized_;
  NormFacts facts_;  // of the graph at hand
  std::map<ValueId, ValueMoments> inputs_;
  std::map<ValueId, ValueMoments> moments_;  // of the graph at hand
  std::map<ValueId, std::vector<float>> absorbed_;
  plan::QuantPlan edits_;  // only replaced, scalings and bounds
  RecipeResult out_;
};

}  // namespace

Result<RecipeResult> plan_without_data(const std::shared_ptr<const Graph>& canonical,
                                       const plan::BackendSpec& spec, const plan::Recipe& recipe,
                                       const DataFreeOptions& options) {
  return DataFree(canonical, spec, recipe, options).run();
}

}  // namespace octet::accuracy
