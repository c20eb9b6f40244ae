// The vocabulary of where clauses: a closed table of small functions.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "compiler/ir/graph.h"
#include "patterns/pattern.h"

namespace octet::patterns {

// An argument as a match bound it. An optional operand that is absent is an invalid ValueId, an
// absent attribute a null pointer.
using BoundArgument = std::variant<ir::ValueId, const ir::Attribute*, Number, std::string>;

struct ArgumentContext {
  const ir::Graph& graph;
  std::span<const BoundArgument> arguments;

  ir::ValueId value(size_t i) const { return std::get<ir::ValueId>(arguments[i]); }
  const ir::TensorType& type(size_t i) const { return graph.value(value(i)).type; }
  const ir::Tensor* constant(size_t i) const { return graph.constant(value(i)); }
  int64_t integer(size_t i) const { return std::get<Number>(arguments[i]).integer.value_or(0); }
  // The elements of an integer constant, or of an attribute that is an integer or a list of them;
  // nothing for anything else.
  std::optional<std::vector<int64_t>> integers(size_t i) const;
  bool is_absent(size_t i) const;
};

// What an argument has to be: `v` a value, `i` a value or an attribute that holds integers,
// `a` an attribute, `n` an integer, `w` a word.
struct Predicate {
  std::string_view name;
  std::string_view signature;
  std::string_view doc;
  bool (*holds)(const ArgumentContext&);
};

// Sorted by name. Every predicate holds when one of its arguments is absent: what is not there
// cannot be in the way.
std::span<const Predicate> all_predicates();
const Predicate* find_predicate(std::string_view name);

}  // namespace octet::patterns
