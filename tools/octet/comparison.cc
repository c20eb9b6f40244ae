#include "tools/octet/comparison.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>

#include "compiler/accuracy/judge.h"
#include "compiler/base/names.h"
#include "compiler/base/thread_pool.h"
#include "compiler/interpreter/interpreter.h"

namespace octet::tools {

using interpreter::Interpreter;
using ir::Graph;
using ir::Tensor;
using ir::ValueId;

std::optional<double> Comparison::worst_sqnr() const {
  std::optional<double> worst;
  for (const TensorError& output : outputs) {
    const auto sqnr = output.sqnr();
    if (sqnr && (!worst || *sqnr < *worst)) worst = sqnr;
  }
  return worst;
}

namespace {

// Keeps copies of the observed tensors of one run, by name.
class Recorder : public interpreter::Observer {
 public:
  explicit Recorder(const Graph& graph) : graph_(graph) {}
  Status observe(ValueId id, const Tensor& value) override {
    OCTET_ASSIGN(Tensor copy, Tensor::zeros(value.dtype(), value.shape()));
    std::copy(value.bytes().begin(), value.bytes().end(), copy.mutable_data<std::byte>().begin());
    tensors_.insert_or_assign(graph_.value(id).name, std::move(copy));
    return {};
  }
  const std::map<std::string, Tensor>& tensors() const { return tensors_; }

 private:
  const Graph& graph_;
  std::map<std::string, Tensor> tensors_;
};

bool is_float(const Tensor& tensor) { return numerics::is_floating_point(tensor.dtype()); }

Result<TensorError> error_of(const std::string& name, const Tensor& a, const Tensor& b) {
  if (a.element_count() != b.element_count()) {
    return usage_error("output ", quote_name(name), " has the shape ",
                       ir::Shape::of(a.shape()).to_string(), " in the first model and ",
                       ir::Shape::of(b.shape()).to_string(), " in the second");
  }
  TensorError out{name};
  for (int64_t i = 0; i < a.element_count(); ++i) {
    const double x = a.at_as_double(i);
    const double difference = b.at_as_double(i) - x;
    out.power += x * x;
    out.noise += difference * difference;
    out.largest = std::max(out.largest, std::abs(difference));
  }
  return out;
}

// What one sample contributes.
struct SampleResult {
  std::vector<TensorError> outputs;
  std::vector<TensorError> tensors;
  std::vector<int64_t> first_choice;
  std::vector<int64_t> second_choice;
  int64_t classes = 0;  // of the first output
};

std::vector<ValueId> shared_values(const Graph& graph, const Graph& other) {
  std::vector<ValueId> out;
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const ir::Value& value = graph.value(ValueId(i));
    const bool computed =
        value.alive && value.producer.valid() && value.type.storage == ir::DType::kFloat32;
    if (!computed) continue;
    const ValueId match = other.find_value(value.name);
    if (match.valid() && other.value(match).producer.valid() &&
        other.value(match).type.storage == ir::DType::kFloat32) {
      out.emplace_back(i);
    }
  }
  return out;
}

void add_to(std::vector<TensorError>& sums, const std::vector<TensorError>& sample) {
  if (sums.empty()) {
    sums = sample;
    return;
  }
  for (size_t i = 0; i < sums.size() && i < sample.size(); ++i) {
    sums[i].power += sample[i].power;
    sums[i].noise += sample[i].noise;
    sums[i].largest = std::max(sums[i].largest, sample[i].largest);
  }
}

class Comparer {
 public:
  Comparer(const Graph& first, const Graph& second, const ComparisonOptions& options)
      : first_(first), second_(second), options_(options) {}

  Result<SampleResult> run(const Interpreter& a, const Interpreter& b,
                           const data::Sample& sample) const {
    Recorder recorder_a(first_);
    Recorder recorder_b(second_);
    auto outputs_a = a.run(sample, &recorder_a);
    if (!outputs_a.ok()) return outputs_a.error().in("first model");
    auto outputs_b = b.run(sample, &recorder_b);
    if (!outputs_b.ok()) return outputs_b.error().in("second model");
    SampleResult out;
    for (size_t i = 0; i < outputs_a->size(); ++i) {
      if (!is_float((*outputs_a)[i])) continue;
      const std::string& name = first_.value(first_.outputs()[i]).name;
      OCTET_ASSIGN(TensorError error, error_of(name, (*outputs_a)[i], (*outputs_b)[i]));
      out.outputs.push_back(std::move(error));
    }
    for (const auto& [name, tensor] : recorder_a.tensors()) {
      const auto match = recorder_b.tensors().find(name);
      if (match == recorder_b.tensors().end()) continue;
      if (match->second.element_count() != tensor.element_count()) continue;
      OCTET_ASSIGN(TensorError error, error_of(name, tensor, match->second));
      out.tensors.push_back(std::move(error));
    }
    if (!outputs_a->empty()) {
      out.first_choice = accuracy::choices(outputs_a->front());
      out.classes = accuracy::class_count(outputs_a->front());
      out.second_choice = accuracy::choices(outputs_b->front());
    }
    return out;
  }

  Result<Comparison> reduce(const std::vector<SampleResult>& samples) const {
    Comparison out;
    out.samples = samples.size();
    size_t first_hits = 0;
    size_t second_hits = 0;
    for (const SampleResult& sample : samples) {
      add_to(out.outputs, sample.outputs);
      add_to(out.tensors, sample.tensors);
      for (size_t row = 0; row < sample.first_choice.size(); ++row, ++out.rows) {
        out.agree += sample.first_choice[row] == sample.second_choice[row] ? 1 : 0;
        if (options_.labels.empty()) continue;
        if (out.rows >= options_.labels.size()) {
          return bad_data(options_.labels.size(), " labels for more rows than that");
        }
        const int64_t label = options_.labels[out.rows];
        OCTET_TRY(accuracy::check_label(label, out.rows, sample.classes));
        first_hits += sample.first_choice[row] == label ? 1 : 0;
        second_hits += sample.second_choice[row] == label ? 1 : 0;
      }
    }
    if (!options_.labels.empty()) {
      out.hits_first = first_hits;
      out.hits_second = second_hits;
    }
    return out;
  }

 private:
  const Graph& first_;
  const Graph& second_;
  const ComparisonOptions& options_;
};

Status check_same_interface(const Graph& first, const Graph& second) {
  if (first.outputs().size() != second.outputs().size() ||
      first.required_inputs().size() != second.required_inputs().size()) {
    return usage_error(
        "the models have different inputs or outputs: ", first.required_inputs().size(), " and ",
        second.required_inputs().size(), " inputs, ", first.outputs().size(), " and ",
        second.outputs().size(), " outputs");
  }
  return {};
}

}  // namespace

Result<Comparison> compare_models(std::shared_ptr<const Graph> first,
                                  std::shared_ptr<const Graph> second, const data::Dataset& dataset,
                                  const ComparisonOptions& options) {
  OCTET_TRY(check_same_interface(*first, *second));
  const size_t begin = std::min(options.first_sample, dataset.size());
  const size_t count = std::min(options.samples, dataset.size() - begin);
  if (count == 0) return bad_data("no sample to compare on");
  interpreter::Options run_options;
  run_options.arithmetic = options.arithmetic;
  if (options.max_memory > 0) run_options.max_memory = options.max_memory;
  interpreter::Options other_options = run_options;
  if (options.tensors == ComparisonOptions::Tensors::kAllByName) {
    run_options.observed = shared_values(*first, *second);
    other_options.observed = shared_values(*second, *first);
  }
  auto a = Interpreter::create(first, run_options);
  if (!a.ok()) return a.error().in("first model");
  auto b = Interpreter::create(second, other_options);
  if (!b.ok()) return b.error().in("second model");
  const Comparer comparer(*first, *second, options);
  std::vector<SampleResult> results(count);
  std::mutex mutex;
  size_t done = 0;
  OCTET_TRY(parallel_for(options.threads, count, [&](size_t, size_t index) -> Status {
    OCTET_ASSIGN(const data::Sample sample, dataset.get(begin + index));
    auto result = comparer.run(*a, *b, sample);
    if (!result.ok()) return result.error().in(cat("sample ", begin + index));
    results[index] = std::move(result).value();
    if (options.progress != nullptr) {
      const std::lock_guard lock(mutex);
      options.progress(++done, count);
    }
    return {};
  }));
  return comparer.reduce(results);
}

}  // namespace octet::tools
