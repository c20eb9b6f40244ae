#include "compiler/accuracy/output_noise.h"

#include <algorithm>
#include <cmath>

#include "compiler/base/names.h"
#include "compiler/base/thread_pool.h"
#include "compiler/interpreter/interpreter.h"

namespace octet::accuracy {

using ir::Graph;
using ir::Tensor;

namespace {

void add_difference(const Tensor& real, const Tensor& other, TensorError& to) {
  const std::vector<float> x = real.to_floats();
  const std::vector<float> y = other.to_floats();
  // An output whose shape hangs on the data has no counterpart to compare with.
  const bool comparable = x.size() == y.size();
  for (size_t i = 0; i < x.size(); ++i) {
    const auto a = static_cast<double>(x[i]);
    if (!std::isfinite(a)) continue;
    const double b = comparable && std::isfinite(y[i]) ? static_cast<double>(y[i]) : 0.0;
    to.power += a * a;
    to.noise += (a - b) * (a - b);
    to.largest = std::max(to.largest, std::abs(a - b));
  }
}

bool is_float(const Tensor& tensor) { return numerics::is_floating_point(tensor.dtype()); }

Result<interpreter::Interpreter> interpreter_of(const std::shared_ptr<const Graph>& graph,
                                                int64_t max_memory) {
  interpreter::Options options;
  options.max_memory = max_memory;
  return interpreter::Interpreter::create(graph, options);
}

}  // namespace

double relative_noise(const std::vector<TensorError>& outputs) {
  double sum = 0.0;
  size_t count = 0;
  for (const TensorError& output : outputs) {
    if (!(output.power > 0.0)) continue;
    sum += output.noise / output.power;
    ++count;
  }
  return count == 0 ? 0.0 : sum / static_cast<double>(count);
}

Result<OutputNoise> OutputNoise::make(const std::shared_ptr<const Graph>& real,
                                      const HeldSamples& samples, size_t threads,
                                      int64_t max_memory) {
  OutputNoise out;
  out.samples_ = &samples;
  out.real_ = real;
  out.max_memory_ = max_memory;
  out.outputs_.resize(samples.size());
  OCTET_ASSIGN(const interpreter::Interpreter interpreter, interpreter_of(real, max_memory));
  OCTET_TRY(parallel_for(threads, samples.size(), [&](size_t, size_t i) -> Status {
    auto outputs = interpreter.run(samples.at(i));
    if (!outputs.ok()) return outputs.error().in(cat("sample ", i));
    out.outputs_[i] = std::move(outputs).value();
    return {};
  }));
  return out;
}

Result<std::vector<TensorError>> OutputNoise::measure(
    const std::shared_ptr<const Graph>& other) const {
  OCTET_ASSIGN(const interpreter::Interpreter interpreter, interpreter_of(other, max_memory_));
  std::vector<TensorError> out;
  std::vector<size_t> which;
  for (size_t k = 0; !outputs_.empty() && k < outputs_.front().size(); ++k) {
    if (!is_float(outputs_.front()[k])) continue;
    which.push_back(k);
    out.push_back({real_->value(real_->outputs()[k]).name});
  }
  for (size_t i = 0; i < outputs_.size(); ++i) {
    OCTET_ASSIGN(const std::vector<Tensor> outputs, interpreter.run(samples_->at(i)));
    for (size_t k = 0; k < which.size(); ++k) {
      add_difference(outputs_[i][which[k]], outputs[which[k]], out[k]);
    }
  }
  return out;
}

}  // namespace octet::accuracy
