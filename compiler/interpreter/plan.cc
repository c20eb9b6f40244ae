#include "compiler/interpreter/plan.h"

#include <algorithm>
#include <map>
#include <utility>

#include "compiler/base/names.h"
#include "compiler/interpreter/fusion.h"
#include "compiler/interpreter/kernel_registry.h"
#include "compiler/interpreter/memory_plan.h"
#include "compiler/interpreter/views.h"

namespace octet::interpreter {

using ir::DType;
using ir::Node;
using ir::NodeId;
using ir::ValueId;

int64_t Operand::count() const {
  int64_t out = 1;
  for (int64_t extent : shape) out *= extent;
  return out;
}

namespace {

constexpr size_t kMaxKernelRank = 12;  // of a oneDNN memory descriptor

class PlanBuilder {
 public:
  PlanBuilder(const PlanContext& context, Plan& plan, Specialized specialized)
      : context_(context),
        graph_(context.graph),
        plan_(plan),
        specialized_(std::move(specialized)),
        main_(graph_.value_count()),
        observed_(graph_.value_count(), false) {
    for (ValueId id : context.options.observed) observed_[id.index()] = true;
  }

  Status build() {
    const std::vector<ValueId> required = graph_.required_inputs();
    for (size_t i = 0; i < required.size(); ++i) {
      Buffer buffer = value_buffer(required[i], Buffer::Place::kInput);
      buffer.input = i;
      main_[required[i].index()] = add(std::move(buffer));
    }
    observe_given();
    const bool fast = context_.options.kernels == Kernels::kFast;
    for (const Unit& unit : make_units(graph_, specialized_, context_.options.observed,
                                       fast ? Fusion::kAll : Fusion::kNone)) {
      auto status = add_unit(unit);
      if (!status.ok()) return status.error().in(ir::describe(graph_, unit.nodes[0]));
    }
    for (ValueId id : graph_.outputs()) {
      OCTET_ASSIGN(const BufferId buffer, output_buffer(id));
      plan_.outputs.push_back(buffer);
    }
    return {};
  }

 private:
  // Buffers.

  BufferId add(Buffer buffer) {
    const BufferId id(plan_.buffers.size());
    if (!buffer.root.valid()) buffer.root = id;
    plan_.buffers.push_back(std::move(buffer));
    return id;
  }

  Buffer value_buffer(ValueId id, Buffer::Place place, const Layout& layout = {}) const {
    Buffer out;
    out.place = place;
    out.dtype = specialized_.value(id).type.storage;
    out.layout = layout;
    if (!specialized_.is_static(id)) return out;
    out.shape = specialized_.value(id).type.shape.extents();
    const int64_t count = *specialized_.value(id).type.shape.element_count();
    out.bytes = numerics::storage_bytes(out.dtype, layout.stored_elements(count)).value_or(0);
    return out;
  }

  // Of a constant, or of a value that a step in front computes.
  BufferId buffer_of(ValueId id) {
    BufferId& main = main_[id.index()];
    if (!main.valid()) {
      Buffer buffer = value_buffer(id, Buffer::Place::kConstant);
      buffer.constant = specialized_.value(id).constant;
      main = add(std::move(buffer));
    }
    return main;
  }

  Buffer& buffer(BufferId id) { return plan_.buffers[id.index()]; }

  // Another name for the memory of `of`.
  BufferId add_view(NodeId node, BufferId of, std::vector<int64_t> shape, const Layout& layout) {
    Buffer view = buffer(of);
    view.root = buffer(of).root;
    view.shape = std::move(shape);
    view.layout = layout;
    int64_t count = 1;
    for (int64_t extent : *view.shape) count *= extent;
    view.bytes =
        numerics::storage_bytes(view.dtype, view.layout.stored_elements(count)).value_or(0);
    const BufferId out = add(std::move(view));
    plan_.steps.push_back({Step::Kind::kView, node, "view", nullptr, {of}, {out}});
    return out;
  }

  // The value of `from` in another layout.
  Result<BufferId> converted(NodeId node, BufferId from, const Layout& layout) {
    if (buffer(from).layout == layout) return from;
    const BufferId main = from;
    for (const auto& [other, as] : conversions_[main]) {
      if (as == layout) return other;
    }
    BufferId out;
    if (layout.is_plain() && buffer(from).layout.starts_plain()) {
      out = add_view(node, from, *buffer(from).shape, {});
    } else {
      OCTET_ASSIGN(KernelPtr kernel,
                   make_reorder(context_.engine, buffer(from).dtype, *buffer(from).shape,
                                buffer(from).layout, layout));
      Buffer to = buffer(from);
      to.place = Buffer::Place::kArena;
      to.root = {};
      to.layout = layout;
      to.constant = nullptr;
      int64_t count = 1;
      for (int64_t extent : *to.shape) count *= extent;
      to.bytes = numerics::storage_bytes(to.dtype, layout.stored_elements(count)).value_or(0);
      out = add(std::move(to));
      plan_.steps.push_back(
          {Step::Kind::kKernel, node, "reorder", std::move(kernel), {from}, {out}});
    }
    conversions_[main].emplace_back(out, layout);
    return out;
  }

  Result<BufferId> plain(NodeId node, ValueId id) {
    return converted(node, buffer_of(id), Layout());
  }

  // A row-major buffer that outlives the run.
  Result<BufferId> output_buffer(ValueId id) {
    const NodeId node = graph_.value(id).producer;
    OCTET_ASSIGN(BufferId out, plain(node, id));
    if (!buffer(buffer(out).root).layout.is_plain()) {
      Buffer copy = buffer(out);
      copy.root = {};
      const BufferId to = add(std::move(copy));
      plan_.steps.push_back(
          {Step::Kind::kKernel, node, "copy", make_copy(buffer(out).bytes), {out}, {to}});
      out = to;
    }
    const BufferId root = buffer(out).root;
    if (buffer(root).place == Buffer::Place::kArena) {
      for (Buffer& b : plan_.buffers) {
        if (b.root == root) b.place = Buffer::Place::kHeap;
      }
    }
    return out;
  }

  // Observations.

  void observe_given() {
    for (size_t i = 0; i < graph_.value_count(); ++i) {
      const ValueId id(i);
      const bool given = main_[i].valid() || specialized_.value(id).constant != nullptr;
      if (observed_[i] && given) plan_.given.push_back({id, buffer_of(id)});
    }
  }

  // The elements of a padded float value in any order, for observers alone.
  BufferId compacted(NodeId node, BufferId from) {
    Buffer to = buffer(from);
    KernelPtr kernel = make_compaction(*to.shape, *to.layout.channel_block());
    to.place = Buffer::Place::kArena;
    to.root = {};
    to.layout = {};
    int64_t count = 1;
    for (int64_t extent : *to.shape) count *= extent;
    to.bytes = count * static_cast<int64_t>(sizeof(float));
    const BufferId out = add(std::move(to));
    plan_.steps.push_back(
        {Step::Kind::kKernel, node, "compaction", std::move(kernel), {from}, {out}});
    return out;
  }

  Status observe(NodeId node, ValueId id) {
    if (!id.valid() || !observed_[id.index()]) return {};
    BufferId seen = buffer_of(id);
    const Layout layout = buffer(seen).layout;
    const int64_t block = layout.channel_block().value_or(1);
    const bool in_blocks = context_.options.observed_order == ElementOrder::kAny && block > 1 &&
                           buffer(seen).dtype == DType::kFloat32 && buffer(seen).shape->size() >= 4;
    if (!in_blocks) {
      OCTET_ASSIGN(seen, converted(node, seen, Layout()));
    } else if (layout.has_padding()) {
      seen = compacted(node, seen);
    }
    plan_.steps.back().observations.push_back({id, seen, in_blocks ? block : 1});
    return {};
  }

  // Steps.

  Operand operand(ValueId id) {
    Operand out;
    out.id = id;
    if (!id.valid()) return out;
    const ir::Value& value = specialized_.value(id);
    out.dtype = value.type.storage;
    if (specialized_.is_static(id)) out.shape = value.type.shape.extents();
    out.constant = value.constant;
    out.same_in_all_plans = graph_.value(id).is_constant() || context_.constants.at(id) != nullptr;
    if (main_[id.index()].valid()) out.layout = buffer(main_[id.index()]).layout;
    return out;
  }

  // Kernels take and give values of known, non-zero extents; constants may be empty, as the operand
  // roi of Resize often is.
  bool fits_kernel(const std::vector<ValueId>& ids) const {
    return std::all_of(ids.begin(), ids.end(), [&](ValueId id) {
      if (!id.valid()) return true;
      if (!specialized_.is_static(id)) return false;
      const ir::Value& value = specialized_.value(id);
      const bool has_elements = value.type.shape.element_count().value_or(0) > 0;
      return value.type.shape.rank() <= kMaxKernelRank &&
             (has_elements || value.constant != nullptr) &&
             numerics::bit_width(value.type.storage) >= 8;
    });
  }

  // What can never be held is refused before kernels make tables for it.
  Status check_room(const std::vector<ValueId>& outputs) const {
    const int64_t limit = context_.weights.budget().limit();
    for (const ValueId output : outputs) {
      if (!output.valid() || !specialized_.is_static(output)) continue;
      const ir::TensorType& type = specialized_.value(output).type;
      const auto bytes =
          numerics::storage_bytes(type.storage, type.shape.element_count().value_or(0));
      if (bytes && *bytes <= limit) continue;
      return resource_limit("a result of type ", type.to_string(), " needs ",
                            bytes.value_or(INT64_MAX), " bytes, of a budget of ", limit,
                            "; raise it with --max-memory");
    }
    return {};
  }

  Status add_unit(const Unit& unit) {
    const Node& first = graph_.node(unit.nodes[0]);
    const Node& last = graph_.node(unit.nodes.back());
    std::vector<ValueId> inputs = first.inputs;
    inputs.insert(inputs.end(), unit.operands.begin(), unit.operands.end());
    if (unit.nodes.size() == 1) {
      if (const auto as_view = view(first)) return add_view_node(unit.nodes[0], *as_view);
    }
    OCTET_TRY(check_room(last.outputs));
    const bool fast = context_.options.kernels == Kernels::kFast;
    if (fast && fits_kernel(inputs) && fits_kernel(last.outputs)) {
      KernelRequest request{first,
                            graph_.model.opset(),
                            {},
                            {},
                            unit.post_ops,
                            context_.engine,
                            context_.weights,
                            context_.options.threads,
                            context_.constants.device()};
      for (ValueId id : inputs) request.inputs.push_back(operand(id));
      for (ValueId id : last.outputs) request.outputs.push_back(operand(id));
      OCTET_ASSIGN(KernelPtr kernel, make_kernel(request));
      if (kernel != nullptr) {
        return add_kernel(unit, std::move(kernel), inputs, last.outputs);
      }
    }
    if (unit.nodes.size() == 1) return add_reference(unit.nodes[0]);
    for (NodeId id : unit.nodes) {  // not as one, then one by one
      auto status = add_unit_of_one(id);
      if (!status.ok()) return status;
    }
    return {};
  }

  Status add_unit_of_one(NodeId id) { return add_unit({{id}, {}, {}}); }

  std::string names_of(const std::vector<NodeId>& nodes) const {
    std::string out;
    for (NodeId id : nodes) out += (out.empty() ? "" : "+") + graph_.node(id).op_type;
    return out;
  }

  Status add_kernel(const Unit& unit, KernelPtr kernel, const std::vector<ValueId>& inputs,
                    const std::vector<ValueId>& outputs) {
    const NodeId node = unit.nodes[0];
    Step step{Step::Kind::kKernel, node, names_of(unit.nodes), nullptr, {}, {}};
    for (size_t i = 0; i < inputs.size(); ++i) {
      const InputNeed& need = kernel->needs[i];
      BufferId id;
      if (inputs[i].valid() && need.form != InputNeed::Form::kNothing) {
        id = buffer_of(inputs[i]);
        if (need.form != InputNeed::Form::kAsIs) {
          OCTET_ASSIGN(id, converted(node, id, need.layout));
        }
      }
      step.inputs.push_back(id);
    }
    for (size_t i = 0; i < outputs.size(); ++i) {
      BufferId id;
      if (outputs[i].valid()) {
        id = add(value_buffer(outputs[i], Buffer::Place::kArena, kernel->output_layouts[i]));
        main_[outputs[i].index()] = id;
      }
      step.outputs.push_back(id);
    }
    step.kernel = std::move(kernel);
    plan_.steps.push_back(std::move(step));
    for (ValueId id : outputs) OCTET_TRY(observe(node, id));
    return {};
  }

  Status add_reference(NodeId id) {
    const Node& node = graph_.node(id);
    Step step{Step::Kind::kReference, id, node.op_type, nullptr, {}, {}};
    std::vector<ValueId> operands = node.inputs;
    operands.insert(operands.end(), node.implicit_inputs.begin(), node.implicit_inputs.end());
    for (ValueId input : operands) {
      BufferId buffer;
      if (input.valid()) {
        OCTET_ASSIGN(buffer, plain(id, input));
      }
      step.inputs.push_back(buffer);
    }
    for (ValueId output : node.outputs) {
      BufferId buffer;
      if (output.valid()) {
        buffer = add(value_buffer(output, Buffer::Place::kHeap));
        main_[output.index()] = buffer;
      }
      step.outputs.push_back(buffer);
    }
    plan_.steps.push_back(std::move(step));
    for (ValueId output : node.outputs) OCTET_TRY(observe(id, output));
    return {};
  }

  // The node as a view of its first operand, if it is one.
  std::optional<View> view(const Node& node) {
    if (node.inputs.empty() || !node.inputs[0].valid() || !node.output().valid()) return {};
    for (size_t i = 1; i < node.outputs.size(); ++i) {
      if (node.outputs[i].valid()) return std::nullopt;
    }
    if (!specialized_.is_static(node.output()) || !specialized_.is_static(node.inputs[0]) ||
        specialized_.value(node.output()).type.shape.element_count().value_or(0) == 0) {
      return std::nullopt;
    }
    return view_of(node, specialized_.value(node.inputs[0]).type,
                   specialized_.value(node.output()).type,
                   buffer(buffer_of(node.inputs[0])).layout);
  }

  Status add_view_node(NodeId id, const View& view) {
    const Node& node = graph_.node(id);
    OCTET_ASSIGN(const BufferId from, converted(id, buffer_of(node.inputs[0]), view.from));
    const ir::Shape& shape = specialized_.value(node.output()).type.shape;
    main_[node.output().index()] = add_view(id, from, shape.extents(), view.to);
    return observe(id, node.output());
  }

  const PlanContext& context_;
  const ir::Graph& graph_;
  Plan& plan_;
  Specialized specialized_;
  std::vector<BufferId> main_;  // by ValueId: as its producer leaves it
  std::map<BufferId, std::vector<std::pair<BufferId, Layout>>> conversions_;
  std::vector<bool> observed_;
};

}  // namespace

Result<std::shared_ptr<const Plan>> make_plan(const PlanContext& context,
                                              std::span<const InputType> inputs) {
  auto plan =
      std::make_shared<Plan>(context.graph, context.weights.budget(), context.constants.device());
  OCTET_ASSIGN(Specialized specialized,
               specialize(context.graph, context.nodes, context.options.observed, inputs,
                          context.constants, plan->constants));
  OCTET_TRY(PlanBuilder(context, *plan, std::move(specialized)).build());
  OCTET_TRY(plan_memory(*plan));
  return std::shared_ptr<const Plan>(std::move(plan));
}

}  // namespace octet::interpreter
