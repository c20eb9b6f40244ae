#include "compiler/calibration/calibrate.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <vector>

#include "compiler/base/names.h"
#include "compiler/base/thread_pool.h"
#include "compiler/calibration/extremes.h"
#include "compiler/calibration/fingerprint.h"
#include "compiler/calibration/sample_digest.h"
#include "compiler/interpreter/interpreter.h"

namespace octet::calibration {

using ir::Graph;
using ir::Tensor;
using ir::ValueId;

namespace {

Error not_finite(const Graph& graph, ValueId id, const Tensor& tensor) {
  const auto values = tensor.data<float>();
  const auto it =
      std::find_if(values.begin(), values.end(), [](float x) { return !std::isfinite(x); });
  const ir::NodeId producer = graph.value(id).producer;
  return bad_data(
      producer.valid() ? ir::describe(graph, producer) + ": output " : std::string("input "),
      quote_name(graph.value(id).name), " becomes ", std::isnan(*it) ? "NaN" : "infinite",
      " at element ", it - values.begin(), "; such a value has no range to quantize");
}

// Statistics of one thread; merged at the end.
class StatisticsObserver : public interpreter::Observer {
 public:
  StatisticsObserver(const Graph& graph, const CalibrateOptions& options)
      : graph_(graph), options_(options), tensors_(graph.value_count()) {}

  void begin(size_t sample) { sample_ = sample; }

  Status observe(ValueId id, const Tensor& tensor) override {
    if (options_.shown.contains(id)) OCTET_TRY(options_.show(sample_, id, tensor));
    if (!options_.values.contains(id)) return {};
    if (tensor.dtype() != ir::DType::kFloat32) return {};
    TensorStatistics& to = tensors_[id.index()];
    ++to.samples;
    const auto values = tensor.data<float>();
    if (values.empty()) return {};
    const auto extremes = finite_extremes(values);
    if (!extremes) return not_finite(graph_, id, tensor);
    to.min = to.elements > 0 ? std::min(to.min, extremes->min) : extremes->min;
    to.max = to.elements > 0 ? std::max(to.max, extremes->max) : extremes->max;
    to.elements += tensor.element_count();
    to.sum_of_sample_min.add(extremes->min);
    to.sum_of_sample_max.add(extremes->max);
    if (options_.histograms.contains(id)) {
      if (!to.histogram) to.histogram.emplace();
      to.histogram->add(values);
    }
    return {};
  }

  const std::vector<TensorStatistics>& tensors() const { return tensors_; }

 private:
  const Graph& graph_;
  const CalibrateOptions& options_;
  std::vector<TensorStatistics> tensors_;  // by value
  size_t sample_ = 0;
};

}  // namespace

std::set<ValueId> observable_values(const Graph& graph) {
  std::set<ValueId> out;
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const ir::Value& value = graph.value(ValueId(i));
    if (!value.alive || value.is_constant() || value.type.storage != ir::DType::kFloat32) continue;
    if (value.producer.valid() || value.is_input) out.insert(ValueId(i));
  }
  return out;
}

Result<Statistics> calibrate(std::shared_ptr<const Graph> graph, const data::Dataset& dataset,
                             const CalibrateOptions& options) {
  const Shard shard = options.shard;
  const size_t first = shard.index - 1;
  const size_t count =
      first < dataset.size() ? (dataset.size() - first + shard.count - 1) / shard.count : 0;
  if (count == 0) {
    return bad_data("there is no calibration sample in shard ", shard.index, "/", shard.count,
                    " of ", dataset.size(), " samples");
  }
  interpreter::Options run_options;
  std::set<ValueId> observed = options.values;
  observed.insert(options.shown.begin(), options.shown.end());
  run_options.observed.assign(observed.begin(), observed.end());
  run_options.max_memory = options.max_memory;
  // Extremes and histograms do not look at positions.
  if (options.shown.empty()) run_options.observed_order = interpreter::ElementOrder::kAny;
  OCTET_ASSIGN(const interpreter::Interpreter interpreter,
               interpreter::Interpreter::create(graph, run_options));

  const size_t workers = std::max<size_t>(1, std::min(options.threads, count));
  std::vector<StatisticsObserver> observers(workers, StatisticsObserver(*graph, options));
  std::vector<uint64_t> digests(count);
  std::mutex progress_mutex;
  size_t done = 0;
  OCTET_TRY(parallel_for(workers, count, [&](size_t worker, size_t index) -> Status {
    const size_t sample = first + index * shard.count;
    auto inputs = dataset.get(sample);
    if (!inputs.ok()) return inputs.error();
    digests[index] = sample_digest(*inputs);
    observers[worker].begin(index);
    if (options.starts != nullptr) options.starts(index, digests[index]);
    auto outputs = interpreter.run(*inputs, &observers[worker]);
    if (!outputs.ok()) return outputs.error().in(cat("sample ", sample));
    if (options.progress != nullptr) {
      const std::lock_guard lock(progress_mutex);
      options.progress(++done, count);
    }
    return {};
  }));

  Statistics out;
  out.fingerprint = fingerprint(*graph);
  out.samples = static_cast<int64_t>(count);
  out.data_free = dataset.data_free();
  std::sort(digests.begin(), digests.end());
  out.digests = std::move(digests);
  for (ValueId id : options.values) {
    TensorStatistics& to = out.tensors[graph->value(id).name];
    for (const StatisticsObserver& observer : observers) {
      to.merge(observer.tensors()[id.index()]);
    }
  }
  return out;
}

}  // namespace octet::calibration
