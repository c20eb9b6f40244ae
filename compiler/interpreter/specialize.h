// The graph as it is for inputs of known shapes: exact types wherever they do not depend on data,
// and constants for everything that follows from shapes and constants alone.
#pragma once

#include <span>
#include <vector>

#include "compiler/base/budget.h"
#include "compiler/base/result.h"
#include "compiler/interpreter/weights.h"
#include "compiler/ir/graph.h"
#include "compiler/numerics/device_arithmetic.h"

namespace octet::interpreter {

struct InputType {
  ir::DType dtype = ir::DType::kUndefined;
  std::vector<int64_t> shape;
  bool operator==(const InputType&) const = default;
};

// Constants by ValueId; null elsewhere. Charged to a budget while it lives.
class FoldedConstants {
 public:
  // `device`: what integer operators among the folded ones compute with.
  FoldedConstants(const ir::Graph& graph, MemoryBudget& budget, numerics::DeviceArithmetic device);
  ~FoldedConstants();
  FoldedConstants(const FoldedConstants&) = delete;
  FoldedConstants& operator=(const FoldedConstants&) = delete;

  const ir::TensorPtr& at(ir::ValueId id) const { return tensors_[id.index()]; }
  // `charged` bytes are released with this.
  void set(ir::ValueId id, ir::Tensor tensor, int64_t charged);
  MemoryBudget& budget() const { return *budget_; }
  numerics::DeviceArithmetic device() const { return device_; }

 private:
  std::vector<ir::TensorPtr> tensors_;
  MemoryBudget* budget_;
  numerics::DeviceArithmetic device_;
  int64_t charged_ = 0;
};

// Nodes that the outputs and the given values depend on, in graph order.
std::vector<ir::NodeId> needed_nodes(const ir::Graph& graph,
                                     const std::vector<ir::ValueId>& observed);

// Evaluates nodes all of whose operands are constant, in order; what follows from constants alone.
Status fold_constants(const ir::Graph& graph, const std::vector<ir::NodeId>& nodes,
                      FoldedConstants& folded);

struct Specialized {
  // By ValueId. Static types are what evaluation will give; types that are not static stand for
  // values whose shape depends on data. Folded values have their constant.
  std::vector<ir::Value> values;
  std::vector<ir::NodeId> nodes;  // what is left to run, in order

  const ir::Value& value(ir::ValueId id) const { return values[id.index()]; }
  // True when the shape is known and of a size that memory could hold; false for strings.
  bool is_static(ir::ValueId id) const;
};

// `inputs`: one per graph.required_inputs(). `folded` starts with what fold_constants found and
// grows by what follows from the shapes. Errors name the node.
Result<Specialized> specialize(const ir::Graph& graph, const std::vector<ir::NodeId>& nodes,
                               const std::vector<ir::ValueId>& observed,
                               std::span<const InputType> inputs, const FoldedConstants& shared,
                               FoldedConstants& own);

}  // namespace octet::interpreter
