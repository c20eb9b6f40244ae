// A layer's weights to integers by second order, whatever shares a scale: a row, the whole tensor
// or a block of input channels.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "compiler/accuracy/columns.h"
#include "compiler/accuracy/layer_error.h"
#include "compiler/accuracy/second_order.h"
#include "compiler/base/result.h"
#include "compiler/ir/quant_params.h"

namespace octet::accuracy {

// The Gram of a group; `room` may hold what it borrows from.
using GramOf = std::function<Gram(int64_t group, std::vector<double>& room)>;

struct LayerRounding {
  const WeightLayout& layout;
  const ir::QuantParams& params;        // granularity and range; scales where they are shared
  std::span<const int64_t> shape;       // of the weight
  std::span<const float> least_scales;  // a row, or empty
  SecondOrderOptions options;
};

// `rows`: float weights, groups * rows x columns.
//   per axis    quantize_rows
//   per tensor  the scale, of a short grid below the one given, at which all rows together err
//               least; then the best floor/ceiling choice where columns are few, else round_rows
//   blocked     quantize_blocks
Result<RowIntegers> round_weights(const LayerRounding& layer, std::span<const float> rows,
                                  const GramOf& gram_of);

// What rounding to nearest at the scales of `params` gives; `integers`: as stored, in the weight's
// own order.
RowIntegers as_rows(const WeightLayout& layout, const ir::QuantParams& params,
                    std::span<const int64_t> shape, std::span<const float> integers);

// The scales of `rows` as QuantParams has them, for a weight of this shape. Per-axis scales are the
// rows' own, a per-tensor scale the first row's.
std::vector<float> scales_of(const WeightLayout& layout, const ir::QuantParams& params,
                             std::span<const int64_t> shape, const RowIntegers& rows);

}  // namespace octet::accuracy
