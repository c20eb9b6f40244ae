#include "passes/passes.h"

#include <algorithm>
#include <array>

namespace octet::passes {

bool PassContext::take_edit(std::string_view what) {
  if (!may_edit()) return false;
  if (edits_left) --*edits_left;
  if (log) log(cat(pass, ": ", what));
  return true;
}

namespace {

constexpr std::array kPasses = {
#define OCTET_PASS(name, Config, numerics, summary)                             \
  PassInfo{#name, NumericsClass::numerics, summary,                             \
           [](ir::Graph& graph, const PassConfigs& configs, PassContext& ctx) { \
             return name(graph, configs.name, ctx);                             \
           }},
#include "passes/passes.def"
#undef OCTET_PASS
};

}  // namespace

std::span<const PassInfo> all_passes() { return kPasses; }

const PassInfo* find_pass(std::string_view name) {
  const auto at = std::find_if(kPasses.begin(), kPasses.end(),
                               [&](const PassInfo& pass) { return pass.name == name; });
  return at == kPasses.end() ? nullptr : &*at;
}

Result<PassReport> run_pass(const PassInfo& pass, ir::Graph& graph, const PassConfigs& configs,
                            PassContext& context) {
  context.pass = pass.name;
  auto report = pass.run(graph, configs, context);
  if (!report.ok()) return report.error().in(cat("pass ", pass.name));
  if (report->edits > 0 && !report->changed) {
    return internal_error("pass ", pass.name, ": ", report->edits, " edits and no change");
  }
  report->pass = pass.name;
  return report;
}

}  // namespace octet::passes
