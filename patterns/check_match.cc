#include "patterns/check_match.h"

#include <algorithm>

#include "compiler/base/name_hint.h"
#include "compiler/base/names.h"
#include "compiler/ops/schema.h"

namespace octet::patterns {
namespace {

constexpr size_t kMaxLines = 64;

Status check_known(const Rule& rule, const OpCall& call) {
  if (ops::find_schema(call.domain, call.op_type) != nullptr) return {};
  if (!call.domain.empty()) return {};  // a vendor's own; nothing is known of it
  std::vector<std::string> names;
  for (const ops::OpSchema& schema : ops::all_schemas()) names.emplace_back(schema.name);
  const std::string nearest = close_name(call.op_type, names);
  return rule_error(rule, call.at, "unknown operator ", quote_name(call.op_type),
                    nearest.empty() ? "" : cat("; did you mean ", nearest, "?"));
}

class MatchChecker {
 public:
  explicit MatchChecker(const Rule& rule) : rule_(rule) {}

  Result<Bindings> run();

 private:
  std::string value_name(size_t name) const { return "%" + rule_.value_names[name]; }
  Status check_lines() const;
  Status check_definitions();
  Status check_match_operands(const MatchLine& line, const std::set<size_t>& defined) const;
  Status check_reached() const;
  void find_always_bound();
  std::set<size_t> common_operands(const MatchLine& line) const;

  const Rule& rule_;
  Bindings bindings_;
};

Status MatchChecker::check_lines() const {
  if (rule_.match.empty()) return rule_error(rule_, rule_.at, "rule ", rule_.name, " has no match");
  if (rule_.replace.empty()) {
    return rule_error(rule_, rule_.at, "rule ", rule_.name, " has no replace");
  }
  if (rule_.match.size() > kMaxLines || rule_.replace.size() > kMaxLines) {
    return rule_error(rule_, rule_.at, "rule ", rule_.name, " has more than ", kMaxLines, " lines");
  }
  if (rule_.root().chain) {
    return rule_error(rule_, rule_.root().at,
                      "the last match line is the root, which cannot be a chain");
  }
  return {};
}

Status MatchChecker::check_match_operands(const MatchLine& line,
                                          const std::set<size_t>& defined) const {
  const auto check = [&](const ValueRef& ref) -> Status {
    const auto definition = rule_.defining_line(ref.name);
    if (!definition) return {};
    if (!defined.contains(ref.name)) {
      return rule_error(rule_, ref.at, value_name(ref.name),
                        " is read above the line that defines it");
    }
    if (ref.optional) {
      return rule_error(rule_, ref.at, value_name(ref.name),
                        " is the result of a line: it cannot be optional");
    }
    return {};
  };
  if (line.chain) {
    for (const OpCall& call : line.chain->operators) OCTET_TRY(check_known(rule_, call));
    return check(line.chain->inner);
  }
  for (const OpCall& call : line.alternatives) {
    OCTET_TRY(check_call(rule_, call));
    for (const Operand& operand : call.operands) {
      if (const auto* ref = std::get_if<ValueRef>(&operand)) OCTET_TRY(check(*ref));
    }
  }
  return {};
}

Status MatchChecker::check_definitions() {
  std::set<size_t> defined;
  for (const MatchLine& line : rule_.match) {
    OCTET_TRY(check_match_operands(line, defined));
    if (line.chain && line.outputs.size() != 1)
      return rule_error(rule_, line.at, "a chain has one result");
    for (const ValueRef& output : line.outputs) {
      if (!defined.insert(output.name).second) {
        return rule_error(rule_, output.at, value_name(output.name), " is defined twice");
      }
      bindings_.values.insert(output.name);
    }
    if (line.chain) bindings_.values.insert(line.chain->inner.name);
    for (const OpCall& call : line.alternatives) {
      for (const Operand& operand : call.operands) {
        if (const auto* ref = std::get_if<ValueRef>(&operand)) bindings_.values.insert(ref->name);
      }
      for (const AttributeTerm& term : call.attributes) {
        if (const auto* ref = std::get_if<AttributeRef>(&term.value))
          bindings_.attributes.insert(ref->name);
      }
    }
  }
  return {};
}

// Values that the line reads whichever alternative fits.
std::set<size_t> MatchChecker::common_operands(const MatchLine& line) const {
  if (line.chain) return {line.chain->inner.name};
  std::set<size_t> common;
  for (size_t i = 0; i < line.alternatives.size(); ++i) {
    std::set<size_t> mine;
    for (const Operand& operand : line.alternatives[i].operands) {
      const auto* ref = std::get_if<ValueRef>(&operand);
      if (ref != nullptr && !ref->optional) mine.insert(ref->name);
    }
    if (i == 0) common = mine;
    std::erase_if(common, [&](size_t name) { return !mine.contains(name); });
  }
  return common;
}

void MatchChecker::find_always_bound() {
  for (size_t i = rule_.match.size(); i-- > 0;) {
    const MatchLine& line = rule_.match[i];
    const bool reached =
        i + 1 == rule_.match.size() ||
        std::any_of(line.outputs.begin(), line.outputs.end(),
                    [&](const ValueRef& o) { return bindings_.always.contains(o.name); });
    if (!reached) continue;
    for (const ValueRef& output : line.outputs) {
      if (!output.optional) bindings_.always.insert(output.name);
    }
    bindings_.always.merge(common_operands(line));
  }
}

Status MatchChecker::check_reached() const {
  for (size_t i = 0; i + 1 < rule_.match.size(); ++i) {
    std::set<size_t> later;
    for (size_t j = i + 1; j < rule_.match.size(); ++j) {
      const MatchLine& line = rule_.match[j];
      if (line.chain) later.insert(line.chain->inner.name);
      for (const OpCall& call : line.alternatives) {
        for (const Operand& operand : call.operands) {
          if (const auto* ref = std::get_if<ValueRef>(&operand)) later.insert(ref->name);
        }
      }
    }
    const auto& outputs = rule_.match[i].outputs;
    if (std::none_of(outputs.begin(), outputs.end(),
                     [&](const ValueRef& output) { return later.contains(output.name); })) {
      return rule_error(rule_, rule_.match[i].at, "no later line reads the result of this one");
    }
  }
  return {};
}

Result<Bindings> MatchChecker::run() {
  OCTET_TRY(check_lines());
  OCTET_TRY(check_definitions());
  OCTET_TRY(check_reached());
  find_always_bound();
  return std::move(bindings_);
}

}  // namespace

Status check_call(const Rule& rule, const OpCall& call) {
  OCTET_TRY(check_known(rule, call));
  const ops::OpSchema* schema = ops::find_schema(call.domain, call.op_type);
  if (schema == nullptr) return {};
  if (call.operands.size() > schema->max_inputs) {
    return rule_error(rule, call.at, call.op_type, " takes at most ", schema->max_inputs,
                      " operands, here are ", call.operands.size());
  }
  if (call.operands.size() < schema->required) {
    return rule_error(rule, call.at, call.op_type, " needs ", schema->required,
                      " operands, here are ", call.operands.size());
  }
  return {};
}

Result<Bindings> check_match(const Rule& rule) { return MatchChecker(rule).run(); }

}  // namespace octet::patterns
