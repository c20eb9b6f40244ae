// Second-order rounding of a whole layer, group by group, from sums over its columns.
#pragma once

#include <span>
#include <vector>

#include "compiler/accuracy/gram.h"
#include "compiler/accuracy/layer_error.h"
#include "compiler/accuracy/layer_rounding.h"
#include "compiler/base/result.h"
#include "compiler/ir/quant_params.h"
#include "compiler/plan/backend_spec.h"

namespace octet::accuracy {

struct RoundLayerOptions {
  size_t threads = 1;
  // The least scale of each row (plan::bias_scale_floor), or empty.
  std::span<const float> least_scales = {};
  // What the rounding may learn from.
  Columns columns = Columns::kFit;
  numerics::ScaleForm scale_form = {};
};

// Of the weight of a linear operator on this backend.
numerics::ScaleForm scale_form_of(const plan::BackendSpec& spec, const ir::Node& node);

// The Gram of each group over those columns.
GramOf grams_over(const GramSums& grams, Columns columns);

// Few columns for their number of weights overfit: more damping then holds the weights where they
// were.
double damping_for(int64_t count, int64_t columns);

// round_weights with the damping that the columns ask for. `rows`: the float weights (weight_rows);
// `shape`: of the weight.
Result<RowIntegers> round_layer(const GramSums& grams, const std::vector<float>& rows,
                                std::span<const int64_t> shape, const ir::QuantParams& params,
                                const RoundLayerOptions& options);

// The integers in the weight's own order and storage, and the parameters with the new scales.
struct RoundedWeight {
  ir::Tensor integers;
  ir::QuantParams params;
};
Result<RoundedWeight> to_weight(const WeightLayout& layout, std::span<const int64_t> shape,
                                const RowIntegers& rounded, const ir::QuantParams& params);

// Rounding to nearest under `params`, as rows.
Result<RowIntegers> nearest_rows(const WeightLayout& layout, const ir::Tensor& weight,
                                 const ir::QuantParams& params);

}  // namespace octet::accuracy
