// Whole recipes that may serve a model better than the default one.
#pragma once

#include "compiler/accuracy/draft.h"
#include "compiler/accuracy/trials.h"

namespace octet::accuracy {

// Second order that rounds towards the float model's outputs, and other exponents and no headroom
// in equalization: one change after the other, from the best so far.
//
// A recipe learns its weights from samples, and flatters itself on those. So all of them are made
// from the samples that nothing is judged on, the default one too, and what wins there is made once
// more from all samples. `bench` and `half` make drafts from all samples and from that half.
Status try_recipes(Workbench& bench, Workbench& half, Trials& trials);

}  // namespace octet::accuracy
