// What every graph must hold to. Run after import, after parsing and after every pass.
//
// The number stands in the error and in the test name:
//   [V1]  inputs, captures and operands name values of this graph that are alive; omitted operands
//         and outputs are allowed, omitted captured values are not
//   [V2]  the order lists every node that is alive once, and nothing else
//   [V3]  values have names, no two the same, and can be found by them
//   [V4]  a value comes from one place: graph input, capture, constant or node (an input may have a
//         constant as its default)
//   [V5]  a value's producer has it among its outputs, once, and is alive
//   [V6]  uses are the operands that read the value, each once
//   [V7]  producers stand before their users
//   [V8]  graph outputs are values of this graph that are alive
//   [V9]  every node has origins, none of them empty
//   [V10] a constant has the element type and shape of its value (a default: a shape that fits)
//   [V11] quantization parameters fit the value: storage type, and [Q4] and [Q8] of quant_params.h
//   [V12] a node has an implicit input for each capture of its body graphs
//   [V13] attributes that are tensors or graphs have one
//   [V14] graphs are nested at most kMaxGraphDepth deep (parse.h); each body holds to all of this
#pragma once

#include "compiler/base/result.h"
#include "compiler/ir/graph.h"

namespace octet::ir {

// The first rule that is broken, as kMalformed, with the node or value named. Time is linear in the
// graph but for a sort of the uses.
Status verify(const Graph& graph);

}  // namespace octet::ir
