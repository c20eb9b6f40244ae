#include "patterns/check.h"

#include <algorithm>
#include <set>

#include "compiler/base/name_hint.h"
#include "compiler/base/names.h"
#include "compiler/ops/schema.h"
#include "patterns/builders.h"
#include "patterns/check_match.h"
#include "patterns/predicates.h"
#include "patterns/symbolic.h"

namespace octet::patterns {
namespace {

// "; did you mean X?" with `mark` in front of the name; nothing when no name is close.
template <typename T>
std::string did_you_mean(std::string_view mark, std::string_view wanted, std::span<const T> table) {
  std::vector<std::string> names;
  for (const T& entry : table) names.emplace_back(entry.name);
  const std::string close = close_name(wanted, names);
  return close.empty() ? "" : cat("; did you mean ", mark, close, "?");
}

class RuleChecker {
 public:
  explicit RuleChecker(const Rule& rule) : rule_(rule) {}

  Status run();

 private:
  template <typename... Parts>
  Error at(Position position, const Parts&... parts) const {
    return rule_error(rule_, position, parts...);
  }
  std::string value_name(size_t name) const { return "%" + rule_.value_names[name]; }

  Status check_version(const OpCall& call) const;
  Status check_where(const WhereClause& clause) const;
  Status check_arguments(std::string_view what, Position position, std::string_view signature,
                         const std::vector<Argument>& arguments) const;
  Status check_argument(char kind, Position position, const Argument& argument) const;
  Status check_keep() const;
  Status check_replace();
  Status check_replace_outputs(const ReplaceLine& line);
  Status check_replace_value(const ReplaceLine& line);
  Status check_read(const ValueRef& ref);
  Status check_builder(const BuilderCall& call, Builder::Makes makes) const;
  Status check_termination() const;
  bool is_root_output(size_t name) const;

  const Rule& rule_;
  Bindings bindings_;
  std::set<size_t> made_;      // values of replace lines so far
  std::set<size_t> replaced_;  // root outputs
  std::set<size_t> read_;      // made values that a later line reads
};

bool RuleChecker::is_root_output(size_t name) const {
  return std::any_of(rule_.root().outputs.begin(), rule_.root().outputs.end(),
                     [name](const ValueRef& output) { return output.name == name; });
}

Status RuleChecker::check_version(const OpCall& call) const {
  const ops::OpSchema* schema = ops::find_schema(call.domain, call.op_type);
  if (schema == nullptr || !call.domain.empty() || rule_.min_opset >= schema->since) return {};
  // Operators of the oldest version are everywhere: nothing to say about them.
  if (schema->since <= 7) return {};
  return at(call.at, call.op_type, " exists from opset ", schema->since,
            " on: the rule needs min_opset: ", schema->since);
}

Status RuleChecker::check_argument(char kind, Position position, const Argument& argument) const {
  if (const auto* ref = std::get_if<ValueRef>(&argument)) {
    if (kind != 'v' && kind != 'i') return at(ref->at, "no value can stand here");
    if (!bindings_.values.contains(ref->name)) {
      return at(ref->at, value_name(ref->name), " is not in the match");
    }
    return {};
  }
  if (const auto* ref = std::get_if<AttributeRef>(&argument)) {
    if (kind != 'a' && kind != 'i') return at(ref->at, "no attribute can stand here");
    if (!bindings_.attributes.contains(ref->name)) {
      return at(ref->at, "$", rule_.attribute_names[ref->name], " is not in the match");
    }
    return {};
  }
  if (const auto* number = std::get_if<Number>(&argument)) {
    if (kind == 'n' && number->integer) return {};
    return at(position, kind == 'n' ? "an integer is wanted" : "no number can stand here");
  }
  if (kind != 'w') return at(std::get<Word>(argument).at, "no word can stand here");
  return {};
}

Status RuleChecker::check_arguments(std::string_view what, Position position,
                                    std::string_view signature,
                                    const std::vector<Argument>& arguments) const {
  if (arguments.size() != signature.size()) {
    return at(position, what, " takes ", signature.size(), " arguments, here are ",
              arguments.size());
  }
  for (size_t i = 0; i < arguments.size(); ++i) {
    OCTET_TRY(check_argument(signature[i], position, arguments[i]));
  }
  return {};
}

Status RuleChecker::check_where(const WhereClause& clause) const {
  const Predicate* predicate = find_predicate(clause.predicate);
  if (predicate == nullptr) {
    return at(clause.at, "unknown predicate ", quote_name(clause.predicate),
              did_you_mean("", clause.predicate, all_predicates()));
  }
  return check_arguments(clause.predicate, clause.at, predicate->signature, clause.arguments);
}

Status RuleChecker::check_keep() const {
  for (const ValueRef& kept : rule_.keep) {
    if (!rule_.defining_line(kept.name) || is_root_output(kept.name)) {
      return at(kept.at, value_name(kept.name), " is not an inner value of the match");
    }
  }
  return {};
}

Status RuleChecker::check_builder(const BuilderCall& call, Builder::Makes makes) const {
  const Builder* builder = find_builder(call.name);
  if (builder == nullptr) {
    return at(call.at, "unknown builder ", quote_name("$" + call.name),
              did_you_mean("$", call.name, all_builders()));
  }
  if (builder->makes != makes) {
    return at(call.at, "$", call.name,
              makes == Builder::Makes::kConstant ? " makes an attribute, not an operand"
                                                 : " makes a constant, not an attribute");
  }
  return check_arguments("$" + call.name, call.at, builder->signature, call.arguments);
}

Status RuleChecker::check_read(const ValueRef& ref) {
  if (made_.contains(ref.name)) {
    read_.insert(ref.name);
    return {};
  }
  if (is_root_output(ref.name)) {
    return at(ref.at, value_name(ref.name), " is what is being replaced: it cannot be read");
  }
  if (!bindings_.values.contains(ref.name)) {
    return at(ref.at, value_name(ref.name), " is not bound by the match or a line above");
  }
  if (!bindings_.always.contains(ref.name) && !ref.optional) {
    return at(ref.at, value_name(ref.name), " may be absent: write ", value_name(ref.name), "?");
  }
  return {};
}

Status RuleChecker::check_replace_outputs(const ReplaceLine& line) {
  if (!std::holds_alternative<OpCall>(line.value) && line.outputs.size() != 1) {
    return at(line.at, "only an operator has more than one result");
  }
  for (const ValueRef& output : line.outputs) {
    if (is_root_output(output.name)) {
      if (!replaced_.insert(output.name).second) {
        return at(output.at, value_name(output.name), " is replaced twice");
      }
    } else if (bindings_.values.contains(output.name)) {
      return at(output.at, value_name(output.name),
                " is in the match but no result of its root: it cannot be replaced");
    } else if (!made_.insert(output.name).second) {
      return at(output.at, value_name(output.name), " is made twice");
    }
  }
  return {};
}

Status RuleChecker::check_replace_value(const ReplaceLine& line) {
  if (const auto* ref = std::get_if<ValueRef>(&line.value)) {
    if (ref->optional) return at(ref->at, "what may be absent cannot replace anything");
    return check_read(*ref);
  }
  if (const auto* builder = std::get_if<BuilderCall>(&line.value)) {
    return check_builder(*builder, Builder::Makes::kConstant);
  }
  if (const auto* replay = std::get_if<Replay>(&line.value)) {
    const auto definition = rule_.defining_line(replay->chain.name);
    if (!definition || !rule_.match[*definition].chain ||
        !bindings_.always.contains(replay->chain.name)) {
      return at(replay->chain.at, value_name(replay->chain.name), " is not a chain of the match");
    }
    if (replay->inner.optional) return at(replay->inner.at, "a chain needs a value to stand on");
    return check_read(replay->inner);
  }
  const auto& call = std::get<OpCall>(line.value);
  OCTET_TRY(check_call(rule_, call));
  OCTET_TRY(check_version(call));
  for (const Operand& operand : call.operands) {
    if (const auto* ref = std::get_if<ValueRef>(&operand)) OCTET_TRY(check_read(*ref));
    if (const auto* builder = std::get_if<BuilderCall>(&operand)) {
      OCTET_TRY(check_builder(*builder, Builder::Makes::kConstant));
    }
  }
  for (const AttributeTerm& term : call.attributes) {
    if (const auto* ref = std::get_if<AttributeRef>(&term.value)) {
      if (!bindings_.attributes.contains(ref->name)) {
        return at(ref->at, "$", rule_.attribute_names[ref->name], " is not bound by the match");
      }
    } else if (const auto* builder = std::get_if<BuilderCall>(&term.value)) {
      OCTET_TRY(check_builder(*builder, Builder::Makes::kAttribute));
    }
  }
  return {};
}

Status RuleChecker::check_replace() {
  for (const ReplaceLine& line : rule_.replace) {
    OCTET_TRY(check_replace_value(line));
    OCTET_TRY(check_replace_outputs(line));
  }
  for (const ValueRef& output : rule_.root().outputs) {
    if (!replaced_.contains(output.name)) {
      return at(output.at, "nothing replaces ", value_name(output.name));
    }
  }
  for (const ReplaceLine& line : rule_.replace) {
    for (const ValueRef& output : line.outputs) {
      if (made_.contains(output.name) && !read_.contains(output.name)) {
        return at(output.at, value_name(output.name), " is made but never read");
      }
    }
  }
  return {};
}

Status RuleChecker::check_termination() const {
  if (!replacement_matches_again(rule_)) return {};
  return at(rule_.replace.back().at, "the replacement matches the pattern again: rule ", rule_.name,
            " would never end");
}

Status RuleChecker::run() {
  OCTET_ASSIGN(bindings_, check_match(rule_));
  for (const WhereClause& clause : rule_.where) OCTET_TRY(check_where(clause));
  OCTET_TRY(check_keep());
  OCTET_TRY(check_replace());
  return check_termination();
}

}  // namespace

Status check_rule(const Rule& rule) { return RuleChecker(rule).run(); }

Status check_reachable(const Rule& rule, const std::vector<Rule>& earlier) {
  for (const Rule& other : earlier) {
    const std::string where = cat(rule.file, ":", rule.at.line, ":", rule.at.column);
    if (other.name == rule.name) {
      return usage_error(where, ": rule ", rule.name, " exists already, in ", other.file, ":",
                         other.at.line);
    }
    if (other.stage == rule.stage && always_precedes(other, rule)) {
      return usage_error(where, ": rule ", rule.name, " can never apply: ", other.name, " (",
                         other.file, ":", other.at.line, ") takes everything it matches");
    }
  }
  return {};
}

}  // namespace octet::patterns
