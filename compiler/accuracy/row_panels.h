// What the functions of second_order.h share: the checks of their operands, and rows in panels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "compiler/accuracy/ordered_rounding.h"
#include "compiler/accuracy/second_order.h"
#include "compiler/base/thread_pool.h"

namespace octet::accuracy {

// Operands that were checked.
struct Problem {
  const Gram& gram;
  const WeightRows& weights;
  const numerics::IntegerRange& range;
  std::span<const float> least_scales;
  const SecondOrderOptions& options;
  Bounds bounds = {};
  bool guided = true;

  std::span<const float> row(size_t r) const {
    return weights.values.subspan(r * weights.columns, weights.columns);
  }
  float least(size_t r) const { return least_scales.empty() ? 0.0F : least_scales[r]; }
  int32_t to_integer(double z) const;
};

Status check_rows(const WeightRows& weights, const numerics::IntegerRange& range,
                  std::span<const float> least_scales);
Status check_scales(std::span<const float> scales, size_t rows);
Result<Problem> make_problem(const Gram& gram, const WeightRows& weights,
                             const numerics::IntegerRange& range,
                             std::span<const float> least_scales,
                             const SecondOrderOptions& options);

// A few of the rows that can be guided, as doubles. Rows go together for speed only.
struct Panel {
  std::vector<size_t> rows;
  std::vector<double> weights;

  std::span<const double> row(size_t i, size_t columns) const {
    return std::span(weights).subspan(i * columns, columns);
  }
};

// None if the Gram cannot guide; rows that are not finite are in none.
std::vector<Panel> make_panels(const Problem& problem);
void load(const Problem& problem, Panel& panel);

// Calls work(panel) for every panel. Panels write to rows of their own, so threads do not matter.
template <typename Work>
Status for_each_panel(const Problem& problem, const Work& work) {
  std::vector<Panel> panels = make_panels(problem);
  return parallel_for(problem.options.threads, panels.size(), [&](size_t, size_t i) -> Status {
    load(problem, panels[i]);
    work(panels[i]);
    panels[i] = {};
    return {};
  });
}

// Rounding to nearest at these scales, errors zero: the result for whatever no panel holds.
RoundedRows round_to_nearest(const Problem& problem, std::vector<float> scales);

}  // namespace octet::accuracy
