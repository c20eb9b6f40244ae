#include "compiler/accuracy/judge.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "compiler/accuracy/effective_samples.h"
#include "compiler/base/thread_pool.h"
#include "compiler/interpreter/interpreter.h"
#include "compiler/ops/schema.h"
#include "compiler/plan/apply.h"

namespace octet::accuracy {

using interpreter::Interpreter;
using ir::Graph;
using ir::Tensor;
using ir::ValueId;

namespace {

constexpr double kSilence = 1e-20;  // 200 dB

bool is_float(const Tensor& tensor) { return numerics::is_floating_point(tensor.dtype()); }

// An output of another shape (what was detected differs) is all noise.
OutputError error_of(const Tensor& real, const Tensor& other) {
  OutputError out;
  const std::vector<float> x = real.to_floats();
  const std::vector<float> y = other.to_floats();
  for (size_t i = 0; i < x.size(); ++i) {
    const double a = x[i];
    const double difference = x.size() == y.size() ? static_cast<double>(y[i]) - a : a;
    out.power += a * a;
    out.noise += difference * difference;
  }
  return out;
}

int64_t bytes_of(const std::vector<Tensor>& tensors) {
  int64_t out = 0;
  for (const Tensor& tensor : tensors) out += static_cast<int64_t>(tensor.bytes().size());
  return out;
}

Result<Interpreter> interpreter_for(std::shared_ptr<const Graph> graph, int64_t max_memory,
                                    std::vector<ValueId> observed = {}) {
  interpreter::Options options;
  if (max_memory > 0) options.max_memory = max_memory;
  options.observed = std::move(observed);
  return Interpreter::create(std::move(graph), options);
}

}  // namespace

std::vector<double> OutputErrors::relative_noise(Half half) const {
  std::vector<OutputError> sums;
  for (size_t i = 0; i < samples_.size(); ++i) {
    if (half == Half::kEven && i % 2 == 1) continue;
    if (half == Half::kOdd && i % 2 == 0) continue;
    sums.resize(std::max(sums.size(), samples_[i].size()));
    for (size_t k = 0; k < samples_[i].size(); ++k) {
      sums[k].power += samples_[i][k].power;
      sums[k].noise += samples_[i][k].noise;
    }
  }
  std::vector<double> out;
  for (const OutputError& sum : sums) {
    if (!(sum.power > 0.0)) continue;
    const double ratio = sum.noise / sum.power;
    // NaN is as bad as can be.
    out.push_back(std::isfinite(ratio) ? std::max(ratio, kSilence) : 1e20);
  }
  return out;
}

std::optional<double> OutputErrors::worst_sqnr() const {
  const std::vector<double> noise = relative_noise(Half::kAll);
  if (noise.empty()) return std::nullopt;
  return -10.0 * std::log10(*std::max_element(noise.begin(), noise.end()));
}

double OutputErrors::joint_sqnr(Half half) const {
  const std::vector<double> noise = relative_noise(half);
  if (noise.empty()) return 200.0;
  const double worst = *std::max_element(noise.begin(), noise.end());
  double sum = 0.0;
  for (const double each : noise) sum += std::pow(each / worst, 4.0);
  return -10.0 * std::log10(worst * std::pow(sum / static_cast<double>(noise.size()), 0.25));
}

double OutputErrors::effective_samples() const {
  std::vector<std::vector<double>> powers;  // by output
  for (size_t i = 0; i < samples_.size(); ++i) {
    for (size_t k = 0; k < samples_[i].size(); ++k) {
      if (k == powers.size()) powers.emplace_back(samples_.size(), 0.0);
      powers[k][i] = samples_[i][k].power;
    }
  }
  auto least = static_cast<double>(samples_.size());
  for (const auto& of_output : powers) {
    least = std::min(least, accuracy::effective_samples(of_output));
  }
  return least;
}

double OutputErrors::joint_noise() const { return std::pow(10.0, -joint_sqnr() / 10.0); }

OutputErrors::Gain OutputErrors::gain_over(const OutputErrors& other) const {
  constexpr double kMost = 10.0;  // dB a sample
  const size_t count = std::min(samples_.size(), other.samples_.size());
  Gain out;
  if (count < 2) return out;
  // The joint noise's derivative after each output's noise, up to a factor.
  std::vector<OutputError> sums;
  for (const auto& sample : other.samples_) {
    sums.resize(std::max(sums.size(), sample.size()));
    for (size_t k = 0; k < sample.size(); ++k) {
      sums[k].power += sample[k].power;
      sums[k].noise += sample[k].noise;
    }
  }
  std::vector<double> gains;
  for (size_t i = 0; i < count; ++i) {
    double before = 0.0;
    double after = 0.0;
    for (size_t k = 0; k < std::min(samples_[i].size(), other.samples_[i].size()); ++k) {
      if (!(sums[k].power > 0.0)) continue;
      const double weight = std::pow(sums[k].noise / sums[k].power, 3.0) / sums[k].power;
      before += weight * other.samples_[i][k].noise;
      after += weight * samples_[i][k].noise;
    }
    double gain = 0.0;
    if (!std::isfinite(after)) {
      gain = -kMost;
    } else if (before > 0.0 || after > 0.0) {
      gain = after > 0.0 && before > 0.0 ? 10.0 * std::log10(before / after)
                                         : (after > 0.0 ? -kMost : kMost);
    }
    gains.push_back(std::clamp(gain, -kMost, kMost));
    out.db += gains.back() / static_cast<double>(count);
  }
  double variance = 0.0;
  for (const double gain : gains) variance += (gain - out.db) * (gain - out.db);
  variance /= static_cast<double>(count - 1) * static_cast<double>(count);
  if (variance > 0.0) {
    out.significance = out.db / std::sqrt(variance);
  } else if (out.db > 0.0) {
    out.significance = 1e9;
  }
  return out;
}

OutputErrors OutputErrors::first(size_t count) const {
  const auto end = static_cast<ptrdiff_t>(std::min(count, samples_.size()));
  return OutputErrors({samples_.begin(), samples_.begin() + end});
}

namespace {

int64_t row_count(const Tensor& output) { return output.rank() > 1 ? output.shape().front() : 1; }

}  // namespace

int64_t class_count(const Tensor& output) {
  const int64_t rows = row_count(output);
  return rows > 0 ? output.element_count() / rows : 0;
}

Status check_label(int64_t label, size_t row, int64_t classes) {
  if (label >= 0 && label < classes) return {};
  return bad_data("--labels: label ", row, " is ", label, ", and the first output has ", classes,
                  " classes, 0 to ", classes - 1, "; give labels of the classes of this model");
}

std::vector<int64_t> choices(const Tensor& output) {
  const int64_t rows = row_count(output);
  const int64_t columns = class_count(output);
  std::vector<int64_t> out;
  for (int64_t row = 0; row < rows && columns > 0; ++row) {
    int64_t best = 0;
    for (int64_t k = 1; k < columns; ++k) {
      if (output.at_as_double(row * columns + k) > output.at_as_double(row * columns + best)) {
        best = k;
      }
    }
    out.push_back(best);
  }
  return out;
}

double Judge::Verdict::drop() const {
  if (rows == 0) return 0.0;
  return 100.0 * (static_cast<double>(hits_float) - static_cast<double>(hits)) /
         static_cast<double>(rows);
}

Result<Judge> Judge::make(std::shared_ptr<const Graph> graph, const data::Dataset& dataset,
                          std::vector<size_t> samples, const Options& options) {
  if (samples.empty()) return bad_data("there is no sample to judge a plan on");
  constexpr int64_t kMostKept = int64_t{512} << 20;
  Judge out;
  out.graph_ = graph;
  out.options_ = options;
  OCTET_ASSIGN(const Interpreter interpreter, interpreter_for(graph, options.max_memory));
  // The first says how much room each takes.
  OCTET_ASSIGN(data::Sample first, dataset.get(samples.front()));
  OCTET_ASSIGN(std::vector<Tensor> first_outputs, interpreter.run(first));
  const int64_t each = std::max<int64_t>(1, bytes_of(first) + bytes_of(first_outputs));
  const int64_t room =
      options.max_memory > 0 ? std::min(options.max_memory / 4, kMostKept) : kMostKept;
  const size_t count =
      std::clamp<size_t>(static_cast<size_t>(std::max<int64_t>(room / each, 1)), 1, samples.size());
  samples.resize(count);
  out.inputs_.resize(count);
  out.outputs_.resize(count);
  OCTET_TRY(parallel_for(options.threads, count, [&](size_t, size_t i) -> Status {
    OCTET_ASSIGN(out.inputs_[i], dataset.get(samples[i]));
    auto outputs = interpreter.run(out.inputs_[i]);
    if (!outputs.ok()) return outputs.error().in(cat("sample ", samples[i]));
    out.outputs_[i] = *std::move(outputs);
    return {};
  }));
  if (options.labels.empty()) return out;
  for (size_t i = 0; i < count; ++i) {
    const size_t rows = out.outputs_[i].empty() ? 0 : choices(out.outputs_[i].front()).size();
    std::vector<int64_t> labels;
    for (size_t row = samples[i] * rows; row < (samples[i] + 1) * rows; ++row) {
      if (row >= options.labels.size()) {
        return bad_data(options.labels.size(), " labels for more rows than that");
      }
      OCTET_TRY(check_label(options.labels[row], row, class_count(out.outputs_[i].front())));
      labels.push_back(options.labels[row]);
    }
    out.labels_.push_back(std::move(labels));
  }
  return out;
}

Result<Judge::Verdict> Judge::run(const plan::QuantPlan& plan, size_t samples) const {
  Graph quantized = *graph_;
  OCTET_TRY(plan::apply_plan(quantized, plan));
  return run(quantized, samples);
}

Result<Judge::Verdict> Judge::run(const Graph& quantized, size_t samples) const {
  OCTET_ASSIGN(const Interpreter interpreter,
               interpreter_for(std::make_shared<const Graph>(quantized), options_.max_memory));
  const size_t count = std::min(samples, inputs_.size());
  std::vector<std::vector<OutputError>> errors(count);
  std::vector<std::vector<int64_t>> chosen(count);
  OCTET_TRY(parallel_for(options_.threads, count, [&](size_t, size_t i) -> Status {
    OCTET_ASSIGN(const std::vector<Tensor> outputs, interpreter.run(inputs_[i]));
    for (size_t k = 0; k < outputs.size(); ++k) {
      if (!is_float(outputs_[i][k])) continue;
      errors[i].push_back(error_of(outputs_[i][k], outputs[k]));
    }
    if (!labels_.empty() && !outputs.empty()) chosen[i] = choices(outputs.front());
    return {};
  }));
  Verdict out;
  out.errors = OutputErrors(std::move(errors));
  for (size_t i = 0; i < count && !labels_.empty(); ++i) {
    const std::vector<int64_t> real = choices(outputs_[i].front());
    for (size_t row = 0; row < labels_[i].size(); ++row) {
      ++out.rows;
      out.hits_float += row < real.size() && real[row] == labels_[i][row] ? 1 : 0;
      out.hits += row < chosen[i].size() && chosen[i][row] == labels_[i][row] ? 1 : 0;
    }
  }
  return out;
}

namespace {

// Element counts of the values shown.
class Sizes : public interpreter::Observer {
 public:
  Status observe(ValueId id, const Tensor& value) override {
    shapes_[id] = {value.shape().begin(), value.shape().end()};
    return {};
  }
  const std::vector<int64_t>* of(ValueId id) const {
    const auto it = shapes_.find(id);
    return it == shapes_.end() ? nullptr : &it->second;
  }

 private:
  std::map<ValueId, std::vector<int64_t>> shapes_;
};

double count_of(const std::vector<int64_t>& shape) {
  double out = 1.0;
  for (const int64_t extent : shape) out *= static_cast<double>(extent);
  return out;
}

bool is_product(const ir::Node& node) {
  const ops::OpSchema* schema = ops::find_schema(node);
  return schema != nullptr && schema->weight_channel_axis != nullptr && node.output().valid() &&
         node.input(0).valid() && node.input(1).valid();
}

}  // namespace

Result<std::vector<ProductCost>> product_costs(const std::shared_ptr<const Graph>& graph,
                                               const data::Sample& sample, int64_t max_memory) {
  std::vector<ProductCost> out;
  std::vector<ValueId> observed;
  for (const ir::NodeId id : graph->order()) {
    const ir::Node& node = graph->node(id);
    if (!is_product(node)) continue;
    out.push_back({id, 0.0});
    for (const ValueId value : {node.output(), node.input(0), node.input(1)}) {
      if (graph->constant(value) == nullptr) observed.push_back(value);
    }
  }
  std::sort(observed.begin(), observed.end());
  observed.erase(std::unique(observed.begin(), observed.end()), observed.end());
  OCTET_ASSIGN(const Interpreter interpreter, interpreter_for(graph, max_memory, observed));
  Sizes sizes;
  const auto ran = interpreter.run(sample, &sizes);
  if (!ran.ok()) return ran.error();
  const auto shape_of = [&](ValueId value) -> std::vector<int64_t> {
    if (const Tensor* tensor = graph->constant(value)) {
      return {tensor->shape().begin(), tensor->shape().end()};
    }
    const auto* shape = sizes.of(value);
    return shape == nullptr ? std::vector<int64_t>{} : *shape;
  };
  for (ProductCost& cost : out) {
    const ir::Node& node = graph->node(cost.node);
    const double y = count_of(shape_of(node.output()));
    const std::vector<int64_t> x = shape_of(node.input(0));
    const std::vector<int64_t> w = shape_of(node.input(1));
    if (w.empty() || x.empty()) continue;
    // Every output element adds up as many products as the weight has for one of its channels;
    // every input element of a transposed convolution goes into as many.
    if (node.is("ConvTranspose")) {
      cost.macs = count_of(x) * count_of(w) / static_cast<double>(std::max<int64_t>(1, w.front()));
    } else if (node.is("Conv")) {
      cost.macs = y * count_of(w) / static_cast<double>(std::max<int64_t>(1, w.front()));
    } else {
      const bool transposed = node.is("Gemm") && ir::int_attribute(node, "transA", 0) != 0;
      cost.macs = y * static_cast<double>(transposed ? x.front() : x.back());
    }
  }
  return out;
}

Result<double> computed_elements(const std::shared_ptr<const Graph>& graph,
                                 const data::Sample& sample, int64_t max_memory) {
  std::vector<ValueId> observed;
  for (const ir::NodeId id : graph->order()) {
    for (const ValueId value : graph->node(id).outputs) {
      if (value.valid() && graph->value(value).type.storage == ir::DType::kFloat32) {
        observed.push_back(value);
      }
    }
  }
  OCTET_ASSIGN(const Interpreter interpreter, interpreter_for(graph, max_memory, observed));
  Sizes sizes;
  const auto ran = interpreter.run(sample, &sizes);
  if (!ran.ok()) return ran.error();
  double out = 0.0;
  for (const ValueId value : observed) {
    if (const auto* shape = sizes.of(value)) out += count_of(*shape);
  }
  return out;
}

}  // namespace octet::accuracy
