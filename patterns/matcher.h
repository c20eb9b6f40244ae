// Finding a pattern in a graph: from the root up, with backtracking over alternatives, operand
// orders and chain lengths. Depth of the search is bounded by the pattern, not by the graph.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "compiler/ir/graph.h"
#include "patterns/pattern.h"
#include "patterns/predicates.h"

namespace octet::patterns {

// What the names of a rule stand for. Pointers are into the graph: valid until it is edited.
struct Match {
  // Per value name: nothing while not bound; an invalid id for an operand that is absent.
  std::vector<std::optional<ir::ValueId>> values;
  // Per attribute name: nothing while not bound; null for an attribute that is absent.
  std::vector<std::optional<const ir::Attribute*>> attributes;
  std::vector<ir::NodeId> nodes;                // per match line; invalid where not matched
  std::vector<std::vector<ir::NodeId>> chains;  // per match line; the skipped nodes, top first

  ir::ValueId value(size_t name) const { return values[name].value_or(ir::ValueId()); }
  const ir::Attribute* attribute(size_t name) const { return attributes[name].value_or(nullptr); }
};

// Gives every way in which the lines of the pattern fit at `root` to `accept`, until that returns
// true. Inner values have no readers outside of the match, unless kept; where clauses are not
// looked at. Returns whether `accept` returned true.
bool for_each_match(const ir::Graph& graph, const Rule& rule, ir::NodeId root,
                    const std::function<bool(const Match&)>& accept);

// Whether a where clause holds.
bool holds(const ir::Graph& graph, const WhereClause& clause, const Match& match);

// The first match of which all where clauses hold.
std::optional<Match> find_match(const ir::Graph& graph, const Rule& rule, ir::NodeId root);

std::vector<BoundArgument> bind_arguments(const std::vector<Argument>& arguments,
                                          const Match& match);

}  // namespace octet::patterns
