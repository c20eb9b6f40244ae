// Second-order rounding of weights whose scale changes along a row: every block of input channels
// has one of its own.
#pragma once

#include "compiler/accuracy/second_order.h"

namespace octet::accuracy {

struct BlockedRows {
  std::vector<int32_t> integers;  // rows x columns
  std::vector<float> scales;      // rows x blocks
  // E of each row (second_order.h) of `integers`, and of rounding to nearest at the scales of each
  // block's greatest magnitude. Zeros where the Gram could not guide.
  std::vector<double> errors;
  std::vector<double> nearest_errors;
  bool guided = true;
};

// `block_of`: the block (below `blocks`) of each column. The scale of a block is the one out of the
// grid of `options` at which rounding to nearest errs least, each column weighed by the variance
// that is left of it when those rounded later make up for it. Integers as round_rows finds them.
// Conventions and errors are those of second_order.h.
Result<BlockedRows> quantize_blocks(const Gram& gram, const WeightRows& weights,
                                    std::span<const size_t> block_of, size_t blocks,
                                    const numerics::IntegerRange& range,
                                    const SecondOrderOptions& options = {});

}  // namespace octet::accuracy
