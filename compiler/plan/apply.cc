#include "compiler/plan/apply.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "compiler/base/names.h"
#include "compiler/calibration/fingerprint.h"
#include "compiler/ir/patch.h"
#include "compiler/numerics/quantize.h"
#include "compiler/ops/schema.h"

namespace octet::plan {

using ir::Graph;
using ir::NodeId;
using ir::Patch;
using ir::QuantParams;
using ir::Tensor;
using ir::ValueId;

namespace {

// The scale and zero point operands of one quantizer.
struct ParamConstants {
  ValueId scale;
  ValueId zero_point;
  ir::AttributeMap attributes;
};

class Applier {
 public:
  Applier(const Graph& graph, const QuantPlan& plan)
      : graph_(graph), plan_(plan), patch_(graph, ops::infer_node) {}

  Result<Patch> run() {
    for (NodeId id : graph_.order()) {
      node_names_.insert(graph_.node(id).name);
      const ValueId output = graph_.node(id).output();
      if (output.valid()) node_of_.emplace(graph_.value(output).name, id);
    }
    for (const ConstantQuantizer& constant : plan_.constants) {
      OCTET_TRY(apply_constant(constant).in(cat("constant ", quote_name(constant.value))));
    }
    for (const BiasQuantizer& bias : plan_.biases) {
      OCTET_TRY(apply_bias(bias).in(cat("bias of ", quote_name(bias.linear_output))));
    }
    for (const ActivationQuantizer& activation : plan_.activations) {
      OCTET_TRY(apply_activation(activation).in(cat("value ", quote_name(activation.value))));
    }
    return std::move(patch_);
  }

 private:
  // Runtimes refuse two nodes of one name.
  std::string node_name(const std::string& base) {
    std::string name = base;
    for (int64_t i = 1; !node_names_.insert(name).second; ++i) name = cat(base, "_", i);
    return name;
  }

  Result<ValueId> find_value(const std::string& name) const {
    const ValueId id = graph_.find_value(name);
    if (!id.valid())
      return usage_error("the plan names the value ", quote_name(name),
                         ", which the model does not have");
    return id;
  }

  Result<std::pair<NodeId, size_t>> find_operand(const Operand& operand) const {
    const auto it = node_of_.find(operand.node_output);
    if (it == node_of_.end()) {
      return usage_error("the plan names a node with output ", quote_name(operand.node_output),
                         ", which the model does not have");
    }
    const auto index = static_cast<size_t>(operand.input);
    if (operand.input < 0 || !graph_.node(it->second).input(index).valid()) {
      return usage_error("the plan names input ", operand.input, " of ",
                         ir::describe(graph_, it->second), ", which it does not have");
    }
    return std::pair{it->second, index};
  }

  // `data`: the shape of what is quantized, for blocks.
  Result<ParamConstants> add_params(const QuantParams& params, const std::vector<float>& scales,
                                    const std::string& name,
                                    const std::vector<int64_t>& data = {}) {
    ParamConstants out;
    std::vector<int64_t> shape;
    if (params.granularity() == ir::Granularity::kBlocked) {
      OCTET_ASSIGN(shape, shape_of_blocks(params, data));
      out.attributes = {{"axis", params.axis()}, {"block_size", params.block_size()}};
    } else if (!params.per_tensor()) {
      shape = {static_cast<int64_t>(scales.size())};
      out.attributes = {{"axis", params.axis()}};
    }
    OCTET_ASSIGN(Tensor zero_points, Tensor::zeros(params.storage(), shape));
    for (size_t i = 0; i < params.zero_points().size(); ++i) {
      zero_points.set_from_int64(static_cast<int64_t>(i), params.zero_points()[i]);
    }
    out.scale = patch_.constant(Tensor::of<float>(shape, scales), name + "_scale");
    out.zero_point = patch_.constant(std::move(zero_points), name + "_zero_point");
    return out;
  }

  static Result<std::vector<int64_t>> shape_of_blocks(const QuantParams& params,
                                                      std::vector<int64_t> shape) {
    if (params.axis() >= static_cast<int64_t>(shape.size())) {
      return usage_error("axis ", params.axis(), " for a rank of ", shape.size(), " [Q8]");
    }
    int64_t& extent = shape[static_cast<size_t>(params.axis())];
    extent = extent / params.block_size() + (extent % params.block_size() != 0 ? 1 : 0);
    int64_t count = 1;
    for (int64_t e : shape) count *= e;  // a constant's: no more than its elements
    if (count != static_cast<int64_t>(params.scales().size())) {
      return usage_error(params.scales().size(), " scales for ", count, " blocks [Q4]");
    }
    return shape;
  }

  Result<ValueId> dequantize(ValueId integers, const ParamConstants& params,
                             const std::string& name, const std::vector<std::string>& origins) {
    ir::NodeSpec spec;
    spec.op_type = "DequantizeLinear";
    spec.inputs = {integers, params.scale, params.zero_point};
    spec.attributes = params.attributes;
    spec.name = node_name(name + "_DequantizeLinear");
    spec.origins = origins;
    return patch_.node(std::move(spec));
  }

  Status apply_constant(const ConstantQuantizer& quantizer) {
    OCTET_ASSIGN(const ValueId id, find_value(quantizer.value));
    const Tensor* tensor = graph_.constant(id);
    if (tensor == nullptr) return usage_error("it is not a constant of the model");
    OCTET_ASSIGN(Tensor integers, integers_of(quantizer, *tensor));
    const ValueId stored = patch_.constant(std::move(integers), quantizer.value + "_quantized");
    std::map<std::string, ParamConstants> by_factor;
    for (const ConstantQuantizer::Use& use : quantizer.uses) {
      OCTET_ASSIGN(const auto place, find_operand(use.operand));
      OCTET_ASSIGN(std::vector<float> scales, scaled(quantizer.params.scales(), use.factor));
      auto params = by_factor.find(use.factor);
      if (params == by_factor.end()) {
        const std::string name = use.factor.empty() ? quantizer.value : use.factor;
        OCTET_ASSIGN(ParamConstants added,
                     add_params(quantizer.params, scales, name, tensor->shape()));
        params = by_factor.emplace(use.factor, std::move(added)).first;
      }
      OCTET_ASSIGN(const ValueId real, dequantize(stored, params->second, quantizer.value,
                                                  graph_.node(place.first).origins));
      OCTET_TRY(patch_.replace_operand(place.first, place.second, real));
      weight_scales_[use.operand] = std::move(scales);
    }
    return {};
  }

  static Result<Tensor> integers_of(const ConstantQuantizer& quantizer, const Tensor& tensor) {
    const QuantParams& params = quantizer.params;
    if (!quantizer.integers) return quantize_constant(tensor, params);
    OCTET_TRY(params.check_against(tensor.type().shape));
    const Tensor& integers = *quantizer.integers;
    if (integers.dtype() != params.storage() ||
        integers.element_count() != tensor.element_count()) {
      return usage_error(integers.element_count(), " integers for ", tensor.element_count(),
                         " elements");
    }
    for (int64_t i = 0; i < integers.element_count(); ++i) {
      const int64_t q = integers.at_as_int64(i);
      if (q < params.qmin() || q > params.qmax()) {
        return usage_error("integer ", q, " at ", i, " is outside ", params.qmin(), "..",
                           params.qmax());
      }
    }
    return integers.reshaped(tensor.shape());
  }

  Result<std::vector<float>> scaled(std::vector<float> scales, const std::string& factor) const {
    if (factor.empty()) return scales;
    OCTET_ASSIGN(const ValueId id, find_value(factor));
    const Tensor* tensor = graph_.constant(id);
    if (tensor == nullptr) return usage_error("factor ", quote_name(factor), " is no constant");
    const std::vector<float> factors = tensor->to_floats();
    if (factors.size() != 1 && factors.size() != scales.size()) {
      return usage_error(factors.size(), " factors for ", scales.size(), " scales");
    }
    for (size_t c = 0; c < scales.size(); ++c) scales[c] *= factors[c % factors.size()];
    return scales;
  }

  // The parameters of the quantizer that feeds an operand, or null.
  const QuantParams* feeding(const Operand& operand) const {
    for (const ActivationQuantizer& quantizer : plan_.activations) {
      if (quantizer.readers == Readers::kAll) {
        const auto it = node_of_.find(operand.node_output);
        const ValueId value = graph_.node(it->second).input(static_cast<size_t>(operand.input));
        if (value.valid() && graph_.value(value).name == quantizer.value) return &quantizer.params;
      }
      for (const Operand& reader : quantizer.operands) {
        if (reader == operand) return &quantizer.params;
      }
    }
    return nullptr;
  }

  Status apply_bias(const BiasQuantizer& bias) {
    OCTET_ASSIGN(const auto place, find_operand(bias.operand));
    OCTET_TRY(find_operand({bias.linear_output, 0}));
    const QuantParams* x = feeding({bias.linear_output, 0});
    const auto w = weight_scales_.find({bias.linear_output, 1});
    const Tensor* tensor = graph_.constant(graph_.node(place.first).inputs[place.second]);
    if (x == nullptr || w == weight_scales_.end() || tensor == nullptr) {
      return usage_error(
          "an int32 bias needs a constant and quantizers on the data and the weight");
    }
    const std::vector<float> values = tensor->to_floats();
    const std::vector<float>& w_scales = w->second;
    if (w_scales.size() != 1 && w_scales.size() != values.size()) {
      return usage_error(values.size(), " bias elements for ", w_scales.size(), " weight scales");
    }
    QuantParams::Spec spec;
    spec.storage = ir::DType::kInt32;
    spec.qmin = INT32_MIN;
    spec.qmax = INT32_MAX;
    // Runtimes check this product for equality: float32, in this order.
    for (float w_scale : w_scales) spec.scales.push_back(x->scales().front() * w_scale);
    spec.zero_points.assign(spec.scales.size(), 0);
    spec.granularity =
        w_scales.size() == 1 ? ir::Granularity::kPerTensor : ir::Granularity::kPerAxis;
    const auto count = static_cast<int64_t>(values.size());
    OCTET_ASSIGN(const QuantParams params, QuantParams::make(std::move(spec)));
    OCTET_ASSIGN(Tensor integers, quantize_constant(tensor->reshaped({count}), params));
    const std::string& name = graph_.value(graph_.node(place.first).inputs[place.second]).name;
    const ValueId stored = patch_.constant(std::move(integers), name + "_quantized");
    OCTET_ASSIGN(const ParamConstants constants, add_params(params, params.scales(), name));
    OCTET_ASSIGN(const ValueId real,
                 dequantize(stored, constants, name, graph_.node(place.first).origins));
    return patch_.replace_operand(place.first, place.second, real);
  }

  Status apply_activation(const ActivationQuantizer& quantizer) {
    OCTET_ASSIGN(const ValueId id, find_value(quantizer.value));
    const std::vector<std::string> origins = origins_of(id);
    OCTET_ASSIGN(const ParamConstants params,
                 add_params(quantizer.params, quantizer.params.scales(), quantizer.value));
    ir::NodeSpec spec;
    spec.op_type = "QuantizeLinear";
    spec.inputs = {id, params.scale, params.zero_point};
    spec.attributes = params.attributes;
    spec.name = node_name(quantizer.value + "_QuantizeLinear");
    spec.origins = origins;
    OCTET_ASSIGN(const ValueId integers, patch_.node(std::move(spec)));
    std::vector<std::pair<NodeId, size_t>> readers;
    bool elsewhere = false;  // read by a body graph or as an output of the graph
    if (quantizer.readers == Readers::kAll) {
      elsewhere = graph_.is_output(id);
      for (const ir::Use& use : graph_.uses(id)) {
        elsewhere = elsewhere || use.implicit;
        if (!use.implicit) readers.emplace_back(use.node, static_cast<size_t>(use.index));
      }
    } else {
      for (const Operand& operand : quantizer.operands) {
        OCTET_ASSIGN(const auto place, find_operand(operand));
        readers.push_back(place);
      }
    }
    if (elsewhere) {
      OCTET_ASSIGN(const ValueId real, dequantize(integers, params, quantizer.value, origins));
      OCTET_TRY(patch_.replace(id, real));
    }
    for (const auto& [node, input] : readers) {
      OCTET_ASSIGN(const ValueId real,
                   dequantize(integers, params, quantizer.value, graph_.node(node).origins));
      OCTET_TRY(patch_.replace_operand(node, input, real));
    }
    return {};
  }

  std::vector<std::string> origins_of(ValueId id) const {
    const NodeId producer = graph_.value(id).producer;
    if (producer.valid()) return graph_.node(producer).origins;
    return {graph_.value(id).name};
  }

  const Graph& graph_;
  const QuantPlan& plan_;
  Patch patch_;
  std::map<std::string, NodeId> node_of_;  // by first output
  std::set<std::string> node_names_;
  std::map<Operand, std::vector<float>> weight_scales_;  // factors included
};

}  // namespace

Status apply_plan(Graph& graph, const QuantPlan& plan) {
  const std::string expected = calibration::fingerprint(graph);
  if (plan.fingerprint != expected) {
    return usage_error("the plan was made for another model (fingerprint ", plan.fingerprint,
                       ", this model has ", expected, "); plan again");
  }
  Graph edited = graph;  // so that a plan refused half-way changes nothing
  OCTET_TRY(apply_edits(edited, plan));
  const bool blocked = std::any_of(
      plan.constants.begin(), plan.constants.end(), [](const ConstantQuantizer& constant) {
        return constant.params.granularity() == ir::Granularity::kBlocked;
      });
  // DequantizeLinear knows blocks from ai.onnx 21 on. The other nodes are still in the form of the
  // graph's own version, which it keeps; who writes it lifts all of it.
  const ir::OpsetImports own = edited.model.opset_imports;
  if (blocked) {
    int64_t& opset = edited.model.opset_imports[""];
    opset = std::max<int64_t>(opset, 21);
  }
  OCTET_ASSIGN(Patch patch, Applier(edited, plan).run());
  OCTET_TRY(std::move(patch).apply(edited));
  edited.model.opset_imports = own;
  edited.remove_unused_constants();
  graph = std::move(edited);
  return {};
}

}  // namespace octet::plan
