// Linear operators with a constant weight, and the walk and edit that both folds of this room are:
// y * scale + shift per output channel, moved into weight and bias.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "compiler/ir/patch.h"
#include "passes/pass.h"

namespace octet::passes {

// A constant that nobody can override at run time, or null.
const ir::Tensor* fixed_constant(const ir::Graph& graph, ir::ValueId id);

enum class LinearKind { kConv, kConvTranspose, kGemm, kMatMul };

struct Linear {
  ir::NodeId node;
  LinearKind kind = LinearKind::kConv;
  // The weight operand is `weight`, or weight * factor where a positive factor per output channel
  // was folded before and other nodes read the weight too.
  ir::ValueId weight;
  ir::ValueId factor;  // invalid when there is none
  ir::ValueId bias;    // invalid when there is none
  // Output channel of a weight element: its index on `axis`; for ConvTranspose that plus the number
  // of its group times the extent of the axis.
  size_t axis = 0;
  int64_t groups = 1;  // of ConvTranspose; 1 for the others, whose groups do not matter here
  int64_t channels = 0;
};

// The node, when it is a Conv, ConvTranspose, Gemm (alpha and beta 1) or MatMul in floating point
// with a constant weight of at least rank 2 (3 for convolutions). Bias may be anything.
std::optional<Linear> as_linear(const ir::Graph& graph, ir::NodeId id);

// The same for the producer of `value`, which must have one reader and be no graph output.
std::optional<Linear> linear_behind(const ir::Graph& graph, ir::ValueId value);

// The axis of the output that runs over its channels, counted from its end: 1 is the last.
size_t channel_axis_from_end(const ir::Graph& graph, const Linear& linear);

struct ChannelAffine {
  std::vector<double> scale;  // one per channel, finite
  std::vector<double> shift;
};

// A node that does nothing but `affine` to the result of the linear operator in front of it.
struct AffineNode {
  Linear linear;
  ChannelAffine affine;
};

// Nothing for a node of no interest; kUnsupported for one that stays, saying why; other errors are
// real.
using FindAffine =
    std::function<Result<std::optional<AffineNode>>(const ir::Graph&, const ir::Node&)>;

// Replaces every node that `find` finds by the linear operator with the node's scale and shift in
// its weight and bias, node after node in graph order. Arithmetic is in double, rounded once. A
// weight with other readers stays one tensor where all scales are positive: the new operand is
// Mul(weight, factor), which fold_constants keeps; elsewhere the weight is copied and a note says
// how many bytes that takes (charged to the budget). A MatMul with a shift becomes MatMul and Add.
// What cannot be folded after all (a bias that is not constant or not one number per channel, a
// number that leaves the range of its type) is left alone.
Result<PassReport> fold_affine_nodes(ir::Graph& graph, const FindAffine& find,
                                     PassContext& context);

}  // namespace octet::passes
