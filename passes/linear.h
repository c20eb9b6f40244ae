// Linear operators with a constant weight, and the edit that both folds of this room come down to:
// y * scale + shift per output channel, moved into weight and bias.
#pragma once

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

struct FoldedLinear {
  ir::ValueId output;  // in the patch
  std::string note;    // what grew; mostly empty
};

// Adds to the patch a node that computes scale * y + shift. Arithmetic is in double, rounded once.
// A weight with other readers stays one tensor where all scales are positive: the new operand is
// Mul(weight, factor), which fold_constants keeps; elsewhere the weight is copied and the note says
// how many bytes that takes (charged to the budget). A MatMul with a shift becomes MatMul and Add.
// `origins` are those of the new node.
//
// Errors: kUnsupported says why it cannot be folded (a bias that is not constant or not one number
// per channel, a number that leaves the range of its type); others are real.
Result<FoldedLinear> fold_affine(const ir::Graph& graph, ir::Patch& patch, const Linear& linear,
                                 const ChannelAffine& affine, std::vector<std::string> origins,
                                 PassContext& context);

// Origins of both nodes, each once.
std::vector<std::string> joined_origins(const ir::Node& a, const ir::Node& b);

}  // namespace octet::passes
