#include "compiler/calibration/calibrate.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <vector>

#include "compiler/base/names.h"
#include "compiler/base/thread_pool.h"
#include "compiler/calibration/counted_elements.h"
#include "compiler/calibration/extremes.h"
#include "compiler/calibration/histogram_builder.h"
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
      " at element ", it - values.begin(), "; such a value has no range to quantize: look at the ",
      producer.valid() ? "weights above it and at how the data is preprocessed" : "data");
}

// Statistics of one thread; merged at the end. Histograms of derived values are made then.
class StatisticsObserver : public interpreter::Observer {
 public:
  StatisticsObserver(const Graph& graph, const CalibrateOptions& options,
                     const std::vector<Derivation>& derived)
      : graph_(graph),
        options_(options),
        derived_(derived),
        tensors_(graph.value_count()),
        histograms_(graph.value_count()),
        of_sample_(graph.value_count()),
        wanted_(graph.value_count()) {
    for (const ValueId id : options.values) wanted_[id.index()].statistics = true;
    for (const ValueId id : options.histograms) wanted_[id.index()].histogram = true;
    for (const ValueId id : options.shown) wanted_[id.index()].shown = true;
    for (const Derivation& d : derived) wanted_[d.value.index()].statistics = false;
  }

  void begin(size_t sample) {
    sample_ = sample;
    std::fill(of_sample_.begin(), of_sample_.end(), OfSample());
  }

  Status observe(ValueId id, const Tensor& tensor) override {
    return observe_blocks(id, tensor, 1);
  }

  Status observe_blocks(ValueId id, const Tensor& tensor, int64_t block) override {
    const Wanted wanted = wanted_[id.index()];
    if (wanted.shown) OCTET_TRY(options_.show(sample_, id, tensor));
    if (!wanted.statistics || tensor.dtype() != ir::DType::kFloat32) return {};
    const auto values = tensor.data<float>();
    OfSample seen{true, tensor.element_count(), {}};
    if (!values.empty()) {
      const auto extremes = look_at(id, values, CountedElements(tensor.shape(), block));
      if (!extremes) return not_finite(graph_, id, tensor);
      seen.extremes = *extremes;
    }
    add(id, seen);
    return {};
  }

  // After a sample has run.
  void finish() {
    for (const Derivation& d : derived_) {
      OfSample all;
      for (const ValueId part : d.parts) all.join(of_sample_[part.index()]);
      if (d.kind == Derivation::Kind::kRectified) all.rectify();
      add(d.value, all);
    }
  }

  // Of a value; without histogram when it is derived.
  TensorStatistics statistics(ValueId id) const {
    TensorStatistics out = tensors_[id.index()];
    if (const auto& histogram = histograms_[id.index()]) out.histogram = histogram->all();
    return out;
  }
  // What Relu makes of a value that has one.
  std::optional<Histogram> rectified(ValueId id) const {
    const auto& histogram = histograms_[id.index()];
    return histogram ? std::optional(histogram->rectified()) : std::nullopt;
  }

 private:
  // By looking at a value.
  struct Wanted {
    bool statistics = false;
    bool histogram = false;
    bool shown = false;
  };
  // What one sample showed of a value.
  struct OfSample {
    bool seen = false;
    int64_t elements = 0;
    Extremes extremes;

    void rectify() {
      extremes.min = std::max(extremes.min, 0.0F);
      extremes.max = std::max(extremes.max, 0.0F);
    }
    void join(const OfSample& other) {
      seen = seen || other.seen;
      if (other.elements == 0) return;
      const bool first = elements == 0;
      extremes.min = first ? other.extremes.min : std::min(extremes.min, other.extremes.min);
      extremes.max = first ? other.extremes.max : std::max(extremes.max, other.extremes.max);
      elements += other.elements;
    }
  };

  // Nothing when a value is not finite.
  std::optional<Extremes> look_at(ValueId id, std::span<const float> values,
                                  const CountedElements& counted) {
    if (!wanted_[id.index()].histogram) return finite_extremes(values);
    auto& histogram = histograms_[id.index()];
    if (!histogram) histogram.emplace();
    return histogram->add(values, counted);
  }

  void add(ValueId id, const OfSample& seen) {
    of_sample_[id.index()] = seen;
    if (!seen.seen) return;
    TensorStatistics& to = tensors_[id.index()];
    ++to.samples;
    if (seen.elements == 0) return;
    const Extremes& extremes = seen.extremes;
    to.min = to.elements > 0 ? std::min(to.min, extremes.min) : extremes.min;
    to.max = to.elements > 0 ? std::max(to.max, extremes.max) : extremes.max;
    to.elements += seen.elements;
    to.sum_of_sample_min.add(extremes.min);
    to.sum_of_sample_max.add(extremes.max);
  }

  const Graph& graph_;
  const CalibrateOptions& options_;
  const std::vector<Derivation>& derived_;
  // All by value.
  std::vector<TensorStatistics> tensors_;
  std::vector<std::optional<HistogramBuilder>> histograms_;
  std::vector<OfSample> of_sample_;
  std::vector<Wanted> wanted_;
  size_t sample_ = 0;
};

}  // namespace

std::set<ValueId> observable_values(const Graph& graph) {
  std::set<ValueId> out;
  for (size_t i = 0; i < graph.value_count(); ++i) {
    if (is_observable(graph, ValueId(i))) out.insert(ValueId(i));
  }
  return out;
}

Result<Calibration> Calibration::prepare(std::shared_ptr<const Graph> graph,
                                         const CalibrateOptions& options) {
  CalibrateOptions with_parts = options;
  add_parts(*graph, with_parts.values, with_parts.histograms);
  std::vector<Derivation> derived = derivations(*graph, with_parts.values, with_parts.histograms);
  std::set<ValueId> observed = with_parts.values;
  for (const Derivation& d : derived) observed.erase(d.value);
  observed.insert(options.shown.begin(), options.shown.end());
  interpreter::Options run_options;
  run_options.observed.assign(observed.begin(), observed.end());
  run_options.max_memory = options.max_memory;
  if (options.shown.empty()) run_options.observed_order = interpreter::ElementOrder::kAny;
  OCTET_ASSIGN(interpreter::Interpreter interpreter,
               interpreter::Interpreter::create(graph, run_options));
  return Calibration(std::move(graph), std::move(with_parts), options.values, std::move(derived),
                     std::move(interpreter));
}

Result<Statistics> calibrate(std::shared_ptr<const Graph> graph, const data::Dataset& dataset,
                             const CalibrateOptions& options) {
  OCTET_ASSIGN(const Calibration calibration, Calibration::prepare(std::move(graph), options));
  return calibration.run(dataset);
}

Result<Statistics> Calibration::run(const data::Dataset& dataset) const {
  const CalibrateOptions& options = options_;
  const Shard shard = options.shard;
  const size_t first = shard.index - 1;
  const size_t count =
      first < dataset.size() ? (dataset.size() - first + shard.count - 1) / shard.count : 0;
  if (count == 0) {
    return bad_data("there is no calibration sample in shard ", shard.index, "/", shard.count,
                    " of ", dataset.size(), " samples");
  }
  const size_t workers = std::max<size_t>(1, std::min(options.threads, count));
  std::vector<StatisticsObserver> observers(workers,
                                            StatisticsObserver(*graph_, options, derived_));
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
    auto outputs = interpreter_.run(*inputs, &observers[worker]);
    if (!outputs.ok()) return outputs.error().in(cat("sample ", sample));
    observers[worker].finish();
    if (options.progress != nullptr) {
      const std::lock_guard lock(progress_mutex);
      options.progress(++done, count);
    }
    return {};
  }));

  Statistics out;
  out.fingerprint = fingerprint_;
  out.samples = static_cast<int64_t>(count);
  out.data_free = dataset.data_free();
  std::sort(digests.begin(), digests.end());
  out.digests = std::move(digests);
  for (ValueId id : options.values) {
    TensorStatistics& to = out.tensors[graph_->value(id).name];
    for (const StatisticsObserver& observer : observers) {
      to.merge(observer.statistics(id));
    }
  }
  for (const Derivation& d : derived_) {
    if (!options.histograms.contains(d.value)) continue;
    auto& to = out.tensors[graph_->value(d.value).name].histogram;
    const auto join = [&](const std::optional<Histogram>& part) {
      if (!part) return;
      if (!to) to.emplace();
      to->merge(*part);
    };
    if (d.kind == Derivation::Kind::kRectified) {
      for (const StatisticsObserver& observer : observers) join(observer.rectified(d.parts[0]));
    } else {
      for (const ValueId part : d.parts) join(out.tensors[graph_->value(part).name].histogram);
    }
  }
  for (const ValueId id : options.values) {
    if (!wanted_.contains(id)) out.tensors.erase(graph_->value(id).name);
  }
  return out;
}

}  // namespace octet::calibration
