#include "compiler/accuracy/noise_sources.h"

#include <algorithm>
#include <map>

#include "compiler/plan/apply.h"

namespace octet::accuracy {

using ir::Graph;
using ir::NodeId;
using ir::Tensor;
using ir::ValueId;

namespace {

class SourceFinder {
 public:
  SourceFinder(const PartQuantized& part, const plan::QuantPlan& plan)
      : part_(part), graph_(part.real()), plan_(plan) {}

  Result<NoiseSources> run() {
    for (size_t i = 0; i < plan_.activations.size(); ++i) add_tensor(i);
    for (size_t i = 0; i < plan_.constants.size(); ++i) OCTET_TRY(add_weight(i));
    std::stable_sort(out_.layers.begin(), out_.layers.end(), [&](const auto& a, const auto& b) {
      return graph_.comes_before(a.layer.node, b.layer.node);
    });
    return std::move(out_);
  }

 private:
  void add_tensor(size_t index) {
    const plan::ActivationQuantizer& quantizer = plan_.activations[index];
    const ValueId value = graph_.find_value(quantizer.value);
    if (!value.valid() || graph_.constant(value) != nullptr) return;
    TensorSource source{index, value, {}};
    if (quantizer.readers == plan::Readers::kAll) {
      for (const ir::Use& use : graph_.uses(value)) {
        source.readers.push_back(use.node);
        if (!use.implicit && use.index == 0) tensor_of_[use.node] = out_.tensors.size();
      }
    }
    for (const plan::Operand& operand : quantizer.operands) {
      const NodeId node = part_.node_of(operand.node_output);
      if (!node.valid()) continue;
      source.readers.push_back(node);
      if (operand.input == 0) tensor_of_[node] = out_.tensors.size();
    }
    out_.tensors.push_back(std::move(source));
  }

  Status add_weight(size_t index) {
    const plan::ConstantQuantizer& quantizer = plan_.constants[index];
    const ValueId constant = graph_.find_value(quantizer.value);
    const Tensor* real = graph_.constant(constant);
    if (real == nullptr) return {};
    OCTET_ASSIGN(auto numbers, numbers_on_grid(*real, quantizer));
    if (!numbers) return {};
    WeightSource source{index, constant, *std::move(numbers), {}, false};
    if (quantizer.integers) {
      OCTET_ASSIGN(const Tensor nearest, plan::quantize_constant(*real, quantizer.params));
      const auto a = nearest.bytes();
      const auto b = quantizer.integers->bytes();
      source.second_order = !std::equal(a.begin(), a.end(), b.begin(), b.end());
    }
    for (const plan::ConstantQuantizer::Use& use : quantizer.uses) {
      const NodeId node = part_.node_of(use.operand.node_output);
      if (!node.valid()) continue;
      source.readers.push_back(node);
      if (use.operand.input == 1) add_layer(node, constant, *real, use.factor.empty());
    }
    out_.weights.push_back(std::move(source));
    return {};
  }

  void add_layer(NodeId node, ValueId constant, const Tensor& real, bool without_factor) {
    const auto layout = weight_layout(graph_.node(node), real);
    if (!layout || !graph_.node(node).input(0).valid()) return;
    SourceLayer layer;
    layer.layer = {node, graph_.node(node).input(0), constant,
                   own_bias(graph_, node, layout->channels()), *layout};
    layer.weight = out_.weights.size();
    const auto tensor = tensor_of_.find(node);
    if (tensor != tensor_of_.end()) layer.tensor = tensor->second;
    layer.alone = without_factor && is_own_constant(graph_, constant) &&
                  graph_.constant(layer.layer.x) == nullptr;
    out_.layers.push_back(layer);
  }

  const PartQuantized& part_;
  const Graph& graph_;
  const plan::QuantPlan& plan_;
  std::map<NodeId, size_t> tensor_of_;  // by reader: what quantizes its data
  NoiseSources out_;
};

}  // namespace

Result<NoiseSources> find_sources(const PartQuantized& real, const plan::QuantPlan& plan) {
  return SourceFinder(real, plan).run();
}

}  // namespace octet::accuracy
