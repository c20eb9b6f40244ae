// Interpreters of bodies, for If, Loop and Scan whose bodies are worth a plan.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "compiler/interpreter/interpreter.h"
#include "compiler/ops/body.h"

namespace octet::interpreter {

// Takes bodies that hold products with weights and no loops: a loop inside would count its runs on
// its own (ops::kMaxBodyRuns). All others run node by node.
class NestedInterpreters : public ops::BodyRunner {
 public:
  // `options` of the interpreter around, whose budget is shared. Both outlive this.
  NestedInterpreters(const Options& options, MemoryBudget& budget)
      : options_(options), budget_(budget) {}

  Result<std::optional<std::vector<ir::Tensor>>> run(
      const ir::GraphPtr& body, std::span<const ir::Tensor> inputs,
      std::span<const ir::Tensor* const> captured) const override;

 private:
  struct Entry {
    ir::GraphPtr body;                               // keeps the address from being used again
    std::shared_ptr<const Interpreter> interpreter;  // null: not taken
  };

  Result<std::shared_ptr<const Interpreter>> interpreter_of(const ir::GraphPtr& body) const;

  const Options& options_;
  MemoryBudget& budget_;
  mutable std::mutex mutex_;
  mutable std::vector<Entry> entries_;
};

}  // namespace octet::interpreter
