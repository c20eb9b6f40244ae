#include "compiler/plan/backend_spec.h"

#include <algorithm>

namespace octet::plan {
namespace {

std::string attribute_text(const ir::Node& node, const std::string& name) {
  const auto it = node.attributes.find(name);
  if (it == node.attributes.end()) return {};
  if (const auto* text = std::get_if<std::string>(&it->second)) return *text;
  if (const auto* number = std::get_if<int64_t>(&it->second)) return cat(*number);
  if (const auto* real = std::get_if<float>(&it->second)) return cat(*real);
  if (const auto* list = std::get_if<std::vector<int64_t>>(&it->second)) {
    std::string text;
    for (int64_t number : *list) text += cat(text.empty() ? "" : ",", number);
    return text;
  }
  return {};
}

bool holds(const AttributeCondition& condition, const ir::Node& node) {
  const std::string text = ir::has_attribute(node, condition.attribute)
                               ? attribute_text(node, condition.attribute)
                               : condition.fallback;
  return std::find(condition.values.begin(), condition.values.end(), text) !=
         condition.values.end();
}

}  // namespace

// Several rules may speak of one operator under different conditions; the first that holds counts.
const OpRule* BackendSpec::find_op(const ir::Node& node) const {
  for (const OpRule& rule : ops) {
    if (rule.op_type != node.op_type || rule.domain != node.domain) continue;
    if (std::all_of(rule.conditions.begin(), rule.conditions.end(),
                    [&](const AttributeCondition& c) { return holds(c, node); })) {
      return &rule;
    }
  }
  return nullptr;
}

const Space* BackendSpec::find_space(const std::string& space) const {
  const auto it = spaces.find(space);
  return it == spaces.end() ? nullptr : &it->second;
}

}  // namespace octet::plan
