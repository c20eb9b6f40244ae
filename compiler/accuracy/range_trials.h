// Ranges that may serve activations better than all that was seen (candidate_ranges.h).
#pragma once

#include "compiler/accuracy/trials.h"

namespace octet::accuracy {

// Tensor by tensor (those that share a scale together), all candidates: first those whose local
// error promises most, then a little wider and narrower ones in the order of the graph, since what
// is read first is felt by all behind it. Never many at once: clipping gains on typical samples and
// loses on rare ones, and a gain of many tensors together hides that (a face detector: 1.2 dB up on
// the typical judged sample, 0.8 dB down in sum over others).
Status try_ranges(Trials& trials);

}  // namespace octet::accuracy
