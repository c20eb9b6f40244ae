// Remarks of a plan made for an edited graph, as the canonical graph knows its nodes.
#pragma once

#include <vector>

#include "compiler/ir/graph.h"
#include "compiler/plan/quant_plan.h"

namespace octet::accuracy {

// `remarks` stand in the order of the nodes of `edited`. Nodes that the edits put in have none in
// the result; a node that an edit replaced goes by the value it computes.
std::vector<plan::Remark> remarks_of(const ir::Graph& canonical, const ir::Graph& edited,
                                     const std::vector<plan::Remark>& remarks);

}  // namespace octet::accuracy
