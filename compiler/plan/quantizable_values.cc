#include "compiler/plan/quantizable_values.h"

#include "compiler/calibration/calibrate.h"
#include "compiler/plan/unit.h"

namespace octet::plan {

using ir::ValueId;

std::set<ValueId> quantizable_values(const ir::Graph& graph, std::span<const BackendSpec> specs) {
  const std::set<ValueId> observable = calibration::observable_values(graph);
  std::set<ValueId> out;
  const auto add = [&](ValueId id) {
    if (id.valid() && observable.contains(id)) out.insert(id);
  };
  for (const BackendSpec& spec : specs) {
    for (const Unit& unit : find_units(graph, spec).units) {
      for (const ValueId operand : graph.node(unit.head).inputs) add(operand);
      for (const ValueId output : unit.outputs) add(output);
    }
  }
  return out;
}

}  // namespace octet::plan
