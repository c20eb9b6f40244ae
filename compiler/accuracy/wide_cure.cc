#include "compiler/accuracy/wide_cure.h"

#include "compiler/plan/placement.h"
#include "compiler/plan/recipe.h"

namespace octet::accuracy {

std::optional<std::string> recipe_for_wide_data(const ir::Graph& graph,
                                                const plan::BackendSpec& spec,
                                                const std::vector<ir::NodeId>& readers) {
  if (readers.empty()) return std::nullopt;
  const plan::Placement placement = plan::place(graph, spec, {});
  std::string out = "recipe:";
  for (const ir::NodeId id : readers) {
    const int32_t unit = placement.units.of_node[id.index()];
    if (unit < 0 || placement.units.units[static_cast<size_t>(unit)].head != id ||
        !plan::can_widen(graph, spec, placement, static_cast<size_t>(unit))) {
      return std::nullopt;
    }
    out += " " +
           plan::override_text(ir::display_name(graph, graph.node(id)), "activations: \"int16\"");
  }
  return out;
}

}  // namespace octet::accuracy
