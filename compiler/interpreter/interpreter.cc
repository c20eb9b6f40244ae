#include "compiler/interpreter/interpreter.h"

#include <algorithm>
#include <list>
#include <mutex>
#include <utility>

#include "compiler/base/names.h"
#include "compiler/interpreter/executor.h"
#include "compiler/interpreter/integer_form.h"
#include "compiler/interpreter/nested.h"
#include "compiler/interpreter/plan.h"
#include "compiler/interpreter/threads.h"
#include "compiler/ops/schema.h"

namespace octet::interpreter {

using ir::Tensor;
using ir::ValueId;

namespace {

constexpr size_t kMaxPlans = 8;

numerics::DeviceArithmetic device_arithmetic(Arithmetic arithmetic) {
  numerics::DeviceArithmetic out;
  if (arithmetic == Arithmetic::kSaturatingPairs) {
    out.sums = numerics::DeviceArithmetic::Sums::kSaturatingPairs;
  } else if (arithmetic == Arithmetic::kNeon) {
    out.elementwise = numerics::DeviceArithmetic::Elementwise::kNeon;
  } else if (arithmetic == Arithmetic::kFixedPoint) {
    out.requantization = numerics::DeviceArithmetic::Requantization::kFixedPoint;
  }
  return out;
}

Status check_executable(const ir::Graph& graph, ir::NodeId id) {
  const ir::Node& node = graph.node(id);
  const ops::OpSchema* schema = ops::find_schema(node);
  const std::string op =
      node.domain.empty() ? quote_name(node.op_type) : quote_name(node.domain + "." + node.op_type);
  if (schema == nullptr) {
    return unsupported(ir::describe(graph, id), ": operator ", op,
                       " cannot be executed; replace it by standard operators, or export the "
                       "model without it");
  }
  const int64_t opset = graph.model.opset();
  if (schema->domain.empty() && (opset < schema->since || opset > schema->until)) {
    return unsupported(ir::describe(graph, id), ": operator ", op, " cannot be executed at opset ",
                       opset, ", only at ", schema->since, " to ", schema->until,
                       "; convert the model to one of them");
  }
  return {};
}

}  // namespace

class Interpreter::Impl {
 public:
  Impl(std::shared_ptr<const ir::Graph> graph, Options options, dnnl::engine engine)
      : graph_(std::move(graph)),
        options_(std::move(options)),
        own_budget_(options_.max_memory),
        budget_(options_.budget != nullptr ? *options_.budget : own_budget_),
        required_(graph_->required_inputs()),
        engine_(std::move(engine)),
        nodes_(needed_nodes(*graph_, options_.observed)),
        constants_(*graph_, budget_, device_arithmetic(options_.arithmetic)),
        weights_(budget_, engine_),
        nested_(options_, budget_) {}

  Status prepare() {
    for (ir::NodeId id : nodes_) OCTET_TRY(check_executable(*graph_, id));
    return fold_constants(*graph_, nodes_, constants_);
  }

  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs, Observer* observer,
                                  Profile* profile) {
    OCTET_TRY(check_inputs(inputs));
    // Kernels run on one thread but for those that ask for more: see OnednnKernel.
    const ThreadCount one_thread(1);
    OCTET_ASSIGN(std::shared_ptr<PlanRunner> runner, runner_for(inputs));
    auto context = runner->take_context();
    if (!context.ok() && context.error().code() == ErrorCode::kResourceLimit &&
        forget_other_plans(runner.get())) {
      context = runner->take_context();
    }
    if (!context.ok()) return context.error();
    return runner->run(std::move(context).value(), inputs, {observer, profile});
  }

  Result<PlannedMemory> planned_memory(std::span<const Tensor> inputs) {
    OCTET_TRY(check_inputs(inputs));
    const ThreadCount one_thread(1);
    OCTET_ASSIGN(const std::shared_ptr<PlanRunner> runner, runner_for(inputs));
    return PlannedMemory{runner->plan().live_bytes, runner->plan().arena_bytes};
  }

 private:
  using Key = std::vector<InputType>;
  struct Cached {
    Key key;
    std::shared_ptr<PlanRunner> runner;
  };

  Status check_inputs(std::span<const Tensor> inputs) const {
    if (inputs.size() != required_.size()) {
      return bad_data(inputs.size(), " inputs given, the model has ", required_.size());
    }
    for (size_t i = 0; i < inputs.size(); ++i) {
      const ir::Value& value = graph_->value(required_[i]);
      const ir::TensorType& wanted = value.type;
      const ir::TensorType given = inputs[i].type();
      const bool same_type =
          wanted.storage == ir::DType::kUndefined || wanted.storage == given.storage;
      if (!same_type || !ir::compatible(wanted.shape, given.shape)) {
        return bad_data("input ", quote_name(value.name), ": given is ", given.to_string(),
                        ", the model takes ", wanted.to_string());
      }
    }
    return {};
  }

  // The plan for these shapes, made if need be, in front of the others.
  Result<std::shared_ptr<PlanRunner>> runner_for(std::span<const Tensor> inputs) {
    Key key;
    for (const Tensor& input : inputs) key.push_back({input.dtype(), input.shape()});
    const std::lock_guard lock(mutex_);
    const auto at = std::find_if(plans_.begin(), plans_.end(),
                                 [&](const Cached& cached) { return cached.key == key; });
    if (at != plans_.end()) {
      plans_.splice(plans_.begin(), plans_, at);
      return plans_.front().runner;
    }
    const PlanContext context{*graph_, options_, nodes_, constants_, engine_, weights_};
    auto plan = make_plan(context, key);
    if (!plan.ok() && plan.error().code() == ErrorCode::kResourceLimit && !plans_.empty()) {
      plans_.clear();
      plan = make_plan(context, key);
    }
    if (!plan.ok()) return plan.error();
    const bool fast = options_.kernels == Kernels::kFast;
    auto runner = std::make_shared<PlanRunner>(
        *graph_, std::move(plan).value(), engine_,
        ReferenceEnvironment{budget_, constants_.device(), fast ? &nested_ : nullptr});
    plans_.push_front({std::move(key), runner});
    if (plans_.size() > kMaxPlans) plans_.pop_back();
    return runner;
  }

  // Frees the memory of plans for other shapes; false when there was none.
  bool forget_other_plans(const PlanRunner* keep) {
    const std::lock_guard lock(mutex_);
    const size_t before = plans_.size();
    plans_.remove_if([&](const Cached& cached) { return cached.runner.get() != keep; });
    return plans_.size() < before;
  }

  std::shared_ptr<const ir::Graph> graph_;
  Options options_;
  MemoryBudget own_budget_;
  MemoryBudget& budget_;
  std::vector<ValueId> required_;
  dnnl::engine engine_;
  std::vector<ir::NodeId> nodes_;
  FoldedConstants constants_;
  PackedWeights weights_;
  NestedInterpreters nested_;
  std::mutex mutex_;
  std::list<Cached> plans_;  // most recent first
};

Interpreter::Interpreter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Interpreter::Interpreter(Interpreter&&) noexcept = default;
Interpreter& Interpreter::operator=(Interpreter&&) noexcept = default;
Interpreter::~Interpreter() = default;

Result<Interpreter> Interpreter::create(std::shared_ptr<const ir::Graph> graph, Options options) {
  for (ValueId id : options.observed) {
    if (!id.valid() || id.index() >= graph->value_count()) {
      return internal_error("value ", id.value, " is observed, but not of this graph");
    }
  }
  if (options.arithmetic != Arithmetic::kAsWritten) {
    OCTET_ASSIGN(graph, integer_form(std::move(graph)));
  }
  OCTET_ASSIGN(dnnl::engine engine,
               onednn::guarded([] { return dnnl::engine(dnnl::engine::kind::cpu, 0); }));
  auto impl = std::make_unique<Impl>(std::move(graph), std::move(options), std::move(engine));
  OCTET_TRY(impl->prepare());
  return Interpreter(std::move(impl));
}

Result<std::vector<Tensor>> Interpreter::run(std::span<const Tensor> inputs, Observer* observer,
                                             Profile* profile) const {
  return impl_->run(inputs, observer, profile);
}

Result<PlannedMemory> Interpreter::planned_memory(std::span<const Tensor> inputs) const {
  return impl_->planned_memory(inputs);
}

}  // namespace octet::interpreter
