// Values whose statistics follow exactly from those of others, so that nobody has to look at them:
// results of operators that move every element once, of Concat, and of Relu.
#pragma once

#include <set>
#include <vector>

#include "compiler/ir/graph.h"

namespace octet::calibration {

// A float32 value that is there when the graph runs: an input or a result, no constant.
bool is_observable(const ir::Graph& graph, ir::ValueId id);

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

// Adds what the values with histograms are joined from, and so on. Histograms of large tensors
// count some elements only (counted_elements.h), by their place: so a value that is joined is
// always counted where its elements come from, or its histogram would hang on what else is
// observed.
void add_parts(const ir::Graph& graph, std::set<ir::ValueId>& values,
               std::set<ir::ValueId>& histograms);

// Of `values`, those that follow from others of `values`; parts come before what is made of them.
// What has a histogram follows only from what has one.
std::vector<Derivation> derivations(const ir::Graph& graph, const std::set<ir::ValueId>& values,
                                    const std::set<ir::ValueId>& histograms);

}  // namespace octet::calibration
