// A float graph with some of a plan's quantizers in it and the others left out: what shows the
// noise of each by itself.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compiler/base/result.h"
#include "compiler/ir/graph.h"
#include "compiler/plan/quant_plan.h"

namespace octet::accuracy {

// The numbers that a quantized constant stands for. Nothing for parameters in blocks.
Result<std::optional<ir::Tensor>> numbers_on_grid(const ir::Tensor& real,
                                                  const plan::ConstantQuantizer& quantizer);

// The numbers of `integers` under per-tensor or per-axis parameters.
ir::Tensor dequantized(const ir::Tensor& integers, const ir::QuantParams& params);

class PartQuantized {
 public:
  // `real` is float and carries the plan's scalings already; the plan's edits are not done.
  explicit PartQuantized(const ir::Graph& real);

  const ir::Graph& real() const { return real_; }
  // The node whose first output has this name; invalid when there is none.
  ir::NodeId node_of(const std::string& output) const;

  // Rounds what the quantizer's readers read. Parameters may be per axis.
  Status put(ir::Graph& graph, const plan::ActivationQuantizer& quantizer) const;
  // Puts numbers in the place of a constant.
  Status put(ir::Graph& graph, const std::string& constant, ir::Tensor numbers) const;

 private:
  const ir::Graph& real_;
  std::map<std::string, ir::NodeId> node_of_;  // by first output
};

}  // namespace octet::accuracy
