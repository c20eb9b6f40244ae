// What the planner decided, whole and as names: it can be printed, read, edited and read back
// (plan.proto), and `apply` needs nothing else to do it.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/base/result.h"
#include "compiler/ir/graph.h"
#include "compiler/ir/quant_params.h"

namespace octet::plan {

// Operand `input` of the node whose first output is `node_output` (value names are unique, node
// names need not be).
struct Operand {
  std::string node_output;
  int64_t input = 0;
  auto operator<=>(const Operand&) const = default;
};

enum class Readers {
  kAll,     // every use of the value, graph output included, reads the dequantized value
  kListed,  // only these operands; the others keep reading float
};

struct ActivationQuantizer {
  std::string value;
  ir::QuantParams params;
  Readers readers = Readers::kListed;
  std::vector<Operand> operands;  // kListed
  std::string shares_with;        // first value of its shared-scale group; empty when alone
};

// A constant stored as integers, once, however many operands read it.
struct ConstantQuantizer {
  std::string value;
  ir::QuantParams params;
  // The integers, of the constant's shape; rounded to nearest when absent.
  std::optional<ir::Tensor> integers = std::nullopt;
  struct Use {
    Operand operand;
    // The constant that multiplies the scales for this use (per output channel, positive): what a
    // batch norm behind a shared convolution became. Empty when there is none.
    std::string factor;
  };
  std::vector<Use> uses;
};

// Numbers that a constant is to have instead of its own, for all who read it: float32, of the same
// shape.
struct ReplacedConstant {
  std::string value;
  ir::Tensor tensor;
};

// A Mul by a constant (one factor per channel of the last axis) that these readers of `value` get
// in front of them. Its output is a value of the name `result`, which quantizers may name.
struct Scaling {
  std::string value;
  std::string result;
  std::vector<Operand> operands;
  ir::Tensor factors;
};

// The Clip from 0 that computes `value` gets a bound per channel (axis 1): Relu, then Min with the
// bounds. With no bounds it becomes a Relu: calibration saw it act nowhere.
struct ChannelBound {
  std::string value;
  ir::Tensor bounds;  // float32, one per channel, or empty
};

// An int32 bias; its scale is that of the linear node's data times that of its weight, so only the
// places are decided here.
struct BiasQuantizer {
  Operand operand;            // the constant operand
  std::string linear_output;  // first output of the linear node whose accumulator it joins
};

enum class Decision { kInteger, kFloat };

// Why a node is what it is; in graph order.
struct Remark {
  std::string node;  // display name
  std::string op_type;
  Decision decision = Decision::kFloat;
  std::string reason;
};

struct QuantPlan {
  std::string fingerprint;  // of the canonical graph
  std::string backend;
  bool data_free = false;  // the statistics came from random: data, or from no data
  std::string formats;     // in place of the backend's own (formats.h); mostly empty
  // Edits of the float graph; quantizers speak of the graph with them done (apply_edits).
  std::vector<ReplacedConstant> replaced;
  std::vector<Scaling> scalings;
  std::vector<ChannelBound> bounds;
  std::vector<ActivationQuantizer> activations;
  std::vector<ConstantQuantizer> constants;
  std::vector<BiasQuantizer> biases;
  std::vector<Remark> remarks;

  std::string to_text() const;
  // kUsage with file:line:column, or the rule number of parameters that cannot be.
  static Result<QuantPlan> from_text(std::string_view text, std::string_view file_name);
};

}  // namespace octet::plan
