// A rule as data: what its match, where and replace lines say after parsing. Names of values (%x)
// and of attributes ($p) are indices into the rule's tables of names.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "compiler/ir/attribute.h"
#include "compiler/ir/lexer.h"

namespace octet::patterns {

enum class Stage { kCanonicalize, kLower };
enum class NumericsClass { kExact, kRounding, kApproximate };

std::string_view stage_name(Stage stage);                // "canonicalize", "lower"
std::string_view numerics_name(NumericsClass numerics);  // "exact", "rounding", "approximate"

using ir::Position;

// A number as written. `integer` holds those written without point or exponent, exactly.
struct Number {
  double value = 0.0;
  std::optional<int64_t> integer = std::nullopt;
};

struct ValueRef {  // %x, or %x? where it may be absent
  size_t name = 0;
  bool optional = false;
  Position at = {};
};

struct AttributeRef {  // $p
  size_t name = 0;
  Position at = {};
};

struct Word {  // float32
  std::string text;
  Position at = {};
};

using Argument = std::variant<ValueRef, AttributeRef, Number, Word>;

struct BuilderCall {  // $compose($p, $q)
  std::string name;
  std::vector<Argument> arguments = {};
  Position at = {};
};

// Matching, a number is a constant whose elements all equal it; replacing, a float32 scalar.
// Builders occur in replace lines only.
using Operand = std::variant<ValueRef, Number, BuilderCall>;

struct AttributeTerm {
  std::string name;
  // `axis = -1` wants the attribute; `axis ?= -1` also takes a node without it.
  enum class Presence { kRequired, kMayBeAbsent };
  Presence presence = Presence::kRequired;
  std::variant<ir::Attribute, AttributeRef, BuilderCall> value;
  Position at = {};
};

struct OpCall {  // Clip(%a, 0.0, 6.0) {axis = -1}
  std::string domain;
  std::string op_type;
  std::vector<Operand> operands = {};
  std::vector<AttributeTerm> attributes = {};
  // Matching only, `{...}`: attributes that the pattern does not name are allowed.
  enum class Others { kRefused, kAllowed };
  Others others = Others::kRefused;
  Position at = {};
};

struct SkipChain {                     // ~(Relu|Clip)* %a
  std::vector<OpCall> operators = {};  // names only
  ValueRef inner = {};
};

struct MatchLine {
  std::vector<ValueRef> outputs = {};
  std::vector<OpCall> alternatives = {};  // empty for a chain
  std::optional<SkipChain> chain = std::nullopt;
  Position at = {};
};

struct Replay {  // ~%b %x: the nodes that the chain %b skipped, on top of %x
  ValueRef chain = {};
  ValueRef inner = {};
};

struct ReplaceLine {
  std::vector<ValueRef> outputs = {};
  std::variant<OpCall, ValueRef, BuilderCall, Replay> value;
  Position at = {};
};

struct WhereClause {
  std::string predicate;
  std::vector<Argument> arguments = {};
  std::string text = {};
  Position at = {};
};

struct Rule {
  std::string name;
  std::string doc;
  Stage stage = Stage::kCanonicalize;
  NumericsClass numerics = NumericsClass::kExact;
  int64_t min_opset = 0;
  int64_t max_opset = INT64_MAX;
  std::vector<std::string> value_names = {};  // without %
  std::vector<std::string> attribute_names = {};
  std::vector<MatchLine> match = {};
  std::vector<WhereClause> where = {};
  std::vector<ReplaceLine> replace = {};
  std::vector<ValueRef> keep = {};
  std::string file = {};
  Position at = {};

  const MatchLine& root() const { return match.back(); }
  bool applies_at(int64_t opset) const { return min_opset <= opset && opset <= max_opset; }
  bool keeps(size_t name) const;
  // Index of the match line that produces the value; nothing for a leaf.
  std::optional<size_t> defining_line(size_t name) const;
};

}  // namespace octet::patterns
