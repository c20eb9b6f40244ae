#include "compiler/accuracy/cures.h"

#include <algorithm>
#include <cmath>

#include "compiler/accuracy/channels.h"
#include "compiler/accuracy/round_layer.h"
#include "compiler/base/names.h"
#include "compiler/calibration/range.h"
#include "compiler/interpreter/interpreter.h"
#include "compiler/plan/apply.h"
#include "compiler/plan/parameters.h"
#include "compiler/plan/recipe.h"

namespace octet::accuracy {

using ir::Graph;
using ir::NodeId;
using ir::QuantParams;
using ir::Tensor;
using ir::ValueId;

namespace {

std::string reader_names(const Graph& graph, const std::vector<NodeId>& readers) {
  std::string out;
  for (const NodeId id : readers) {
    if (!out.empty()) out += ", ";
    out += ir::display_name(graph, graph.node(id));
  }
  return out;
}

std::string override_line(const std::string& node, const std::string& what) {
  return cat("recipe: ", plan::override_text(node, what));
}

plan::Space space_of(const QuantParams& params) {
  plan::Space out;
  out.dtype = params.storage();
  out.symmetry = params.symmetric() && params.qmin() == -params.qmax()
                     ? numerics::Symmetry::kSymmetric
                     : numerics::Symmetry::kAsymmetric;
  out.qmin = params.qmin();
  out.qmax = params.qmax();
  return out;
}

class TensorTrials {
 public:
  TensorTrials(const CureContext& context, size_t tensor)
      : context_(context),
        graph_(*context.input.real),
        source_(context.sources.tensors[tensor]),
        quantizer_(context.input.plan.activations[source_.quantizer]) {}

  Result<std::vector<Trial>> run() {
    OCTET_TRY(clip());
    OCTET_TRY(equalize());
    return std::move(out_);
  }

 private:
  void add(const std::string& name, const std::string& how, QuantParams params) {
    plan::ActivationQuantizer changed = quantizer_;
    changed.params = std::move(params);
    Trial trial;
    trial.cure = {name, how, quantizer_.value};
    trial.edit = [part = &context_.part, changed](Graph& graph) {
      return part->put(graph, changed);
    };
    out_.push_back(std::move(trial));
  }

  Status clip() {
    const auto found = context_.statistics.tensors.find(quantizer_.value);
    const QuantParams& params = quantizer_.params;
    if (found == context_.statistics.tensors.end() || !params.per_tensor()) return {};
    const plan::Space space = space_of(params);
    const auto shape = space.symmetry == numerics::Symmetry::kSymmetric
                           ? calibration::RangeShape::kSymmetric
                           : calibration::RangeShape::kAnywhere;
    std::vector<QuantParams> tried = {params};
    const NodeId speaker =
        source_.readers.empty() ? graph_.value(source_.value).producer : source_.readers.front();
    if (!speaker.valid()) return {};
    const std::string node = ir::display_name(graph_, graph_.node(speaker));
    for (const char* method : {"mse", "percentile:99.99", "percentile:99.9"}) {
      OCTET_ASSIGN(const calibration::RangeMethod parsed, calibration::parse_range_method(method));
      const auto range = calibration::choose_range(found->second, parsed,
                                                   params.qmax() - params.qmin() + 1, shape);
      if (!range.ok()) continue;
      OCTET_ASSIGN(QuantParams changed, plan::params_for_range(space, *range));
      if (std::find(tried.begin(), tried.end(), changed) != tried.end()) continue;
      tried.push_back(changed);
      add("clip the range", override_line(node, cat("range: \"", method, "\"")),
          std::move(changed));
    }
    return {};
  }

  // How far a channel comes towards the tensor's range: 1 where it gets a range of its own.
  // Negative where nothing can be done.
  double alpha() const {
    const ChannelClasses classes(graph_);
    const ChannelClasses::Channels& channels = classes.of(source_.value);
    bool free = false;
    bool clipped = false;
    for (int64_t i = 0; channels.first >= 0 && i < channels.count; ++i) {
      const size_t channel_class = classes.class_of(channels.first + i);
      free = free || !classes.fixed(channel_class);
      clipped = clipped || classes.clipped(channel_class);
    }
    bool dense = false;
    bool matmul = false;
    for (const NodeId id : source_.readers) {
      const ir::Node& node = graph_.node(id);
      const Tensor* weight = graph_.constant(node.input(1));
      const auto layout = weight == nullptr ? std::nullopt : weight_layout(node, *weight);
      if (!layout) continue;
      matmul = matmul || node.is("MatMul");
      dense = dense || layout->groups == 1 || layout->groups != channels.count;
    }
    if (matmul) return 0.8;
    if (!free || (dense && clipped)) return -1.0;
    return dense ? 0.5 : 1.0;
  }

  Status equalize() {
    const TensorSurvey::Seen* seen = context_.survey.of(source_.value);
    const QuantParams& params = quantizer_.params;
    if (context_.input.equalized == AnalyzeInput::Equalized::kDone || seen == nullptr ||
        !params.per_tensor() || seen->low.size() < 2) {
      return {};
    }
    const double by = alpha();
    if (by <= 0.0) return {};
    constexpr double kLeast = 1.0 / 256;
    float greatest = 0.0F;
    for (size_t c = 0; c < seen->low.size(); ++c)
      greatest = std::max(greatest, magnitude(*seen, c));
    if (!(greatest > 0.0F)) return {};
    QuantParams::Spec spec = params.spec();
    spec.granularity = ir::Granularity::kPerAxis;
    spec.axis = static_cast<int64_t>(seen->axis);
    spec.scales.clear();
    for (size_t c = 0; c < seen->low.size(); ++c) {
      const double share = std::max(kLeast, static_cast<double>(magnitude(*seen, c) / greatest));
      spec.scales.push_back(params.scales().front() * static_cast<float>(std::pow(share, by)));
    }
    spec.zero_points.assign(spec.scales.size(), params.zero_points().front());
    auto changed = QuantParams::make(std::move(spec));
    // Scales too small to be: a tensor of next to nothing.
    if (!changed.ok()) return {};
    add("equalize its channels", "--effort default", std::move(changed).value());
    return {};
  }

  static float magnitude(const TensorSurvey::Seen& seen, size_t c) {
    const float out = std::max(std::abs(seen.low[c]), std::abs(seen.high[c]));
    return std::isfinite(out) ? out : 0.0F;
  }

  const CureContext& context_;
  const Graph& graph_;
  const TensorSource& source_;
  const plan::ActivationQuantizer& quantizer_;
  std::vector<Trial> out_;
};

// Keeps what one layer reads of every sample.
class DataRecorder : public interpreter::Observer {
 public:
  explicit DataRecorder(Tensor& to) : to_(to) {}
  Status observe(ValueId, const Tensor& value) override {
    OCTET_ASSIGN(to_, Tensor::zeros(value.dtype(), value.shape()));
    std::copy(value.bytes().begin(), value.bytes().end(), to_.mutable_data<std::byte>().begin());
    return {};
  }

 private:
  Tensor& to_;
};

class WeightTrials {
 public:
  WeightTrials(const CureContext& context, size_t weight)
      : context_(context),
        graph_(*context.input.real),
        source_(context.sources.weights[weight]),
        quantizer_(context.input.plan.constants[source_.quantizer]) {
    for (const SourceLayer& layer : context.sources.layers) {
      if (layer.weight == weight && layer.alone) layer_ = &layer;
    }
  }

  Result<std::vector<Trial>> run() {
    const QuantParams& params = quantizer_.params;
    if (layer_ == nullptr || !params.symmetric() || params.qmin() >= 0 || params.qmax() <= 0) {
      return std::move(out_);
    }
    weight_ = graph_.constant(source_.constant);
    OCTET_TRY(per_channel());
    OCTET_TRY(zero_dead_columns());
    OCTET_TRY(second_order());
    return std::move(out_);
  }

 private:
  void add(const std::string& name, const std::string& how, Tensor numbers) {
    Trial trial;
    trial.cure = {name, how, reader_names(graph_, source_.readers)};
    trial.edit = [part = &context_.part, value = quantizer_.value, numbers = std::move(numbers)](
                     Graph& graph) { return part->put(graph, value, numbers); };
    out_.push_back(std::move(trial));
  }

  // To nearest, scales from the greatest magnitudes.
  Result<Tensor> nearest(const Tensor& weight, ir::Granularity granularity) const {
    plan::Space space = space_of(quantizer_.params);
    space.symmetry = numerics::Symmetry::kSymmetric;
    space.granularity = granularity;
    OCTET_ASSIGN(const QuantParams params,
                 plan::params_for_constant(space, weight, layer_->layer.layout.channel_axis(), {}));
    OCTET_ASSIGN(const Tensor integers, plan::quantize_constant(weight, params));
    return dequantized(integers, params);
  }

  Status per_channel() {
    if (!quantizer_.params.per_tensor()) return {};
    OCTET_ASSIGN(Tensor numbers, nearest(*weight_, ir::Granularity::kPerAxis));
    add("a scale per channel", "a backend whose weights are per channel", std::move(numbers));
    return {};
  }

  Status zero_dead_columns() {
    const TensorSurvey::Seen* seen = context_.survey.of(layer_->layer.x);
    if (seen == nullptr) return {};
    const ChannelFacts facts = channel_facts(*seen);
    const WeightLayout& layout = layer_->layer.layout;
    const bool conv = graph_.node(layer_->layer.node).is("Conv");
    const int64_t per_group = conv ? weight_->shape()[1] : layout.columns;
    if (facts.dead.empty() || facts.count != per_group * layout.groups) return {};
    std::vector<float> rows = weight_rows(layout, weight_->data<float>());
    const int64_t taps = layout.columns / per_group;
    bool sets_a_scale = false;
    for (const int64_t channel : facts.dead) {
      const int64_t first_row = channel / per_group * layout.rows;
      for (int64_t r = first_row; r < first_row + layout.rows; ++r) {
        float* row = rows.data() + r * layout.columns;
        float* dead = row + channel % per_group * taps;
        const float greatest = greatest_of(row, layout.columns);
        sets_a_scale = sets_a_scale || (greatest > 0.0F && greatest_of(dead, taps) >= greatest);
        std::fill_n(dead, taps, 0.0F);
      }
    }
    if (!sets_a_scale) return {};
    const Tensor cleaned =
        Tensor::of<float>(weight_->shape(), from_weight_rows<float>(layout, rows));
    OCTET_ASSIGN(Tensor numbers, nearest(cleaned, quantizer_.params.granularity()));
    add("set weights of dead channels to zero",
        cat("zero what the weight ", quote_name(quantizer_.value), " has for input channels ",
            list(facts.dead)),
        std::move(numbers));
    return {};
  }

  static float greatest_of(const float* values, int64_t count) {
    float out = 0.0F;
    for (int64_t i = 0; i < count; ++i) out = std::max(out, std::abs(values[i]));
    return out;
  }

  static std::string list(const std::vector<int64_t>& channels) {
    constexpr size_t kShown = 8;
    std::string out;
    for (size_t i = 0; i < std::min(kShown, channels.size()); ++i) {
      out += cat(i == 0 ? "" : ", ", channels[i]);
    }
    return channels.size() > kShown ? cat(out, " and ", channels.size() - kShown, " more") : out;
  }

  Status second_order() {
    if (source_.second_order) return {};
    std::vector<Tensor> data(context_.samples.size());
    OCTET_TRY(record(data));
    if (std::any_of(data.begin(), data.end(),
                    [](const Tensor& x) { return x.dtype() != ir::DType::kFloat32; })) {
      return {};
    }
    const WeightLayout& layout = layer_->layer.layout;
    auto grams =
        gather_grams(graph_.node(layer_->layer.node), layout, weight_->shape(),
                     layer_inputs(data, 0), context_.options.threads, context_.options.max_memory);
    if (!grams.ok() && grams.error().code() == ErrorCode::kResourceLimit) return {};
    if (!grams.ok()) return grams.error();
    const std::vector<float> rows = weight_rows(layout, weight_->data<float>());
    OCTET_ASSIGN(
        const RowIntegers rounded,
        round_layer(*grams, rows, weight_->shape(), quantizer_.params, {context_.options.threads}));
    OCTET_ASSIGN(const RoundedWeight made,
                 to_weight(layout, weight_->shape(), rounded, quantizer_.params));
    add("round by second order", "--effort default", dequantized(made.integers, made.params));
    return {};
  }

  Status record(std::vector<Tensor>& data) const {
    interpreter::Options options;
    options.max_memory = context_.options.max_memory;
    options.observed = {layer_->layer.x};
    OCTET_ASSIGN(const interpreter::Interpreter interpreter,
                 interpreter::Interpreter::create(context_.input.real, options));
    for (size_t i = 0; i < data.size(); ++i) {
      DataRecorder recorder(data[i]);
      auto outputs = interpreter.run(context_.samples.at(i), &recorder);
      if (!outputs.ok()) return outputs.error();
    }
    return {};
  }

  const CureContext& context_;
  const Graph& graph_;
  const WeightSource& source_;
  const plan::ConstantQuantizer& quantizer_;
  const SourceLayer* layer_ = nullptr;
  const Tensor* weight_ = nullptr;
  std::vector<Trial> out_;
};

}  // namespace

Result<std::vector<Trial>> tensor_trials(const CureContext& context, size_t tensor) {
  return TensorTrials(context, tensor).run();
}

Result<std::vector<Trial>> weight_trials(const CureContext& context, size_t weight) {
  return WeightTrials(context, weight).run();
}

}  // namespace octet::accuracy
