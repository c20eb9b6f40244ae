// What a pass is: a free function
//   Result<PassReport> NAME(ir::Graph&, const NameConfig&, PassContext&)
// in a file of its own, and a line in passes.def. Passes edit through ir::Patch, so that an edit
// happens as a whole or not at all. The bodies of If, Loop and Scan are left alone unless a pass
// says otherwise.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/base/budget.h"
#include "compiler/base/result.h"
#include "compiler/ir/graph.h"
#include "patterns/pattern.h"

namespace octet::patterns {
class RuleSet;
}

namespace octet::passes {

// kExact: the same numbers (+0 and -0 count as the same). kRounding: equal up to the rounding of
// the element type's arithmetic. kApproximate: close; the summary says how.
using patterns::numerics_name;
using patterns::NumericsClass;

struct PassReport {
  std::string_view pass = {};  // its name in passes.def; filled in by the pipeline
  bool changed = false;        // the text of the graph is another one
  int64_t edits = 0;
  // What a person may want to know, one line each: what happened beyond the summary (what grew,
  // what changed for callers), and what was left as it was and why.
  std::vector<std::string> notes = {};
  std::vector<std::string> left_alone = {};

  void edited() {
    changed = true;
    ++edits;
  }
};

// What all passes of one run share.
class PassContext {
 public:
  MemoryBudget* budget = nullptr;  // for constants that passes make; null: no limit
  // A constant made by folding is at most this long, or four times the constants it replaces.
  int64_t max_constant_bytes = int64_t{4} << 20;
  const patterns::RuleSet* canonical_rules = nullptr;  // null: those that are built in
  std::set<std::string, std::less<>> disabled_rules = {};
  std::optional<int64_t> edits_left = std::nullopt;  // --stop-after
  // One line per edit: "pass: what".
  std::function<void(std::string_view)> log = nullptr;
  std::string_view pass = {};  // the one that runs

  bool may_edit() const { return !edits_left || *edits_left > 0; }

  // Called in front of every edit; false when the run is to stop in front of it.
  bool take_edit(std::string_view what);
};

}  // namespace octet::passes
