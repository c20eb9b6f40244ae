// Runs plans.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "compiler/interpreter/plan.h"
#include "compiler/interpreter/reference.h"

namespace octet::interpreter {

// What one run at a time needs: memory, views of it, and what kernels keep.
class ExecutionContext {
 public:
  // kResourceLimit naming the node whose values take most room.
  static Result<std::unique_ptr<ExecutionContext>> make(const ir::Graph& graph, const Plan& plan,
                                                        const dnnl::engine& engine,
                                                        MemoryBudget& budget);

  struct Slot {
    std::byte* data = nullptr;
    ir::Tensor tensor;    // where the buffer has a tensor's bytes and no more
    int64_t charged = 0;  // heap buffers
  };

  std::vector<Slot> slots;                           // by BufferId
  std::vector<std::unique_ptr<KernelState>> states;  // by step
  std::vector<const std::byte*> inputs;              // of the kernel that runs
  std::vector<std::byte*> outputs;
  ChargedMemoryPtr arena;
  dnnl::stream stream;

 private:
  ExecutionContext() = default;
};

// Who watches a run; each may be null.
struct Watchers {
  Observer* observer = nullptr;
  Profile* profile = nullptr;
};

// A plan, and contexts that are not in use.
class PlanRunner {
 public:
  PlanRunner(const ir::Graph& graph, std::shared_ptr<const Plan> plan, const dnnl::engine& engine,
             const ReferenceEnvironment& environment)
      : graph_(graph), plan_(std::move(plan)), engine_(engine), environment_(environment) {}

  // All safe to call from several threads at once. A context is for one run at a time; run gives
  // it back.
  Result<std::unique_ptr<ExecutionContext>> take_context();
  Result<std::vector<ir::Tensor>> run(std::unique_ptr<ExecutionContext> context,
                                      std::span<const ir::Tensor> inputs, Watchers watchers);

  const Plan& plan() const { return *plan_; }

 private:
  const ir::Graph& graph_;
  std::shared_ptr<const Plan> plan_;
  const dnnl::engine& engine_;
  ReferenceEnvironment environment_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<ExecutionContext>> idle_;
};

}  // namespace octet::interpreter
