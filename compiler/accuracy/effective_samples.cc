#include "compiler/accuracy/effective_samples.h"

#include <algorithm>

namespace octet::accuracy {

using ir::ValueId;

double effective_samples(std::span<const double> powers) {
  std::vector<double> sorted(powers.begin(), powers.end());
  std::sort(sorted.begin(), sorted.end());  // the order of the samples must not show
  double sum = 0.0;
  double squares = 0.0;
  for (const double power : sorted) {
    sum += power;
    squares += power * power;
  }
  return squares > 0.0 ? sum * sum / squares : static_cast<double>(powers.size());
}

OutputPowers::OutputPowers(const ir::Graph& graph, size_t samples) {
  for (const ValueId value : graph.outputs()) {
    const bool computed = graph.value(value).producer.valid();
    if (computed && graph.value(value).type.storage == ir::DType::kFloat32) {
      powers_[value].resize(samples, 0.0);
    }
  }
}

std::set<ValueId> OutputPowers::values() const {
  std::set<ValueId> out;
  for (const auto& [value, powers] : powers_) out.insert(value);
  return out;
}

void OutputPowers::observe(size_t sample, ValueId value, const ir::Tensor& tensor) {
  const auto it = powers_.find(value);
  if (it == powers_.end() || tensor.dtype() != ir::DType::kFloat32) return;
  double power = 0.0;
  for (const float x : tensor.data<float>()) power += static_cast<double>(x) * x;
  it->second.at(sample) = power;
}

bool OutputPowers::few_speak() const {
  return std::any_of(powers_.begin(), powers_.end(), [](const auto& entry) {
    const std::vector<double>& powers = entry.second;
    return effective_samples(powers) < kLeastShareOfSamples * static_cast<double>(powers.size());
  });
}

}  // namespace octet::accuracy
