#include "patterns/rewriter.h"

#include "compiler/ops/schema.h"
#include "patterns/builders.h"

namespace octet::patterns {
namespace {

using ir::NodeId;
using ir::ValueId;

class Rewriter {
 public:
  Rewriter(const ir::Graph& graph, const Rule& rule, const Match& match)
      : graph_(graph),
        rule_(rule),
        match_(match),
        patch_(graph, ops::infer_node),
        made_(rule.value_names.size()) {}

  Result<ir::Patch> run() &&;

 private:
  Status add_line(const ReplaceLine& line);
  Result<std::vector<ValueId>> add_call(const OpCall& call, const ReplaceLine& line);
  Result<ValueId> replay(const Replay& replay);
  Result<ValueId> operand(const Operand& operand);
  Result<ir::Attribute> build(const BuilderCall& call) const;
  Result<ValueId> build_constant(const BuilderCall& call);
  ValueId value(const ValueRef& ref) const;
  bool is_root_output(size_t name) const;
  std::string node_name(const ReplaceLine& line) const;
  std::string hint(std::string_view what) const;

  const ir::Graph& graph_;
  const Rule& rule_;
  const Match& match_;
  ir::Patch patch_;
  std::vector<ValueId> made_;  // per value name; invalid for those that were matched
};

bool Rewriter::is_root_output(size_t name) const {
  for (const ValueRef& output : rule_.root().outputs) {
    if (output.name == name) return true;
  }
  return false;
}

ValueId Rewriter::value(const ValueRef& ref) const {
  return made_[ref.name].valid() ? made_[ref.name] : match_.value(ref.name);
}

// The node that takes over the root's result takes over its name: recipes and reports go on
// finding it.
std::string Rewriter::node_name(const ReplaceLine& line) const {
  if (line.outputs[0].name != rule_.root().outputs[0].name) return "";
  return graph_.node(match_.nodes.back()).name;
}

std::string Rewriter::hint(std::string_view what) const {
  return cat(graph_.value(match_.value(rule_.root().outputs[0].name)).name, "_", what);
}

Result<ir::Attribute> Rewriter::build(const BuilderCall& call) const {
  const std::vector<BoundArgument> arguments = bind_arguments(call.arguments, match_);
  const ArgumentContext context{graph_, arguments};
  const Builder* builder = find_builder(call.name);
  if (builder == nullptr) return internal_error("no builder $", call.name);
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (context.is_absent(i)) return unsupported("$", call.name, " of an absent argument");
  }
  auto built = builder->build(context);
  if (!built) return unsupported("$", call.name, " has nothing to build from");
  return *std::move(built);
}

Result<ValueId> Rewriter::build_constant(const BuilderCall& call) {
  OCTET_ASSIGN(const ir::Attribute built, build(call));
  const auto* tensor = std::get_if<ir::TensorPtr>(&built);
  if (tensor == nullptr) return internal_error("$", call.name, " makes no constant");
  return patch_.constant(*tensor, hint(call.name));
}

Result<ValueId> Rewriter::operand(const Operand& operand) {
  if (const auto* ref = std::get_if<ValueRef>(&operand)) return value(*ref);
  if (const auto* number = std::get_if<Number>(&operand)) {
    return patch_.constant(ir::Tensor::scalar(static_cast<float>(number->value)), hint("constant"));
  }
  return build_constant(std::get<BuilderCall>(operand));
}

Result<std::vector<ValueId>> Rewriter::add_call(const OpCall& call, const ReplaceLine& line) {
  ir::NodeSpec spec;
  spec.op_type = call.op_type;
  spec.domain = call.domain;
  spec.name = node_name(line);
  spec.outputs = line.outputs.size();
  for (const Operand& op : call.operands) {
    OCTET_ASSIGN(ValueId input, operand(op));
    spec.inputs.push_back(input);
  }
  while (!spec.inputs.empty() && !spec.inputs.back().valid()) spec.inputs.pop_back();
  for (const AttributeTerm& term : call.attributes) {
    if (const auto* literal = std::get_if<ir::Attribute>(&term.value)) {
      spec.attributes.insert_or_assign(term.name, *literal);
    } else if (const auto* ref = std::get_if<AttributeRef>(&term.value)) {
      const ir::Attribute* bound = match_.attribute(ref->name);
      if (bound != nullptr) spec.attributes.insert_or_assign(term.name, *bound);
    } else {
      OCTET_ASSIGN(ir::Attribute built, build(std::get<BuilderCall>(term.value)));
      spec.attributes.insert_or_assign(term.name, std::move(built));
    }
  }
  return patch_.nodes(std::move(spec));
}

Result<ValueId> Rewriter::replay(const Replay& replay) {
  ValueId top = value(replay.inner);
  const std::vector<NodeId>& links = match_.chains[*rule_.defining_line(replay.chain.name)];
  for (size_t i = links.size(); i-- > 0;) {
    const ir::Node& old = graph_.node(links[i]);
    ir::NodeSpec spec;
    spec.op_type = old.op_type;
    spec.domain = old.domain;
    spec.name = old.name;
    spec.inputs = old.inputs;
    spec.inputs[0] = top;
    spec.attributes = old.attributes;
    spec.origins = old.origins;
    OCTET_ASSIGN(top, patch_.node(std::move(spec)));
  }
  return top;
}

Status Rewriter::add_line(const ReplaceLine& line) {
  std::vector<ValueId> results;
  if (const auto* call = std::get_if<OpCall>(&line.value)) {
    OCTET_ASSIGN(results, add_call(*call, line));
  } else if (const auto* ref = std::get_if<ValueRef>(&line.value)) {
    results = {value(*ref)};
  } else if (const auto* builder = std::get_if<BuilderCall>(&line.value)) {
    OCTET_ASSIGN(const ValueId constant, build_constant(*builder));
    results = {constant};
  } else {
    OCTET_ASSIGN(const ValueId top, replay(std::get<Replay>(line.value)));
    results = {top};
  }
  for (size_t i = 0; i < line.outputs.size(); ++i) {
    const size_t name = line.outputs[i].name;
    if (!is_root_output(name)) {
      made_[name] = results[i];
    } else if (match_.value(name).valid()) {
      OCTET_TRY(patch_.replace(match_.value(name), results[i]));
    }
  }
  return {};
}

Result<ir::Patch> Rewriter::run() && {
  for (const ReplaceLine& line : rule_.replace) OCTET_TRY(add_line(line));
  return std::move(patch_);
}

}  // namespace

Result<ir::Patch> build_patch(const ir::Graph& graph, const Rule& rule, const Match& match) {
  return Rewriter(graph, rule, match).run();
}

Status apply_patch(ir::Graph& graph, const Rule& rule, const Match& match, ir::Patch patch) {
  const size_t first_new = graph.value_count();
  std::vector<std::pair<std::string, ir::Shape>> known;
  for (const ValueRef& output : rule.root().outputs) {
    const ValueId id = match.value(output.name);
    if (id.valid()) known.emplace_back(graph.value(id).name, graph.value(id).type.shape);
  }
  OCTET_TRY(std::move(patch).apply(graph));
  // A new value has taken over the name of what it replaces.
  for (const auto& [name, shape] : known) {
    const ValueId id = graph.find_value(name);
    if (!id.valid() || id.index() < first_new || graph.value(id).is_constant()) continue;
    ir::TensorType type = graph.value(id).type;
    type.shape = ir::merge(type.shape, shape);
    graph.set_type(id, std::move(type));
  }
  return {};
}

}  // namespace octet::patterns
