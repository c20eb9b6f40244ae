// What a model's batch norms say of its values, for quantizing without data.
//
// A batch norm with running mean mu and variance v, scale gamma, shift beta and epsilon makes
// channels of mean beta and deviation |gamma| sqrt(v / (v + epsilon)) out of what training saw
// (Nagel et al. 2019, arXiv:1906.04721, section 4.2).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "compiler/ir/graph.h"

namespace octet::accuracy {

// Of the channels of one value, axis 1.
struct NormFact {
  std::vector<double> mean;
  std::vector<double> deviation;
};

// By the name of the batch norm's result, which stays when it is folded into what comes before.
using NormFacts = std::map<std::string, NormFact>;

// `graph` as loaded: canonical graphs have their batch norms folded. Leaves out those in training
// mode, whose parameters are no constants, do not fit together or are not finite.
NormFacts gather_norm_facts(const ir::Graph& graph);

}  // namespace octet::accuracy
