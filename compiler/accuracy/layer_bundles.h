// Layers that read the same data in the same way share the sums over its columns.
#pragma once

#include <vector>

#include "compiler/accuracy/layers.h"
#include "compiler/ir/graph.h"

namespace octet::accuracy {

// True when both layers are given the same columns, if they are given the same tensor: one group
// each, and for convolutions equal kernels, strides, pads and dilations.
bool read_alike(const ir::Graph& graph, const Layer& a, const Layer& b);

// `ready` (places in `layers` and `sources`) in groups that share their columns, in the order of
// their first layers. `sources`: which tensor each layer reads.
std::vector<std::vector<size_t>> bundles_of(const ir::Graph& graph,
                                            const std::vector<const Layer*>& layers,
                                            const std::vector<ir::ValueId>& sources,
                                            const std::vector<size_t>& ready);

}  // namespace octet::accuracy
