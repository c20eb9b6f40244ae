// Runs one node by its operator's reference evaluation, with the accounting of an interpreter.
#pragma once

#include <span>
#include <vector>

#include "compiler/base/budget.h"
#include "compiler/base/result.h"
#include "compiler/ir/graph.h"
#include "compiler/ops/schema.h"

namespace octet::interpreter {

struct ReferenceOutputs {
  std::vector<ir::Tensor> tensors;
  // Bytes charged for each: 0 for one that shares the bytes of an operand.
  std::vector<int64_t> charged;
};

// What evaluation needs beside operands.
struct ReferenceEnvironment {
  MemoryBudget& budget;
  numerics::DeviceArithmetic device = {};
  const ops::BodyRunner* bodies = nullptr;  // may be null: bodies run node by node
};

// `inputs` are those of node.inputs, then of node.implicit_inputs. Errors name the node. Outputs
// are charged to the budget, temporaries are limited by what is left of it.
Result<ReferenceOutputs> evaluate_reference(const ir::Graph& graph, const ir::Node& node,
                                            std::span<const ir::Tensor* const> inputs,
                                            const ReferenceEnvironment& environment);

// True when the bytes of `tensor` lie within those of `other`.
bool shares_bytes(const ir::Tensor& tensor, const ir::Tensor& other);

}  // namespace octet::interpreter
