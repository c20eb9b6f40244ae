// Nodes that only name or shape their first operand anew, so that it need not be copied.
#pragma once

#include <optional>
#include <vector>

#include "compiler/interpreter/layout.h"
#include "compiler/ir/graph.h"

namespace octet::interpreter {

struct View {
  Layout from;  // that the operand has to have
  Layout to;    // that the same memory then has under the output's shape
};

// Of a node whose operand 0 and output 0 have these static types; `layout` is the operand's as its
// producer leaves it. Nothing when elements have to move.
std::optional<View> view_of(const ir::Node& node, const ir::TensorType& from,
                            const ir::TensorType& to, const Layout& layout);

}  // namespace octet::interpreter
