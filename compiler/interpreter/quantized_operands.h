// What the operands of an operator between quantizers are as integers, for integer_form.h.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compiler/base/result.h"
#include "compiler/ir/graph.h"

namespace octet::interpreter {

// Integers with the operands that say what they mean.
struct Quantized {
  ir::ValueId integers;
  ir::ValueId scale;
  ir::ValueId zero_point;
  ir::DType dtype = ir::DType::kUndefined;
  std::vector<float> scales;
  std::vector<int64_t> zero_points;
  int64_t axis = 1;

  bool per_tensor() const { return scales.size() == 1; }
  bool same_as(const Quantized& other) const {
    return dtype == other.dtype && scales == other.scales && zero_points == other.zero_points;
  }
};

bool is_byte(ir::DType dtype);

// Finds the integers behind the values of a graph; adds the constants and shape operators that they
// need to it. The rules are those of integer_form.h. Nothing is found where they do not hold.
class QuantizedOperands {
 public:
  explicit QuantizedOperands(ir::Graph& graph) : graph_(graph) {}

  // What a QuantizeLinear or DequantizeLinear node says; nothing unless it is constant and of a
  // kind that [I2] allows.
  Result<std::optional<Quantized>> parameters(const ir::Node& node, ir::DType dtype);
  // The integers that a value was dequantized from.
  Result<std::optional<Quantized>> dequantized(ir::ValueId id);
  // An activation [I1, I2].
  Result<std::optional<Quantized>> activation(ir::ValueId id);
  // A weight whose output channels lie along `axis` [I2].
  Result<std::optional<Quantized>> weight(ir::ValueId id, int64_t axis);
  // The second factor of a MatMul: a weight, or an activation.
  Result<std::optional<Quantized>> matmul_factor(ir::ValueId id);
  // A bias beside this data and this weight [I4].
  Result<std::optional<ir::ValueId>> integer_bias(ir::ValueId id, const Quantized& x,
                                                  const Quantized& w);

 private:
  ir::NodeId shaper_of(ir::ValueId id) const;
  Result<ir::ValueId> shaped(ir::NodeId id, ir::ValueId integers);
  Result<ir::ValueId> constant(ir::Tensor tensor, const std::string& hint);

  ir::Graph& graph_;
  std::map<std::pair<ir::NodeId, ir::ValueId>, ir::ValueId> shaped_;
};

}  // namespace octet::interpreter
