#include "compiler/accuracy/equalize_for.h"

#include "compiler/accuracy/cross_layer.h"

namespace octet::accuracy {

Equalization equalize_for(const plan::BackendSpec& spec, const ir::Graph& graph,
                          const ChannelClasses& classes, const std::vector<Layer>& layers,
                          const ChannelRanges& ranges, const EqualizeOptions& options,
                          plan::QuantPlan& edits, RecipeReport& report) {
  Equalization out;
  if (has_per_tensor_weights(spec)) {
    std::map<ir::ValueId, ChannelReach> reach;
    for (ir::ValueId value : ranges.values()) {
      reach[value] = {ranges.of(value), ranges.least_of(value)};
    }
    CrossLayer made = equalize_across_layers(graph, classes, layers, reach, bounds_of(spec));
    edits.bounds = std::move(made.bounds);
    report.dead_channels = made.dead;
    report.high_biases = made.high_biases;
    out = std::move(made.equalization);
  } else {
    out = equalize(graph, classes, layers, ranges, options);
  }
  for (const auto& [id, tensor] : out.constants) {
    edits.replaced.push_back({graph.value(id).name, tensor});
  }
  edits.scalings = out.scalings;
  report.equalized_tensors = out.tensors;
  report.equalized_channels = out.channels;
  return out;
}

}  // namespace octet::accuracy
