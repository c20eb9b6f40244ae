// The main graph and all bodies of a model in one list, and the values that each of them declares.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/base/result.h"
#include "compiler/ir/graph.h"
#include "compiler/onnx/import.h"
#include "compiler/onnx/proto.h"
#include "compiler/onnx/tensors.h"

namespace octet::onnx {

struct Scope {
  ::onnx::GraphProto* proto = nullptr;
  int parent = -1;        // index of the scope that holds the node; -1 for the main graph
  int parent_node = -1;   // its position in the parent's list
  std::string attribute;  // of that node
  int depth = 0;
  std::vector<std::string> output_names;
  ir::Graph graph;
  std::vector<ir::NodeId> node_ids;          // by position in the file
  std::map<int, std::vector<int>> children;  // node position -> its bodies, by attribute name
};

// Scopes in an order where parents come before their bodies. kResourceLimit beyond the limits on
// depth and nodes.
Result<std::vector<Scope>> collect_scopes(::onnx::GraphProto& main, const ImportOptions& options);

// Adds inputs, initializers and node outputs to the scope's graph, with the types they are declared
// with. kMalformed for names that are given twice and declarations that contradict each other.
Status declare_values(Scope& scope, TensorReader& tensors, const ImportOptions& options);

}  // namespace octet::onnx
