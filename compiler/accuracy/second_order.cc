#include "compiler/accuracy/second_order.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "compiler/accuracy/coordinate_descent.h"
#include "compiler/accuracy/floor_ceiling.h"
#include "compiler/accuracy/ordered_rounding.h"
#include "compiler/accuracy/row_panels.h"
#include "compiler/accuracy/scale_grid.h"

namespace octet::accuracy {
namespace {

constexpr size_t kLeastCandidates = 3;

// A panel's integers as they stand in `rounded`, at their scales there.
Descent descent_from(const Problem& problem, const Panel& panel, const RoundedRows& rounded,
                     std::vector<double>& scales) {
  const size_t n = problem.weights.columns;
  Descent out(panel.rows.size(), n);
  scales.clear();
  for (size_t i = 0; i < panel.rows.size(); ++i) {
    const size_t r = panel.rows[i];
    scales.push_back(rounded.scales[r]);
    for (size_t j = 0; j < n; ++j) out.integers[i * n + j] = rounded.integers[r * n + j];
  }
  start_descent(problem.gram, panel.weights, RowScales(scales), out);
  return out;
}

// `rounded` holds the rounding to nearest to be measured against. Takes row by row the better of it
// and of `other` (integers, at `scales`), descends, and writes the result to `rounded`.
void improve(const Problem& problem, const Panel& panel, Descent* other,
             std::span<const double> other_scales, RoundedRows& rounded) {
  const size_t n = problem.weights.columns;
  std::vector<double> scales;
  Descent descent = descent_from(problem, panel, rounded, scales);
  if (other != nullptr) start_descent(problem.gram, panel.weights, RowScales(other_scales), *other);
  for (size_t i = 0; i < panel.rows.size(); ++i) {
    const double nearest = descent_error(descent, n, i);
    rounded.nearest_errors[panel.rows[i]] = nearest;
    if (other == nullptr || !(descent_error(*other, n, i) < nearest)) continue;
    scales[i] = other_scales[i];
    const auto copy = [&](const std::vector<double>& from, std::vector<double>& to) {
      std::copy_n(from.data() + i * n, n, to.data() + i * n);
    };
    copy(other->integers, descent.integers);
    copy(other->changes, descent.changes);
    copy(other->gradients, descent.gradients);
  }
  descend(problem.gram, RowScales(scales), problem.bounds, problem.options.sweeps, descent);
  for (size_t i = 0; i < panel.rows.size(); ++i) {
    const size_t r = panel.rows[i];
    rounded.scales[r] = static_cast<float>(scales[i]);
    rounded.errors[r] = descent_error(descent, n, i);
    for (size_t j = 0; j < n; ++j) {
      rounded.integers[r * n + j] = problem.to_integer(descent.integers[i * n + j]);
    }
  }
}

// How many scales a row may try if one costs `work` multiply-adds for all rows together.
size_t candidates_for(const Problem& problem, double work) {
  const double affordable = problem.options.scale_work / std::max(work, 1.0);
  const auto steps = static_cast<double>(problem.options.steps);
  if (!(affordable < steps)) return problem.options.steps;
  return std::max(kLeastCandidates, static_cast<size_t>(std::max(affordable, 0.0)));
}

// The shortened grid of a panel's row.
std::vector<double> candidates_of(const Problem& problem, const Panel& panel, size_t i,
                                  std::span<const double> column_weights, size_t count) {
  const size_t r = panel.rows[i];
  const float least = problem.least(r);
  const float greatest =
      greatest_scale(problem.row(r), problem.range, least, problem.options.scale_form);
  std::vector<double> grid = scale_grid(greatest, least, problem.options);
  shorten_grid(panel.row(i, problem.weights.columns), column_weights, problem.bounds, count, grid);
  return grid;
}

// The scale of each row of the panel whose ordered rounding has the least damped E; the greater of
// equal ones.
std::vector<double> ordered_scales(const Problem& problem, const OrderedFactor& factor,
                                   const Panel& panel, OrderedPanel& ordered) {
  const size_t n = problem.weights.columns;
  const size_t count = panel.rows.size();
  std::vector<double> column_weights(n);
  for (size_t j = 0; j < n; ++j) column_weights[j] = factor.left_variance(j);
  const double columns = static_cast<double>(n);
  const size_t candidates =
      candidates_for(problem, static_cast<double>(problem.weights.rows) * columns * columns / 2);
  std::vector<std::vector<double>> grids;
  size_t longest = 0;
  for (size_t i = 0; i < count; ++i) {
    grids.push_back(candidates_of(problem, panel, i, column_weights, candidates));
    longest = std::max(longest, grids.back().size());
  }
  std::vector<double> best(count);
  std::vector<double> least(count, HUGE_VAL);
  std::vector<double> tried(count);
  for (size_t c = 0; c < longest; ++c) {
    for (size_t i = 0; i < count; ++i) tried[i] = grids[i][std::min(c, grids[i].size() - 1)];
    if (longest > 1) ordered.round(RowScales(tried), problem.bounds);
    for (size_t i = 0; i < count; ++i) {
      if (c > 0 && !(ordered.error(i) < least[i])) continue;
      least[i] = ordered.error(i);
      best[i] = tried[i];
    }
  }
  return best;
}

// The best choice of floor and ceiling over the candidates; `scales` receives each row's scale.
Descent searched(const Problem& problem, const Panel& panel,
                 const std::vector<std::vector<double>>& candidates, std::vector<double>& scales) {
  const size_t n = problem.weights.columns;
  Descent out(panel.rows.size(), n);
  scales.assign(panel.rows.size(), 0);
  for (size_t i = 0; i < panel.rows.size(); ++i) {
    double least = HUGE_VAL;
    for (double scale : candidates[i]) {
      const FloorCeiling found =
          search_floor_ceiling(problem.gram, panel.row(i, n), scale, problem.bounds);
      if (scales[i] > 0 && !(found.error < least)) continue;
      least = found.error;
      scales[i] = scale;
      std::copy(found.integers.begin(), found.integers.end(),
                out.integers.begin() + static_cast<ptrdiff_t>(i * n));
    }
  }
  return out;
}

Descent ordered_integers(const OrderedPanel& ordered, size_t count, size_t columns) {
  Descent out(count, columns);
  for (size_t i = 0; i < count; ++i) {
    ordered.copy_integers(i, std::span(out.integers).subspan(i * columns, columns));
  }
  return out;
}

void quantize_few_columns(const Problem& problem, const Panel& panel, RoundedRows& rounded) {
  const size_t n = problem.weights.columns;
  std::vector<double> column_weights(n);
  for (size_t j = 0; j < n; ++j) column_weights[j] = problem.gram.values[j * (n + 1)];
  const double work = static_cast<double>((size_t{1} << n) * n);
  const size_t count = candidates_for(problem, work * static_cast<double>(problem.weights.rows));
  std::vector<std::vector<double>> candidates;
  for (size_t i = 0; i < panel.rows.size(); ++i) {
    candidates.push_back(candidates_of(problem, panel, i, column_weights, count));
  }
  std::vector<double> scales;
  Descent best = searched(problem, panel, candidates, scales);
  improve(problem, panel, &best, scales, rounded);
}

void quantize_many_columns(const Problem& problem, const OrderedFactor& factor, const Panel& panel,
                           RoundedRows& rounded) {
  OrderedPanel ordered(factor, panel.weights, panel.rows.size());
  const std::vector<double> scales = ordered_scales(problem, factor, panel, ordered);
  ordered.round(RowScales(scales), problem.bounds);
  Descent start = ordered_integers(ordered, panel.rows.size(), problem.weights.columns);
  improve(problem, panel, &start, scales, rounded);
}

std::vector<float> greatest_scales_of(const Problem& problem) {
  std::vector<float> out;
  for (size_t r = 0; r < problem.weights.rows; ++r) {
    out.push_back(greatest_scale(problem.row(r), problem.range, problem.least(r),
                                 problem.options.scale_form));
  }
  return out;
}

std::optional<OrderedFactor> factor_of(const Problem& problem) {
  if (!problem.guided) return std::nullopt;
  return OrderedFactor::make(problem.gram, problem.options.damping, problem.options.threads);
}

}  // namespace

double row_error(const Gram& gram, std::span<const float> row, std::span<const int32_t> integers,
                 float scale) {
  const size_t n = std::min({row.size(), integers.size(), gram.columns});
  std::vector<double> change(n);
  for (size_t j = 0; j < n; ++j) change[j] = static_cast<double>(integers[j]) * scale - row[j];
  double error = 0;
  for (size_t i = 0; i < n; ++i) {
    double sum = 0;
    for (size_t j = 0; j < n; ++j) sum += gram.values[i * gram.columns + j] * change[j];
    error += change[i] * sum;
  }
  return error;
}

Result<std::vector<float>> greatest_scales(const WeightRows& weights,
                                           const numerics::IntegerRange& range,
                                           std::span<const float> least_scales) {
  OCTET_TRY(check_rows(weights, range, least_scales));
  const Gram none;
  const SecondOrderOptions options;
  return greatest_scales_of({none, weights, range, least_scales, options});
}

Result<std::vector<float>> choose_scales(const Gram& gram, const WeightRows& weights,
                                         const numerics::IntegerRange& range,
                                         std::span<const float> least_scales,
                                         const SecondOrderOptions& options) {
  OCTET_ASSIGN(const Problem problem, make_problem(gram, weights, range, least_scales, options));
  std::vector<float> out = greatest_scales_of(problem);
  const auto factor = factor_of(problem);
  if (!factor) return out;
  OCTET_TRY(for_each_panel(problem, [&](const Panel& panel) {
    OrderedPanel ordered(*factor, panel.weights, panel.rows.size());
    const std::vector<double> scales = ordered_scales(problem, *factor, panel, ordered);
    for (size_t i = 0; i < scales.size(); ++i) {
      out[panel.rows[i]] = static_cast<float>(scales[i]);
    }
  }));
  return out;
}

Result<RoundedRows> round_rows(const Gram& gram, const WeightRows& weights,
                               std::span<const float> scales, const numerics::IntegerRange& range,
                               const SecondOrderOptions& options) {
  OCTET_ASSIGN(const Problem problem, make_problem(gram, weights, range, {}, options));
  OCTET_TRY(check_scales(scales, weights.rows));
  RoundedRows out = round_to_nearest(problem, {scales.begin(), scales.end()});
  const auto factor = factor_of(problem);
  OCTET_TRY(for_each_panel(problem, [&](const Panel& panel) {
    if (!factor) return improve(problem, panel, nullptr, {}, out);
    OrderedPanel ordered(*factor, panel.weights, panel.rows.size());
    std::vector<double> own;
    for (size_t r : panel.rows) own.push_back(scales[r]);
    ordered.round(RowScales(own), problem.bounds);
    Descent start = ordered_integers(ordered, panel.rows.size(), weights.columns);
    improve(problem, panel, &start, own, out);
  }));
  return out;
}

Result<RoundedRows> descend_rows(const Gram& gram, const WeightRows& weights,
                                 std::span<const float> scales, std::span<const int32_t> integers,
                                 const numerics::IntegerRange& range,
                                 const SecondOrderOptions& options) {
  OCTET_ASSIGN(const Problem problem, make_problem(gram, weights, range, {}, options));
  OCTET_TRY(check_scales(scales, weights.rows));
  if (integers.size() != weights.values.size()) {
    return internal_error(integers.size(), " integers for ", weights.values.size(), " weights");
  }
  RoundedRows out = round_to_nearest(problem, {scales.begin(), scales.end()});
  const std::vector<int32_t> nearest = out.integers;
  for (size_t i = 0; i < integers.size(); ++i) {
    out.integers[i] = problem.to_integer(static_cast<double>(integers[i]));
  }
  const size_t n = weights.columns;
  OCTET_TRY(for_each_panel(problem, [&](const Panel& panel) {
    improve(problem, panel, nullptr, {}, out);
    for (size_t r : panel.rows) {
      out.nearest_errors[r] =
          row_error(gram, problem.row(r), std::span(nearest).subspan(r * n, n), scales[r]);
    }
  }));
  return out;
}

Result<RoundedRows> search_rows(const Gram& gram, const WeightRows& weights,
                                std::span<const float> scales, const numerics::IntegerRange& range,
                                const SecondOrderOptions& options) {
  OCTET_ASSIGN(const Problem problem, make_problem(gram, weights, range, {}, options));
  OCTET_TRY(check_scales(scales, weights.rows));
  if (weights.columns > kMostSearchedColumns) {
    return internal_error("a search over ", weights.columns, " columns");
  }
  RoundedRows out = round_to_nearest(problem, {scales.begin(), scales.end()});
  SecondOrderOptions still = options;
  still.sweeps = 0;
  const Problem search{gram, weights, range, {}, still, problem.bounds, problem.guided};
  OCTET_TRY(for_each_panel(search, [&](const Panel& panel) {
    std::vector<std::vector<double>> own;
    for (size_t r : panel.rows) own.push_back({scales[r]});
    std::vector<double> chosen;
    Descent best = searched(search, panel, own, chosen);
    improve(search, panel, &best, chosen, out);
  }));
  return out;
}

Result<RoundedRows> quantize_rows(const Gram& gram, const WeightRows& weights,
                                  const numerics::IntegerRange& range,
                                  std::span<const float> least_scales,
                                  const SecondOrderOptions& options) {
  OCTET_ASSIGN(const Problem problem, make_problem(gram, weights, range, least_scales, options));
  RoundedRows out = round_to_nearest(problem, greatest_scales_of(problem));
  if (weights.columns <= kMostSearchedColumns) {
    OCTET_TRY(for_each_panel(
        problem, [&](const Panel& panel) { quantize_few_columns(problem, panel, out); }));
    return out;
  }
  const auto factor = factor_of(problem);
  OCTET_TRY(for_each_panel(problem, [&](const Panel& panel) {
    if (!factor) return improve(problem, panel, nullptr, {}, out);
    quantize_many_columns(problem, *factor, panel, out);
  }));
  return out;
}

}  // namespace octet::accuracy
