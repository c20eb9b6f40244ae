// The scales tried for a row.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "compiler/accuracy/ordered_rounding.h"
#include "compiler/accuracy/second_order.h"

namespace octet::accuracy {

// max|w| / levels over the finite entries, at least `least` (if that is finite); 1 where that is no
// normal float. Raised to a power of two where that is the form.
float greatest_scale(std::span<const float> row, const numerics::IntegerRange& range, float least,
                     numerics::ScaleForm form = numerics::ScaleForm::kAny);

// The grid of `options` for a row whose greatest scale is `greatest`, from the greatest down; never
// below `least`, and normal floats only. Its first entry is `greatest`.
std::vector<double> scale_grid(float greatest, float least, const SecondOrderOptions& options);

// Keeps the first entry and the `count - 1` others for which an estimate of the error is least; the
// order stays. The estimate: a weight within the range errs by s^2 / 12, one beyond it by the
// square of the excess (at least that); each column counts as much as its weight says.
void shorten_grid(std::span<const double> row, std::span<const double> column_weights,
                  const Bounds& bounds, size_t count, std::vector<double>& grid);

}  // namespace octet::accuracy
