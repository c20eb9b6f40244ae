// Weights to integers, so that what changes is the layer's output as little as possible, not the
// weights themselves.
//
// A layer computes y = w x for columns x (the im2col columns of a convolution, the rows fed to a
// matrix product). With the Gram matrix H = mean of x x^T over calibration columns, integers z and
// scale s of a weight row w, the mean squared change of its output is
//   E(z, s) = (z s - w) H (z s - w)^T.
// Everything here lowers E. Frantar et al. 2022, arXiv:2210.17323 (ordered rounding); Zhang et al.
// 2024, arXiv:2403.07134 and Behdin et al. 2023, arXiv:2309.01885 (coordinate descent).
//
// Grouped layers: a Gram and a call per group; a depthwise channel is a call with one row.
//
// Conventions of every function below
//   - Integers are symmetric: the zero point is 0 and range.min < 0 < range.max, both within 2^23.
//   - Deterministic. A row's result depends neither on `threads` nor on the other rows, but for
//     their number where scale_work is exhausted.
//   - Never fails on numbers: a Gram with a NaN, an entry beyond 1e100, a negative diagonal entry
//     or a diagonal of zeros cannot guide, and rounding is then to nearest at the greatest
//     magnitude's scale (RoundedRows::guided is false). A row that holds a NaN or an infinity is
//     rounded to nearest likewise; NaN becomes 0. A column with H_jj = 0 (a dead input) is rounded
//     to nearest. A Gram of low rank is fine. One that no damping makes positive definite, or with
//     more than 8192 columns (factoring it takes minutes), leaves coordinate descent from nearest.
//   - Errors are those of a caller: sizes that do not fit together, a scale that is not a positive
//     normal float, a range outside the convention (kInternal).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "compiler/base/result.h"
#include "compiler/numerics/affine.h"
#include "compiler/numerics/dtype.h"

namespace octet::accuracy {

// Columns x columns, row-major, symmetric; the sum or the mean of x x^T: only errors scale with it.
// Borrowed.
struct Gram {
  std::span<const double> values;
  size_t columns = 0;
};

// Rows x columns, row-major: one row per output channel. Borrowed.
struct WeightRows {
  std::span<const float> values;
  size_t rows = 0;
  size_t columns = 0;
};

struct SecondOrderOptions {
  size_t threads = 1;
  // Added to the Gram's diagonal in ordered rounding, relative to its mean. Keeps a Gram of few
  // columns from steering weights where it saw nothing: with fewer calibration columns than weights
  // a row, 0.1 is better on other data (test: GramOfFewColumns).
  double damping = 0.01;
  // At most so many passes of coordinate descent over the columns; it stops when nothing moves.
  size_t sweeps = 20;
  // The scales tried are the greatest magnitude's scale times ratios evenly spaced over
  // [least_ratio, 1]; 1 is always among them. steps = 1 tries only that one.
  double least_ratio = 0.3;
  size_t steps = 71;
  // About so many multiply-adds may go into trying scales; where the grid costs more, a cheaper
  // estimate selects which ratios are tried (never fewer than 3).
  double scale_work = 3e8;
  // kPowerOfTwo: scales are powers of two, those tried the greatest magnitude's (raised to the next
  // one) and the ones below it down to least_ratio.
  numerics::ScaleForm scale_form = numerics::ScaleForm::kAny;
};

struct RoundedRows {
  std::vector<int32_t> integers;  // rows x columns
  std::vector<float> scales;      // a row
  // E of each row, with the Gram as given: of `integers`, and of rounding to nearest with the
  // greatest magnitude's scale (quantize_rows) or the given scale (round_rows, search_rows).
  // errors[i] <= nearest_errors[i]. Zeros where the Gram could not guide.
  std::vector<double> errors;
  std::vector<double> nearest_errors;
  bool guided = true;
};

// E(z, s) of one row; the Gram has z.size() columns. Not negative for a Gram, but for the rounding
// of doubles.
double row_error(const Gram& gram, std::span<const float> row, std::span<const int32_t> integers,
                 float scale);

// max|w| / min(-range.min, range.max) over the finite entries of each row, raised to `least_scales`
// (one per row, or empty; entries that are not finite are ignored). 1 for a row of zeros or of
// magnitudes too small for a normal scale. Finite, normal floats.
Result<std::vector<float>> greatest_scales(const WeightRows& weights,
                                           const numerics::IntegerRange& range,
                                           std::span<const float> least_scales);

// The scale of each row, out of the grid of `options`, whose ordered rounding has the least E.
// Never below least_scales (a row, or empty): where a bias must fit int32 in units of the scale,
// that is plan::bias_scale_floor. Clips only where E says so.
Result<std::vector<float>> choose_scales(const Gram& gram, const WeightRows& weights,
                                         const numerics::IntegerRange& range,
                                         std::span<const float> least_scales,
                                         const SecondOrderOptions& options = {});

// Integers for given scales (one per row; equal ones for a per-tensor weight): ordered rounding
// (GPTQ: columns by falling H_jj, each error pushed into the columns to come), or nearest where
// that is better, then coordinate descent, of which every accepted move lowers E.
Result<RoundedRows> round_rows(const Gram& gram, const WeightRows& weights,
                               std::span<const float> scales, const numerics::IntegerRange& range,
                               const SecondOrderOptions& options = {});

// Coordinate descent alone, from the integers given (clamped to the range first). Never raises
// their E, which may yet be above that of rounding to nearest. What cannot be guided stays as
// given.
Result<RoundedRows> descend_rows(const Gram& gram, const WeightRows& weights,
                                 std::span<const float> scales, std::span<const int32_t> integers,
                                 const numerics::IntegerRange& range,
                                 const SecondOrderOptions& options = {});

// The most columns search_rows takes: 2^columns choices a scale.
inline constexpr size_t kMostSearchedColumns = 12;

// The best of all 2^columns choices of floor and ceiling, for each row at its scale: least E,
// exactly.
Result<RoundedRows> search_rows(const Gram& gram, const WeightRows& weights,
                                std::span<const float> scales, const numerics::IntegerRange& range,
                                const SecondOrderOptions& options = {});

// The whole: scales and integers. Up to kMostSearchedColumns columns, the best floor/ceiling choice
// over all scales of the grid, then descent; choose_scales and round_rows beyond. Never worse in E
// than rounding to nearest with the greatest magnitude's scale.
Result<RoundedRows> quantize_rows(const Gram& gram, const WeightRows& weights,
                                  const numerics::IntegerRange& range,
                                  std::span<const float> least_scales,
                                  const SecondOrderOptions& options = {});

}  // namespace octet::accuracy
