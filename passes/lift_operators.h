// How single operators of ai.onnx change from one version of the operator set to a later one.
// Source: the change log of ONNX's operators, versions 7 to 23.
#pragma once

#include <string_view>

#include "compiler/ir/patch.h"

namespace octet::passes {

struct LiftContext {
  const ir::Graph& graph;  // its model info has the new version already
  ir::NodeId id;
  int64_t from = 0;
  int64_t to = 0;
  ir::Patch& patch;

  const ir::Node& node() const { return graph.node(id); }
  // The change that came with this version lies between the two.
  bool crosses(int64_t version) const { return from < version && version <= to; }
};

// Adds to the patch what takes the node's place; nothing when its form did not change. kUnsupported
// says why it cannot be lifted.
Status lift_node(const LiftContext& context);

// --- for the tables of lift_operators.cc -------------------------------------------------------

using Lift = Status (*)(const LiftContext&);

// A node like the one being lifted: same name, origins, operands, attributes and results.
ir::NodeSpec same_node(const LiftContext& context);
// Adds it and gives it the results of the node being lifted.
Status replace_node(const LiftContext& context, ir::NodeSpec spec);

// An attribute of integers becomes operand `index`, when it is there.
void move_ints(const LiftContext& context, ir::NodeSpec& spec, std::string_view attribute,
               size_t index);
void set_operand(ir::NodeSpec& spec, size_t index, ir::ValueId value);

// Resampling, normalization and other operators whose meaning changed (lift_meaning.cc).
Status lift_batch_normalization(const LiftContext& context);
Status lift_grid_sample(const LiftContext& context);
Status lift_group_normalization(const LiftContext& context);
Status lift_resize(const LiftContext& context);
Status lift_roi_align(const LiftContext& context);
Status lift_softmax(const LiftContext& context);
Status lift_upsample(const LiftContext& context);

}  // namespace octet::passes
