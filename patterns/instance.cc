#include "patterns/instance.h"

#include <algorithm>

#include "compiler/ops/schema.h"

namespace octet::patterns {
namespace {

using ir::ValueId;

Status evaluate_into(const ir::Graph& graph, const ir::Node& node,
                     std::vector<ir::Tensor>& values) {
  std::vector<const ir::Tensor*> inputs;
  for (ValueId id : node.inputs) inputs.push_back(id.valid() ? &values[id.index()] : nullptr);
  OCTET_ASSIGN(auto outputs, ops::evaluate_node({node, graph.model.opset(), inputs, nullptr}));
  for (size_t i = 0; i < node.outputs.size() && i < outputs.size(); ++i) {
    if (node.outputs[i].valid()) values[node.outputs[i].index()] = std::move(outputs[i]);
  }
  return {};
}

class InstanceMaker {
 public:
  InstanceMaker(const Rule& rule, Random& random)
      : rule_(rule),
        random_(random),
        bound_(rule.value_names.size()),
        attributes_(rule.attribute_names.size()) {}

  std::optional<Instance> make();

 private:
  struct Data {
    ir::DType dtype;
    std::vector<int64_t> shape;
  };

  bool add_line(const MatchLine& line);
  bool add_call(const OpCall& call, const std::vector<ValueRef>& outputs);
  bool add_chain(const SkipChain& chain, size_t name);
  bool add_node(ir::Node node, size_t outputs);
  std::vector<ValueId> operands(const OpCall& call);
  void add_attributes(const OpCall& call, ir::Node& node);
  void set_attribute(ir::Node& node, const AttributeTerm& term);
  ValueId leaf(const OpCall& call, size_t index, const std::vector<ValueId>& before);
  ValueId number(const Number& number, const Data& like);
  ValueId add_leaf(ir::Tensor tensor, int constant_percent);
  Data like(const std::vector<ValueId>& before) const;
  // Operand 0 of a node, or a scalar for a node without one.
  const ir::Tensor& data_of(const std::vector<ValueId>& inputs) const;
  std::string fresh_name() { return cat("t", names_++); }
  bool add_reader();

  const Rule& rule_;
  Random& random_;
  Instance out_;
  Data base_;
  std::vector<ValueId> bound_;
  std::vector<std::optional<ir::Attribute>> attributes_;
  const ir::Tensor nothing_ = ir::Tensor::scalar(0.0F);
  int64_t names_ = 0;
};

InstanceMaker::Data InstanceMaker::like(const std::vector<ValueId>& before) const {
  for (ValueId id : before) {
    if (!id.valid()) continue;
    const ir::Tensor& tensor = out_.values[id.index()];
    return {tensor.dtype(), tensor.shape()};
  }
  return base_;
}

const ir::Tensor& InstanceMaker::data_of(const std::vector<ValueId>& inputs) const {
  return inputs.empty() || !inputs[0].valid() ? nothing_ : out_.values[inputs[0].index()];
}

ValueId InstanceMaker::add_leaf(ir::Tensor tensor, int constant_percent) {
  ValueId id;
  if (random_.chance(constant_percent)) {
    id = *out_.graph.add_constant(fresh_name(), std::make_shared<const ir::Tensor>(tensor));
  } else {
    id = *out_.graph.add_input(fresh_name(), loosened(random_, tensor.dtype(), tensor.shape()));
  }
  out_.values.resize(out_.graph.value_count());
  out_.values[id.index()] = std::move(tensor);
  return id;
}

ValueId InstanceMaker::number(const Number& number, const Data& like) {
  std::vector<int64_t> shape;
  if (random_.chance(25)) shape = broadcast_variant(random_, like.shape);
  ir::Tensor tensor = ir::Tensor::zeros(like.dtype, shape).value();
  for (int64_t i = 0; i < tensor.element_count(); ++i) {
    if (number.integer) {
      tensor.set_from_int64(i, *number.integer);
    } else {
      tensor.set_from_double(i, number.value);
    }
  }
  return add_leaf(std::move(tensor), 100);
}

ValueId InstanceMaker::leaf(const OpCall& call, size_t index, const std::vector<ValueId>& before) {
  if (index > 0) {
    auto special = special_operand(random_, call.op_type, index, data_of(before));
    if (special) return add_leaf(*std::move(special), 85);
  }
  const Data near = like(before);
  const bool same = before.empty() || random_.chance(30);
  const auto shape = same ? near.shape : broadcast_variant(random_, near.shape);
  return add_leaf(random_tensor(random_, near.dtype, shape), before.empty() ? 5 : 60);
}

std::vector<ValueId> InstanceMaker::operands(const OpCall& call) {
  // Values that are there already come first: the others are chosen to go with them.
  std::vector<ValueId> out(call.operands.size());
  for (size_t i = 0; i < out.size(); ++i) {
    const auto* ref = std::get_if<ValueRef>(&call.operands[i]);
    if (ref != nullptr) out[i] = bound_[ref->name];
  }
  for (size_t i = 0; i < out.size(); ++i) {
    if (out[i].valid()) continue;
    if (const auto* literal = std::get_if<Number>(&call.operands[i])) {
      const ops::OpSchema* schema = ops::find_schema(call.domain, call.op_type);
      const bool integers = schema != nullptr && schema->role(i) == ops::Role::kShape;
      out[i] = number(*literal, integers ? Data{ir::DType::kInt64, {1}} : like(out));
      continue;
    }
    const auto& ref = std::get<ValueRef>(call.operands[i]);
    if (ref.optional && random_.chance(50)) continue;
    out[i] = leaf(call, i, out);
    bound_[ref.name] = out[i];
  }
  while (!out.empty() && !out.back().valid()) out.pop_back();
  const ops::OpSchema* schema = ops::find_schema(call.domain, call.op_type);
  if (schema != nullptr && schema->commutative && out.size() == 2 && random_.chance(50)) {
    std::swap(out[0], out[1]);
  }
  return out;
}

void InstanceMaker::set_attribute(ir::Node& node, const AttributeTerm& term) {
  const bool optional = term.presence == AttributeTerm::Presence::kMayBeAbsent;
  if (optional && random_.chance(50)) return;
  if (const auto* literal = std::get_if<ir::Attribute>(&term.value)) {
    node.attributes.insert_or_assign(term.name, *literal);
    return;
  }
  auto& bound = attributes_[std::get<AttributeRef>(term.value).name];
  if (!bound) bound = random_attribute(random_, term.name, data_of(node.inputs));
  node.attributes.insert_or_assign(term.name, *bound);
}

void InstanceMaker::add_attributes(const OpCall& call, ir::Node& node) {
  for (const AttributeTerm& term : call.attributes) set_attribute(node, term);
  if (call.others == OpCall::Others::kRefused) return;
  for (std::string_view name : other_attributes(call.op_type, out_.graph.model.opset())) {
    if (node.attributes.contains(name) || random_.chance(40)) continue;
    node.attributes.emplace(name, random_attribute(random_, name, data_of(node.inputs)));
  }
}

bool InstanceMaker::add_node(ir::Node node, size_t outputs) {
  node.name = fresh_name();
  node.origins = {node.name};
  node.outputs.resize(outputs);
  const auto lookup = [this](ValueId id) -> const ir::Value& { return out_.graph.value(id); };
  auto facts = ops::infer_node(node, lookup, out_.graph.model);
  if (!facts.ok()) return false;
  for (size_t i = 0; i < outputs; ++i) {
    node.outputs[i] = *out_.graph.add_value(fresh_name(), ir::TensorType());
    out_.graph.set_facts(node.outputs[i], (*facts)[i]);
  }
  out_.values.resize(out_.graph.value_count());
  out_.root = out_.graph.add_node(std::move(node));
  const ir::Node& added = out_.graph.node(out_.root);
  return evaluate_into(out_.graph, added, out_.values).ok() &&
         std::all_of(added.outputs.begin(), added.outputs.end(), [&](ValueId id) {
           return out_.values[id.index()].dtype() != ir::DType::kUndefined;
         });
}

bool InstanceMaker::add_call(const OpCall& call, const std::vector<ValueRef>& outputs) {
  ir::Node node;
  node.domain = call.domain;
  node.op_type = call.op_type;
  node.inputs = operands(call);
  add_attributes(call, node);
  if (!add_node(std::move(node), outputs.size())) return false;
  for (size_t i = 0; i < outputs.size(); ++i) {
    bound_[outputs[i].name] = out_.graph.node(out_.root).outputs[i];
  }
  return true;
}

bool InstanceMaker::add_chain(const SkipChain& chain, size_t name) {
  if (!bound_[chain.inner.name].valid()) {
    bound_[chain.inner.name] = add_leaf(random_tensor(random_, base_.dtype, base_.shape), 5);
  }
  bound_[name] = bound_[chain.inner.name];
  const int64_t length = random_.below(3);
  for (int64_t i = 0; i < length; ++i) {
    const OpCall& op = random_.of(chain.operators);
    ir::Node node;
    node.domain = op.domain;
    node.op_type = op.op_type;
    node.inputs = {bound_[name]};
    if (op.op_type == "Cast") {
      node.attributes["to"] = random_attribute(random_, "to", data_of(node.inputs));
    }
    if (!add_node(std::move(node), 1)) return false;
    bound_[name] = out_.graph.node(out_.root).outputs[0];
  }
  return true;
}

bool InstanceMaker::add_line(const MatchLine& line) {
  if (line.chain) return add_chain(*line.chain, line.outputs[0].name);
  return add_call(random_.of(line.alternatives), line.outputs);
}

// The root's results are read by nodes: as graph outputs they could not be given to an input.
bool InstanceMaker::add_reader() {
  const std::vector<ValueId> results = out_.graph.node(out_.root).outputs;
  const ir::NodeId root = out_.root;
  for (ValueId result : results) {
    ir::Node reader;
    reader.op_type = "Identity";
    reader.inputs = {result};
    if (!add_node(std::move(reader), 1)) return false;
    out_.graph.add_output(out_.graph.node(out_.root).outputs[0]);
  }
  out_.root = root;
  return true;
}

std::optional<Instance> InstanceMaker::make() {
  const int64_t oldest = std::max<int64_t>(rule_.min_opset, 7);
  const int64_t newest = std::min<int64_t>(rule_.max_opset, 23);
  if (oldest > newest) return std::nullopt;
  out_.graph.model.opset_imports[""] = random_.between(oldest, newest);
  base_ = {random_dtype(random_), random_shape(random_)};
  for (const MatchLine& line : rule_.match) {
    if (!add_line(line)) return std::nullopt;
  }
  if (!add_reader()) return std::nullopt;
  return std::move(out_);
}

}  // namespace

std::optional<Instance> make_instance(const Rule& rule, Random& random) {
  return InstanceMaker(rule, random).make();
}

Status evaluate_graph(const ir::Graph& graph, std::vector<ir::Tensor>& values) {
  values.resize(graph.value_count());
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const ir::Tensor* constant = graph.constant(ValueId(i));
    if (constant != nullptr) values[i] = *constant;
  }
  for (ir::NodeId id : graph.order()) {
    const ir::Node& node = graph.node(id);
    OCTET_TRY(evaluate_into(graph, node, values).in(ir::describe(graph, node)));
  }
  return {};
}

}  // namespace octet::patterns
