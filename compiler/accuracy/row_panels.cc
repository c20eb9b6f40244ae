#include "compiler/accuracy/row_panels.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "compiler/base/checked.h"
#include "compiler/numerics/quantize.h"

namespace octet::accuracy {
namespace {

constexpr double kGreatestEntry = 1e100;
constexpr size_t kPanelRows = 32;
constexpr int64_t kGreatestInteger = int64_t{1} << 23;

bool fits(size_t size, size_t rows, size_t columns) {
  const auto product = checked_mul(static_cast<int64_t>(rows), static_cast<int64_t>(columns));
  return product && *product >= 0 && static_cast<size_t>(*product) == size;
}

bool can_guide(const Gram& gram) {
  for (double h : gram.values) {
    if (!(std::fabs(h) <= kGreatestEntry)) return false;
  }
  bool live = false;
  for (size_t i = 0; i < gram.columns; ++i) {
    const double h = gram.values[i * (gram.columns + 1)];
    if (h < 0) return false;
    live = live || h > 0;
  }
  return live;
}

bool is_finite(std::span<const float> row) {
  return std::all_of(row.begin(), row.end(), [](float w) { return std::isfinite(w); });
}

}  // namespace

int32_t Problem::to_integer(double z) const {
  return numerics::quantize(static_cast<float>(z), 1.0F, 0, static_cast<int32_t>(range.min),
                            static_cast<int32_t>(range.max));
}

Status check_rows(const WeightRows& weights, const numerics::IntegerRange& range,
                  std::span<const float> least_scales) {
  if (!fits(weights.values.size(), weights.rows, weights.columns)) {
    return internal_error(weights.values.size(), " weights for ", weights.rows, " rows of ",
                          weights.columns);
  }
  if (range.min >= 0 || range.max <= 0 || range.min < -kGreatestInteger ||
      range.max > kGreatestInteger) {
    return internal_error("integers from ", range.min, " to ", range.max, " are not about 0");
  }
  if (!least_scales.empty() && least_scales.size() != weights.rows) {
    return internal_error(least_scales.size(), " least scales for ", weights.rows, " rows");
  }
  return {};
}

Result<Problem> make_problem(const Gram& gram, const WeightRows& weights,
                             const numerics::IntegerRange& range,
                             std::span<const float> least_scales,
                             const SecondOrderOptions& options) {
  OCTET_TRY(check_rows(weights, range, least_scales));
  if (gram.columns != weights.columns || !fits(gram.values.size(), gram.columns, gram.columns)) {
    return internal_error("a Gram of ", gram.columns, " columns and ", gram.values.size(),
                          " entries for rows of ", weights.columns);
  }
  Problem out{gram, weights, range, least_scales, options};
  out.bounds = {static_cast<double>(range.min), static_cast<double>(range.max)};
  out.guided = can_guide(gram);
  return out;
}

Status check_scales(std::span<const float> scales, size_t rows) {
  if (scales.size() != rows) return internal_error(scales.size(), " scales for ", rows, " rows");
  for (float s : scales) {
    if (!(s > 0) || !std::isnormal(s)) return internal_error("a scale of ", s);
  }
  return {};
}

std::vector<Panel> make_panels(const Problem& problem) {
  std::vector<Panel> out;
  if (!problem.guided) return out;
  for (size_t r = 0; r < problem.weights.rows; ++r) {
    if (!is_finite(problem.row(r))) continue;
    if (out.empty() || out.back().rows.size() == kPanelRows) out.emplace_back();
    out.back().rows.push_back(r);
  }
  return out;
}

void load(const Problem& problem, Panel& panel) {
  for (size_t r : panel.rows) {
    const auto row = problem.row(r);
    panel.weights.insert(panel.weights.end(), row.begin(), row.end());
  }
}

RoundedRows round_to_nearest(const Problem& problem, std::vector<float> scales) {
  RoundedRows out;
  out.integers.resize(problem.weights.values.size());
  const size_t n = problem.weights.columns;
  for (size_t r = 0; r < problem.weights.rows; ++r) {
    for (size_t j = 0; j < n; ++j) {
      out.integers[r * n + j] = numerics::quantize(problem.weights.values[r * n + j], scales[r], 0,
                                                   static_cast<int32_t>(problem.range.min),
                                                   static_cast<int32_t>(problem.range.max));
    }
  }
  out.scales = std::move(scales);
  out.errors.resize(problem.weights.rows);
  out.nearest_errors.resize(problem.weights.rows);
  out.guided = problem.guided;
  return out;
}

}  // namespace octet::accuracy
