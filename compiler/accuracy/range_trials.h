// Ranges that may serve activations better than all that was seen (candidate_ranges.h).
#pragma once

#include "compiler/accuracy/trials.h"

namespace octet::accuracy {

// First the ranges of least mean square error for all tensors that promise something at once; where
// they do not help together, each half of them, and so on. Then tensor by tensor, all candidates:
// those first whose local error promises most, then a little wider and narrower ones in the order
// of the graph, since what is read first is felt by all behind it.
Status try_ranges(Trials& trials);

}  // namespace octet::accuracy
