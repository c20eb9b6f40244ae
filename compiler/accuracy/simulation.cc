#include "compiler/accuracy/simulation.h"

#include <memory>
#include <vector>

#include "compiler/numerics/quantize.h"
#include "compiler/plan/apply.h"
#include "compiler/plan/parameters.h"

namespace octet::accuracy {

using ir::Tensor;
using ir::ValueId;

Result<ir::Graph> simulated(const ir::Graph& graph, const plan::QuantPlan& plan) {
  ir::Graph out = graph;
  plan::QuantPlan activations = plan;
  activations.constants.clear();
  activations.biases.clear();
  OCTET_TRY(plan::apply_plan(out, activations));
  for (const plan::ConstantQuantizer& quantizer : plan.constants) {
    const ValueId id = out.find_value(quantizer.value);
    const Tensor* tensor = graph.constant(graph.find_value(quantizer.value));
    if (!id.valid() || tensor == nullptr) continue;
    OCTET_ASSIGN(const Tensor integers, plan::quantize_constant(*tensor, quantizer.params));
    out.set_constant(id, std::make_shared<const Tensor>(on_grid(integers, quantizer.params)));
  }
  return out;
}

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

}  // namespace octet::accuracy
