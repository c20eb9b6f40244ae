// The table of passes, made from passes.def.
#pragma once

#include <span>
#include <string_view>

#include "passes/apply_canonical_rules.h"
#include "passes/eliminate_common_subexpressions.h"
#include "passes/fold_batch_norm.h"
#include "passes/fold_constants.h"
#include "passes/fold_scale_and_bias.h"
#include "passes/lift_opset.h"
#include "passes/normalize_gemm.h"
#include "passes/pass.h"
#include "passes/remove_dead_nodes.h"
#include "passes/remove_initializer_inputs.h"
#include "passes/share_equal_weights.h"

namespace octet::passes {

// One member per pass, with its name.
struct PassConfigs {
#define OCTET_PASS(name, Config, numerics, summary) Config name = {};
#include "passes/passes.def"
#undef OCTET_PASS
};

struct PassInfo {
  std::string_view name;
  NumericsClass numerics;
  std::string_view summary;  // one sentence
  Result<PassReport> (*run)(ir::Graph&, const PassConfigs&, PassContext&);
};

// Sorted by name.
std::span<const PassInfo> all_passes();
const PassInfo* find_pass(std::string_view name);

// Runs one pass: notes its name in report and errors, and checks what it says of itself in the
// cheap ways (no edits, no change).
Result<PassReport> run_pass(const PassInfo& pass, ir::Graph& graph, const PassConfigs& configs,
                            PassContext& context);

}  // namespace octet::passes
