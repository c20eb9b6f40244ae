#include "compiler/accuracy/norm_facts.h"

#include <array>
#include <cmath>
#include <optional>

namespace octet::accuracy {

using ir::Graph;
using ir::Node;
using ir::Tensor;

namespace {

enum Operand : size_t { kScale = 1, kShift, kMean, kVariance, kOperands };

std::optional<NormFact> read_fact(const Graph& graph, const Node& node) {
  if (ir::int_attribute(node, "training_mode", 0) != 0) return std::nullopt;
  std::array<const Tensor*, kOperands> tensors = {};
  for (size_t i = kScale; i < kOperands; ++i) {
    tensors[i] = graph.constant(node.input(i));
    if (tensors[i] == nullptr || tensors[i]->element_count() == 0 ||
        tensors[i]->element_count() != tensors[kScale]->element_count()) {
      return std::nullopt;
    }
  }
  const double epsilon = static_cast<double>(ir::float_attribute(node, "epsilon", 1e-5F));
  NormFact out;
  for (int64_t c = 0; c < tensors[kScale]->element_count(); ++c) {
    const double variance = tensors[kVariance]->at_as_double(c);
    if (!(variance >= 0.0) || !(variance + epsilon > 0.0)) return std::nullopt;
    out.mean.push_back(tensors[kShift]->at_as_double(c));
    out.deviation.push_back(std::abs(tensors[kScale]->at_as_double(c)) *
                            std::sqrt(variance / (variance + epsilon)));
    if (!std::isfinite(out.mean.back()) || !std::isfinite(out.deviation.back())) {
      return std::nullopt;
    }
  }
  return out;
}

}  // namespace

NormFacts gather_norm_facts(const Graph& graph) {
  NormFacts out;
  for (const ir::NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    if (!node.is("BatchNormalization") || !node.output().valid()) continue;
    if (auto fact = read_fact(graph, node)) {
      out.emplace(graph.value(node.output()).name, *std::move(fact));
    }
  }
  return out;
}

}  // namespace octet::accuracy
