// The graph as a machine with integer arithmetic runs it: a float operator between DequantizeLinear
// and QuantizeLinear becomes one operator on integers (Conv to QLinearConv, Add to QLinearAdd,
// ...).
//
// Which groups become integers follows ONNX Runtime's QDQ fusions, so that what this interpreter
// computes is what that runtime computes, ties included. A group is taken only when
//   [I1] every data operand comes from DequantizeLinear, at once or through operators that change
//        nothing but the shape, and the operator's output is read by one QuantizeLinear alone
//        (products may do without: their output then is float32);
//   [I2] data and output are 8-bit integers of one type with one scale; weights are int8 or uint8
//        with one scale, or one per output channel;
//   [I3] a Relu or Clip in front of the QuantizeLinear cuts nothing that saturation would not cut;
//   [I4] a bias is int32 with scale x_scale * w_scale, or a float constant, which is rounded to
//   that; [I5] an operator that only moves elements has one scale and zero point on both sides.
// Everything else stays as it is.
#pragma once

#include <memory>

#include "compiler/base/result.h"
#include "compiler/ir/graph.h"

namespace octet::interpreter {

// Ids of `graph` stay valid and name the same values; what became unread stays in the graph, for
// observers. Returns `graph` itself when there is nothing to do.
Result<std::shared_ptr<const ir::Graph>> integer_form(std::shared_ptr<const ir::Graph> graph);

}  // namespace octet::interpreter
