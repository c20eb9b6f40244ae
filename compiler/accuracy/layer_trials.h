// Weights and biases of single layers, and of all of them under other ranges.
#pragma once

#include "compiler/accuracy/draft.h"
#include "compiler/accuracy/trials.h"

namespace octet::accuracy {

// Weights rounded again where the search has changed ranges since.
Status try_rounding_again(const Workbench& bench, Trials& trials);

// Layer by layer: rounding to nearest, and the bias as it was.
Status try_layers(Trials& trials);

}  // namespace octet::accuracy
