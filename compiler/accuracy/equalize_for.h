// Equalization as the backend's weights ask for it.
#pragma once

#include "compiler/accuracy/equalize.h"
#include "compiler/accuracy/recipe.h"

namespace octet::accuracy {

// One scale per weight tensor asks for equal weights (cross_layer.h), one per channel for equal
// activations (equalize.h), which `options` are for. Puts what was decided into `edits` (replaced,
// scalings, bounds) and counts it in `report`; returns the numbers themselves.
Equalization equalize_for(const plan::BackendSpec& spec, const ir::Graph& graph,
                          const ChannelClasses& classes, const std::vector<Layer>& layers,
                          const ChannelRanges& ranges, const EqualizeOptions& options,
                          plan::QuantPlan& edits, RecipeReport& report);

}  // namespace octet::accuracy
