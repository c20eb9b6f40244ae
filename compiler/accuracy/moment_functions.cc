#include "compiler/accuracy/moment_functions.h"

#include <algorithm>
#include <cmath>

namespace octet::accuracy {

using ir::Graph;
using ir::Node;
using ir::Tensor;
using ir::ValueId;

namespace {

std::optional<double> scalar(const Graph& graph, ValueId id) {
  const Tensor* tensor = graph.constant(id);
  if (tensor == nullptr || tensor->element_count() != 1) return std::nullopt;
  return tensor->at_as_double(0);
}

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

}  // namespace

// By the trapezoid rule over the normal density, cut off where the channel is.
ChannelMoments integrate(const ChannelMoments& x, size_t channel, const ChannelFunction& f) {
  constexpr int kSteps = 240;  // of kReach / 120 deviations
  double weights = 0.0;
  double sum = 0.0;
  double squares = 0.0;
  ChannelMoments out;
  out.low = HUGE_VAL;
  out.high = -HUGE_VAL;
  for (int i = 0; i <= kSteps; ++i) {
    const double z = kReach * (2.0 * i / kSteps - 1.0);
    const double at = std::clamp(x.mean + x.deviation * z, x.low, x.high);
    const double y = f(at, channel);
    const double weight = std::exp(-z * z / 2.0);
    weights += weight;
    sum += weight * y;
    squares += weight * y * y;
  }
  constexpr int kGrid = 64;  // for the range: x may reach less or more than kReach deviations
  for (int i = 0; i <= kGrid; ++i) {
    const double y = f(x.low + (x.high - x.low) * i / kGrid, channel);
    out.low = std::min(out.low, y);
    out.high = std::max(out.high, y);
  }
  out.mean = sum / weights;
  out.deviation = std::sqrt(std::max(0.0, squares / weights - out.mean * out.mean));
  return out;
}

// All channels as one.
ChannelMoments pooled(const std::vector<ChannelMoments>& channels) {
  ChannelMoments out = channels.front();
  double mean = 0.0;
  double squares = 0.0;
  for (const ChannelMoments& c : channels) {
    mean += c.mean / static_cast<double>(channels.size());
    squares += (c.deviation * c.deviation + c.mean * c.mean) / static_cast<double>(channels.size());
    out.low = std::min(out.low, c.low);
    out.high = std::max(out.high, c.high);
  }
  out.mean = mean;
  out.deviation = std::sqrt(std::max(0.0, squares - mean * mean));
  return out;
}

// Functions of one number, by operator.
std::optional<ChannelFunction> unary_function(const Graph& graph, const Node& node) {
  const std::string& type = node.op_type;
  const auto attribute = [&](const char* name, float fallback) {
    return static_cast<double>(ir::float_attribute(node, name, fallback));
  };
  if (type == "Relu") return [](double x, size_t) { return std::max(x, 0.0); };
  if (type == "Identity" || type == "Dropout") return [](double x, size_t) { return x; };
  if (type == "Sigmoid") return [](double x, size_t) { return sigmoid(x); };
  if (type == "Tanh") return [](double x, size_t) { return std::tanh(x); };
  if (type == "Exp") return [](double x, size_t) { return std::exp(x); };
  if (type == "Abs") return [](double x, size_t) { return std::abs(x); };
  if (type == "Neg") return [](double x, size_t) { return -x; };
  if (type == "Erf") return [](double x, size_t) { return std::erf(x); };
  if (type == "Gelu") {
    return [](double x, size_t) { return x * 0.5 * (1.0 + std::erf(x * 0.7071067811865476)); };
  }
  if (type == "HardSwish") {
    return [](double x, size_t) { return x * std::clamp(x / 6.0 + 0.5, 0.0, 1.0); };
  }
  if (type == "HardSigmoid") {
    const double alpha = attribute("alpha", 0.2F);
    const double beta = attribute("beta", 0.5F);
    return [=](double x, size_t) { return std::clamp(alpha * x + beta, 0.0, 1.0); };
  }
  if (type == "LeakyRelu") {
    const double alpha = attribute("alpha", 0.01F);
    return [=](double x, size_t) { return x < 0.0 ? alpha * x : x; };
  }
  if (type == "Elu") {
    const double alpha = attribute("alpha", 1.0F);
    return [=](double x, size_t) { return x < 0.0 ? alpha * std::expm1(x) : x; };
  }
  if (type == "Clip") {
    const auto low = node.input(1).valid() ? scalar(graph, node.input(1)) : -HUGE_VAL;
    const auto high = node.input(2).valid() ? scalar(graph, node.input(2)) : HUGE_VAL;
    if (!low || !high || !(*low <= *high)) return std::nullopt;
    return [low = *low, high = *high](double x, size_t) { return std::clamp(x, low, high); };
  }
  return std::nullopt;
}

}  // namespace octet::accuracy
