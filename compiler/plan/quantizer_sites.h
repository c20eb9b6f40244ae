// From demands to quantizers: which value gets one, who reads it, which of them share their scale.
#pragma once

#include <string>
#include <vector>

#include "compiler/plan/placement.h"
#include "compiler/plan/quant_plan.h"

namespace octet::plan {

// A quantizer of one activation; its parameters are not chosen yet.
struct ActivationSite {
  ir::ValueId value;
  std::string space;
  Readers readers = Readers::kListed;
  std::vector<ir::Use> operands;  // kListed
  size_t group = 0;               // sites with the same number share their parameters
};

struct ConstantSite {
  ir::ValueId constant;
  std::string space;
  struct Use {
    ir::Use operand;
    ir::ValueId factor;
  };
  std::vector<Use> uses;
  ops::Role role = ops::Role::kWeight;
};

struct Sites {
  std::vector<ActivationSite> activations;  // in order of value
  std::vector<ConstantSite> constants;
};

Sites find_sites(const ir::Graph& graph, const BackendSpec& spec, const Placement& placement);

}  // namespace octet::plan
