// Values whose statistics follow exactly from those of others, so that nobody has to look at them:
// results of operators that move every element once, of Concat, and of Relu.
#pragma once

#include <set>
#include <vector>

#include "compiler/ir/graph.h"

namespace octet::calibration {

// `value` holds the elements of all `parts`, each once.
struct Derivation {
  enum class Kind {
    kJoined,
    kRectified,  // max(element, 0) of each, of one part that is not derived itself
  };
  Kind kind = Kind::kJoined;
  ir::ValueId value;
  std::vector<ir::ValueId> parts;
};

// Of `values`, those that follow from others of `values`; parts come before what is made of them.
// What has a histogram follows only from what has one.
std::vector<Derivation> derivations(const ir::Graph& graph, const std::set<ir::ValueId>& values,
                                    const std::set<ir::ValueId>& histograms);

}  // namespace octet::calibration
