#include "compiler/accuracy/simulation.h"

#include <memory>
#include <utility>
#include <vector>

#include "compiler/numerics/quantize.h"
#include "compiler/plan/apply.h"
#include "compiler/plan/parameters.h"

namespace octet::accuracy {

using ir::Graph;
using ir::Tensor;
using ir::ValueId;

Tensor on_grid(const Tensor& integers, const ir::QuantParams& params) {
  const std::vector<size_t> scale_of = plan::scale_of_element(params.spec(), integers.shape());
  std::vector<float> out(static_cast<size_t>(integers.element_count()));
  for (size_t i = 0; i < out.size(); ++i) {
    const size_t c = scale_of[i];
    const auto q = static_cast<int32_t>(integers.at_as_int64(static_cast<int64_t>(i)));
    out[i] = numerics::dequantize(q, params.scales()[c], params.zero_points()[c]);
  }
  return Tensor::of<float>(integers.shape(), out);
}

LayerInputs inputs_from(const KeptTensors& tensors) {
  return {tensors.size(), [&tensors](size_t i) { return tensors.get(i); }, 0};
}

Result<Simulation> Simulation::make(const Graph& graph, const plan::QuantPlan& plan) {
  Simulation out;
  out.graph_ = graph;
  plan::QuantPlan activations = plan;
  activations.constants.clear();
  activations.biases.clear();
  OCTET_TRY(plan::apply_plan(out.graph_, activations));
  for (const plan::ConstantQuantizer& quantizer : plan.constants) {
    const ValueId id = out.graph_.find_value(quantizer.value);
    const Tensor* tensor = graph.constant(graph.find_value(quantizer.value));
    if (!id.valid() || tensor == nullptr) continue;
    OCTET_ASSIGN(const Tensor integers, plan::quantize_constant(*tensor, quantizer.params));
    out.graph_.set_constant(id,
                            std::make_shared<const Tensor>(on_grid(integers, quantizer.params)));
  }
  return out;
}

ir::NodeId Simulation::reader_of(const std::string& weight) const {
  return graph_.uses(graph_.find_value(weight)).front().node;
}

void Simulation::set(const std::string& constant, Tensor tensor) {
  graph_.set_constant(graph_.find_value(constant),
                      std::make_shared<const Tensor>(std::move(tensor)));
}

LayerSource Simulation::source_of(const std::string& weight, ValueId kept,
                                  const WaveRunner& runner) const {
  LayerSource out{inputs_from(runner.kept(kept))};
  const ValueId x = graph_.node(reader_of(weight)).input(0);
  if (x == kept) return out;
  const ir::Node& dequantizer = graph_.node(graph_.value(x).producer);
  out.data = LayerFacts::Data::kIntegers;
  out.scale = graph_.constant(dequantizer.input(1))->at_as_double(0);
  if (dequantizer.input(2).valid()) {
    out.inputs.zero_point =
        static_cast<int32_t>(graph_.constant(dequantizer.input(2))->at_as_int64(0));
  }
  return out;
}

}  // namespace octet::accuracy
