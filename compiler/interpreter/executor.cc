#include "compiler/interpreter/executor.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "compiler/ops/strided.h"

namespace octet::interpreter {
namespace {

using ir::Tensor;
using Slot = ExecutionContext::Slot;

// A buffer that holds a tensor's bytes, in some order, and no others.
bool has_tensor(const Buffer& buffer) { return buffer.shape && !buffer.layout.has_padding(); }

class Run {
 public:
  Run(const ir::Graph& graph, const Plan& plan, ExecutionContext& context,
      const ReferenceEnvironment& environment, Watchers watchers)
      : graph_(graph),
        plan_(plan),
        context_(context),
        environment_(environment),
        budget_(environment.budget),
        watchers_(watchers) {}

  // Heap tensors go, those handed to the caller included: from here on they are the caller's.
  ~Run() {
    for (size_t i = 0; i < plan_.buffers.size(); ++i) {
      const Buffer::Place place = plan_.buffers[i].place;
      if (place == Buffer::Place::kHeap || place == Buffer::Place::kInput) drop(BufferId(i));
    }
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  Result<std::vector<Tensor>> execute(std::span<const Tensor> inputs) {
    for (size_t i = 0; i < plan_.buffers.size(); ++i) {
      const Buffer& buffer = plan_.buffers[i];
      if (buffer.place == Buffer::Place::kInput && buffer.root == BufferId(i)) {
        set(BufferId(i), inputs[buffer.input]);
      }
    }
    OCTET_TRY(show(plan_.given));
    for (size_t i = 0; i < plan_.steps.size(); ++i) OCTET_TRY(execute(i));
    std::vector<Tensor> out;
    for (BufferId id : plan_.outputs) out.push_back(slot(id).tensor);
    return out;
  }

 private:
  Slot& slot(BufferId id) { return context_.slots[id.index()]; }

  void set(BufferId id, Tensor tensor, int64_t charged = 0) {
    Slot& s = slot(id);
    s.data = ops::writable_bytes(tensor);
    s.tensor = std::move(tensor);
    s.charged = charged;
  }

  void drop(BufferId id) {
    Slot& s = slot(id);
    budget_.release(std::exchange(s.charged, 0));
    s.data = nullptr;
    s.tensor = {};
  }

  Status show(const std::vector<Observation>& observations) {
    if (watchers_.observer == nullptr) return {};
    for (const Observation& o : observations) {
      const Tensor& shown = slot(o.buffer).tensor;
      OCTET_TRY(o.channel_block > 1
                    ? watchers_.observer->observe_blocks(o.value, shown, o.channel_block)
                    : watchers_.observer->observe(o.value, shown));
    }
    return {};
  }

  Status execute(size_t index) {
    const Step& step = plan_.steps[index];
    if (watchers_.profile == nullptr) {
      OCTET_TRY(compute(step, index));
    } else {
      const auto start = std::chrono::steady_clock::now();
      OCTET_TRY(compute(step, index));
      const auto time = std::chrono::steady_clock::now() - start;
      watchers_.profile->add(describe(step), ir::describe(graph_, step.node), time);
    }
    OCTET_TRY(show(step.observations));
    for (BufferId id : step.last_uses) drop(id);
    return {};
  }

  std::string describe(const Step& step) const {
    return step.kind == Step::Kind::kReference ? step.op + " (reference)" : step.op;
  }

  Status compute(const Step& step, size_t index) {
    switch (step.kind) {
      case Step::Kind::kKernel: {
        auto status = run_kernel(step, index);
        if (!status.ok()) return status.error().in(ir::describe(graph_, step.node));
        break;
      }
      case Step::Kind::kView:
        run_view(step);
        break;
      case Step::Kind::kReference:
        OCTET_TRY(run_reference(step));
        break;
    }
    return {};
  }

  Status run_kernel(const Step& step, size_t index) {
    auto& inputs = context_.inputs;
    auto& outputs = context_.outputs;
    inputs.assign(step.inputs.size(), nullptr);
    outputs.assign(step.outputs.size(), nullptr);
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (step.inputs[i].valid()) inputs[i] = slot(step.inputs[i]).data;
    }
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (!step.outputs[i].valid()) continue;
      const Buffer& buffer = plan_.buffer(step.outputs[i]);
      if (buffer.place == Buffer::Place::kHeap) {
        OCTET_TRY(budget_.charge(buffer.bytes));
        auto tensor = Tensor::zeros(buffer.dtype, *buffer.shape);
        if (!tensor.ok()) {
          budget_.release(buffer.bytes);
          return tensor.error();
        }
        set(step.outputs[i], std::move(tensor).value(), buffer.bytes);
      }
      outputs[i] = slot(step.outputs[i]).data;
    }
    return step.kernel->execute({inputs, outputs, context_.arena->data() + plan_.scratch_offset,
                                 context_.states[index].get(), context_.stream});
  }

  // Views of arena memory were made with the context.
  void run_view(const Step& step) {
    const Buffer& buffer = plan_.buffer(step.outputs[0]);
    if (buffer.place == Buffer::Place::kArena) return;
    set(step.outputs[0], slot(step.inputs[0]).tensor.reshaped(*buffer.shape));
  }

  Status run_reference(const Step& step) {
    const ir::Node& node = graph_.node(step.node);
    std::vector<const Tensor*> inputs;
    for (BufferId id : step.inputs) inputs.push_back(id.valid() ? &slot(id).tensor : nullptr);
    OCTET_ASSIGN(auto out, evaluate_reference(graph_, node, inputs, environment_));
    Status status;
    for (size_t i = 0; i < out.tensors.size(); ++i) {
      const BufferId id = i < step.outputs.size() ? step.outputs[i] : BufferId();
      if (!id.valid() || !status.ok()) {
        budget_.release(out.charged[i]);
        continue;
      }
      status = keep(id, std::move(out.tensors[i]), out.charged[i]);
    }
    if (!status.ok()) return status.error().in(ir::describe(graph_, node));
    return {};
  }

  // Takes over a tensor that reference evaluation made.
  Status keep(BufferId id, Tensor tensor, int64_t charged) {
    const Buffer& buffer = plan_.buffer(id);
    if (buffer.shape && (tensor.dtype() != buffer.dtype || tensor.shape() != *buffer.shape)) {
      budget_.release(charged);
      return internal_error("gives ", tensor.type().to_string(), ", planned was ",
                            ir::TensorType{buffer.dtype, ir::Shape::of(*buffer.shape)}.to_string());
    }
    const std::span<const std::byte> arena(context_.arena->data(),
                                           static_cast<size_t>(context_.arena->bytes()));
    const auto bytes = tensor.bytes();
    if (!bytes.empty() && bytes.data() >= arena.data() &&
        bytes.data() < arena.data() + arena.size()) {
      // Shares an operand's memory, which other values take over later.
      charged = static_cast<int64_t>(bytes.size());
      OCTET_TRY(budget_.charge(charged));
      auto copy = Tensor::zeros(tensor.dtype(), tensor.shape());
      if (!copy.ok()) {
        budget_.release(charged);
        return copy.error();
      }
      std::copy(bytes.begin(), bytes.end(), ops::writable_bytes(*copy));
      tensor = std::move(copy).value();
    }
    set(id, std::move(tensor), charged);
    return {};
  }

  const ir::Graph& graph_;
  const Plan& plan_;
  ExecutionContext& context_;
  const ReferenceEnvironment& environment_;
  MemoryBudget& budget_;
  Watchers watchers_;
};

Status fill_slot(const Plan& plan, const Buffer& buffer, ExecutionContext& context, Slot& slot) {
  if (buffer.place == Buffer::Place::kConstant) {
    // A view of a constant under another shape.
    slot.tensor = buffer.constant->reshaped(*buffer.shape);
    slot.data = ops::writable_bytes(slot.tensor);
    return {};
  }
  if (buffer.place != Buffer::Place::kArena) return {};
  slot.data = context.arena->data() + plan.buffer(buffer.root).offset;
  if (!has_tensor(buffer)) return {};
  OCTET_ASSIGN(slot.tensor,
               Tensor::view(buffer.dtype, *buffer.shape,
                            {slot.data, static_cast<size_t>(buffer.bytes)}, context.arena));
  return {};
}

}  // namespace

Result<std::unique_ptr<ExecutionContext>> ExecutionContext::make(const ir::Graph& graph,
                                                                 const Plan& plan,
                                                                 const dnnl::engine& engine,
                                                                 MemoryBudget& budget) {
  std::unique_ptr<ExecutionContext> context(new ExecutionContext());
  auto arena = ChargedMemory::make(budget, plan.arena_bytes);
  if (!arena.ok()) {
    return plan.largest.valid() ? arena.error().in(ir::describe(graph, plan.largest))
                                : arena.error();
  }
  context->arena = std::move(arena).value();
  OCTET_ASSIGN(context->stream, onednn::guarded([&] { return dnnl::stream(engine); }));
  context->slots.resize(plan.buffers.size());
  for (size_t i = 0; i < plan.buffers.size(); ++i) {
    OCTET_TRY(fill_slot(plan, plan.buffers[i], *context, context->slots[i]));
  }
  for (const Step& step : plan.steps) {
    context->states.push_back(step.kernel != nullptr ? step.kernel->make_state() : nullptr);
  }
  return context;
}

Result<std::unique_ptr<ExecutionContext>> PlanRunner::take_context() {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      auto context = std::move(idle_.back());
      idle_.pop_back();
      return context;
    }
  }
  return ExecutionContext::make(graph_, *plan_, engine_, environment_.budget);
}

Result<std::vector<Tensor>> PlanRunner::run(std::unique_ptr<ExecutionContext> context,
                                            std::span<const Tensor> inputs, Watchers watchers) {
  auto outputs = Run(graph_, *plan_, *context, environment_, watchers).execute(inputs);
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(context));
  return outputs;
}

}  // namespace octet::interpreter
