// A node that takes another's place also takes over what is declared of its results: a file may
// know more of a value than inference does.
#pragma once

#include <string>
#include <vector>

#include "compiler/ir/graph.h"

namespace octet::passes {

class DeclaredTypes {
 public:
  // What the graph says of the node's results now.
  DeclaredTypes(const ir::Graph& graph, const ir::Node& node);

  // Merges it, by name, into the values that took their place. Call after Patch::apply.
  void restore(ir::Graph& graph) const;

 private:
  struct Result {
    std::string name;
    ir::TensorType type;
    std::string preserved;
  };
  std::vector<Result> results_;
};

}  // namespace octet::passes
