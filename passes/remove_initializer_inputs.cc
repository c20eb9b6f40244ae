#include "passes/remove_initializer_inputs.h"

#include "compiler/base/names.h"

namespace octet::passes {
namespace {

constexpr int64_t kDefaultsAreOptionalSince = 4;  // IR version
constexpr size_t kNamesInNote = 4;

std::string note(const std::vector<std::string>& names) {
  std::string out = cat("inputs whose default is fixed now (", names.size(), "): ");
  for (size_t i = 0; i < std::min(names.size(), kNamesInNote); ++i) {
    out += cat(i > 0 ? ", " : "", quote_name(names[i]));
  }
  return names.size() > kNamesInNote ? out + ", ..." : out;
}

}  // namespace

Result<PassReport> remove_initializer_inputs(ir::Graph& graph,
                                             const RemoveInitializerInputsConfig& /*config*/,
                                             PassContext& context) {
  PassReport report;
  std::vector<std::string> names;
  const std::vector<ir::ValueId> inputs = graph.inputs();
  for (ir::ValueId id : inputs) {
    const ir::Value& value = graph.value(id);
    if (!value.is_constant()) continue;
    if (!context.take_edit(quote_name(value.name))) break;
    names.push_back(value.name);
    graph.remove_input(id);
    // What the input was declared as may be wider than what the constant is.
    graph.set_constant(id, value.constant);
    report.edited();
  }
  if (graph.model.ir_version >= kDefaultsAreOptionalSince) {
    if (!names.empty()) report.notes.push_back(note(names));
  } else if (context.take_edit(cat("IR version ", kDefaultsAreOptionalSince))) {
    graph.model.ir_version = kDefaultsAreOptionalSince;
    report.edited();
  }
  return report;
}

}  // namespace octet::passes
