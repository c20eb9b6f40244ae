#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "compiler/base/names.h"
#include "compiler/ops/recurrent.h"

namespace octet::ops {
namespace {

using Kind = RecurrentActivation::Kind;

struct ActivationEntry {
  std::string_view name;
  Kind kind;
  bool has_alpha;
  bool has_beta;
  double alpha;  // defaults
  double beta;
};

constexpr std::array<ActivationEntry, 11> kActivations = {{
    {"Affine", Kind::kAffine, true, true, 1.0, 0.0},
    {"Elu", Kind::kElu, true, false, 1.0, 0.0},
    {"HardSigmoid", Kind::kHardSigmoid, true, true, 0.2, 0.5},
    {"LeakyRelu", Kind::kLeakyRelu, true, false, 0.01, 0.0},
    {"Relu", Kind::kRelu, false, false, 0.0, 0.0},
    {"ScaledTanh", Kind::kScaledTanh, true, true, 1.0, 1.0},
    {"Sigmoid", Kind::kSigmoid, false, false, 0.0, 0.0},
    {"Softplus", Kind::kSoftplus, false, false, 0.0, 0.0},
    {"Softsign", Kind::kSoftsign, false, false, 0.0, 0.0},
    {"Tanh", Kind::kTanh, false, false, 0.0, 0.0},
    {"ThresholdedRelu", Kind::kThresholdedRelu, true, false, 1.0, 0.0},
}};

std::vector<std::string> strings_attribute(const ir::Node& node, std::string_view name) {
  const auto at = node.attributes.find(name);
  if (at == node.attributes.end()) return {};
  const auto* list = std::get_if<std::vector<std::string>>(&at->second);
  return list != nullptr ? *list : std::vector<std::string>();
}

std::vector<std::string> default_activations(int64_t gates, int64_t directions) {
  std::vector<std::string> one = {"Sigmoid", "Tanh", "Tanh"};
  if (gates == 1) one = {"Tanh"};
  if (gates == 3) one = {"Sigmoid", "Tanh"};
  std::vector<std::string> out = one;
  if (directions == 2) out.insert(out.end(), one.begin(), one.end());
  return out;
}

// Alphas and betas are taken in the order of the functions that have them.
Result<std::vector<RecurrentActivation>> activations_of(const ir::Node& node, int64_t gates,
                                                        int64_t directions) {
  const auto defaults = default_activations(gates, directions);
  auto names = strings_attribute(node, "activations");
  if (names.empty()) names = defaults;
  if (names.size() != defaults.size()) {
    return malformed("attribute activations: ", names.size(), " functions, ", defaults.size(),
                     " expected");
  }
  const auto alphas = ir::floats_attribute(node, "activation_alpha");
  const auto betas = ir::floats_attribute(node, "activation_beta");
  size_t alpha = 0;
  size_t beta = 0;
  std::vector<RecurrentActivation> out;
  for (const std::string& name : names) {
    const auto entry = std::find_if(kActivations.begin(), kActivations.end(),
                                    [&](const ActivationEntry& e) { return e.name == name; });
    if (entry == kActivations.end()) {
      return malformed("attribute activations: no function is called ", quote_name(name));
    }
    RecurrentActivation one = {entry->kind, entry->alpha, entry->beta};
    if (entry->has_alpha && alpha < alphas.size()) one.alpha = alphas[alpha++];
    if (entry->has_beta && beta < betas.size()) one.beta = betas[beta++];
    out.push_back(one);
  }
  return out;
}

}  // namespace

double RecurrentActivation::apply(double x) const {
  switch (kind) {
    case Kind::kAffine:
      return alpha * x + beta;
    case Kind::kElu:
      return x >= 0 ? x : alpha * std::expm1(x);
    case Kind::kHardSigmoid:
      return std::min(std::max(alpha * x + beta, 0.0), 1.0);
    case Kind::kLeakyRelu:
      return x >= 0 ? x : alpha * x;
    case Kind::kRelu:
      return std::max(0.0, x);
    case Kind::kScaledTanh:
      return alpha * std::tanh(beta * x);
    case Kind::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case Kind::kSoftplus:
      return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
    case Kind::kSoftsign:
      return x / (1 + std::abs(x));
    case Kind::kTanh:
      return std::tanh(x);
    case Kind::kThresholdedRelu:
      return x >= alpha ? x : 0;
  }
  return x;
}

Result<RecurrentAttributes> RecurrentAttributes::from(const ir::Node& node) {
  RecurrentAttributes out;
  out.gates = node.op_type == "LSTM" ? 4 : (node.op_type == "GRU" ? 3 : 1);
  const std::string direction = ir::string_attribute(node, "direction", "forward");
  if (direction == "bidirectional") {
    out.directions = 2;
  } else if (direction == "reverse") {
    out.first_reverse = true;
  } else if (direction != "forward") {
    return malformed("attribute direction: not one of forward, reverse, bidirectional");
  }
  const int64_t layout = ir::int_attribute(node, "layout", 0);
  if (layout != 0 && layout != 1) return malformed("attribute layout is ", layout);
  out.layout = layout == 0 ? RecurrentLayout::kTimeFirst : RecurrentLayout::kBatchFirst;
  out.hidden = ir::int_attribute(node, "hidden_size", 0);
  out.clip = ir::float_attribute(node, "clip", 0.0F);
  if (!(out.clip >= 0)) return malformed("attribute clip is ", out.clip);
  out.input_forget = ir::int_attribute(node, "input_forget", 0) != 0;
  out.linear_before_reset = ir::int_attribute(node, "linear_before_reset", 0) != 0;
  OCTET_ASSIGN(out.activations, activations_of(node, out.gates, out.directions));
  return out;
}

}  // namespace octet::ops
