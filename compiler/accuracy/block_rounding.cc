#include "compiler/accuracy/block_rounding.h"

#include <algorithm>
#include <cmath>

#include "compiler/accuracy/coordinate_descent.h"
#include "compiler/accuracy/ordered_rounding.h"
#include "compiler/accuracy/row_panels.h"
#include "compiler/accuracy/scale_grid.h"
#include "compiler/numerics/quantize.h"

namespace octet::accuracy {
namespace {

class BlockQuantizer {
 public:
  BlockQuantizer(const Problem& problem, std::span<const size_t> block_of, size_t blocks)
      : problem_(problem), blocks_(blocks), columns_(problem.weights.columns), members_(blocks) {
    for (size_t j = 0; j < block_of.size(); ++j) members_[block_of[j]].push_back(j);
    block_of_.assign(block_of.begin(), block_of.end());
  }

  Result<BlockedRows> run() {
    round_to_nearest();
    if (!problem_.guided) return std::move(out_);
    const auto factor =
        OrderedFactor::make(problem_.gram, problem_.options.damping, problem_.options.threads);
    OCTET_TRY(for_each_panel(
        problem_, [&](const Panel& panel) { improve(panel, factor ? &*factor : nullptr); }));
    return std::move(out_);
  }

 private:
  std::vector<float> block_values(std::span<const float> row, size_t block) const {
    std::vector<float> out;
    for (size_t j : members_[block]) out.push_back(row[j]);
    return out;
  }

  void round_to_nearest() {
    const size_t rows = problem_.weights.rows;
    out_.guided = problem_.guided;
    out_.errors.assign(rows, 0.0);
    out_.nearest_errors.assign(rows, 0.0);
    const auto low = static_cast<int32_t>(problem_.range.min);
    const auto high = static_cast<int32_t>(problem_.range.max);
    for (size_t r = 0; r < rows; ++r) {
      const std::span<const float> row = problem_.row(r);
      for (size_t b = 0; b < blocks_; ++b) {
        out_.scales.push_back(greatest_scale(block_values(row, b), problem_.range, 0.0F,
                                             problem_.options.scale_form));
      }
      for (size_t j = 0; j < columns_; ++j) {
        const float w = std::isnan(row[j]) ? 0.0F : row[j];
        const float scale = out_.scales[r * blocks_ + block_of_[j]];
        out_.integers.push_back(numerics::quantize(w, scale, 0, low, high));
      }
    }
  }

  // Every element's scale, for the rows of a panel.
  std::vector<double> spread(const Panel& panel, const std::vector<float>& scales) const {
    std::vector<double> out;
    for (size_t r : panel.rows) {
      for (size_t j = 0; j < columns_; ++j) {
        out.push_back(static_cast<double>(scales[r * blocks_ + block_of_[j]]));
      }
    }
    return out;
  }

  void improve(const Panel& panel, const OrderedFactor* factor) {
    const std::vector<double> greatest = spread(panel, out_.scales);
    Descent nearest(panel.rows.size(), columns_);
    for (size_t i = 0; i < panel.rows.size(); ++i) {
      for (size_t j = 0; j < columns_; ++j) {
        nearest.integers[i * columns_ + j] = out_.integers[panel.rows[i] * columns_ + j];
      }
    }
    settle(panel, greatest, 0, nearest);
    for (size_t i = 0; i < panel.rows.size(); ++i) {
      out_.nearest_errors[panel.rows[i]] = descent_error(nearest, columns_, i);
    }
    descend(problem_.gram, RowScales::each(greatest, columns_), problem_.bounds,
            problem_.options.sweeps, nearest);
    for (size_t i = 0; i < panel.rows.size(); ++i) put(panel.rows[i], nearest, i);
    if (factor != nullptr) round_in_order(panel, *factor);
  }

  void settle(const Panel& panel, const std::vector<double>& scales, size_t sweeps,
              Descent& descent) const {
    const RowScales each = RowScales::each(scales, columns_);
    start_descent(problem_.gram, panel.weights, each, descent);
    descend(problem_.gram, each, problem_.bounds, sweeps, descent);
  }

  void round_in_order(const Panel& panel, const OrderedFactor& factor) {
    std::vector<float> chosen = out_.scales;
    for (size_t r : panel.rows) {
      for (size_t b = 0; b < blocks_; ++b) chosen[r * blocks_ + b] = best_scale(factor, r, b);
    }
    const std::vector<double> scales = spread(panel, chosen);
    OrderedPanel ordered(factor, panel.weights, panel.rows.size());
    ordered.round(RowScales::each(scales, columns_), problem_.bounds);
    Descent descent(panel.rows.size(), columns_);
    for (size_t i = 0; i < panel.rows.size(); ++i) {
      ordered.copy_integers(i, std::span(descent.integers).subspan(i * columns_, columns_));
    }
    settle(panel, scales, problem_.options.sweeps, descent);
    for (size_t i = 0; i < panel.rows.size(); ++i) {
      const size_t r = panel.rows[i];
      if (!(descent_error(descent, columns_, i) < out_.errors[r])) continue;
      std::copy_n(chosen.begin() + static_cast<ptrdiff_t>(r * blocks_), blocks_,
                  out_.scales.begin() + static_cast<ptrdiff_t>(r * blocks_));
      put(r, descent, i);
    }
  }

  float best_scale(const OrderedFactor& factor, size_t r, size_t block) const {
    const std::vector<float> values = block_values(problem_.row(r), block);
    const float greatest = out_.scales[r * blocks_ + block];
    double best = greatest;
    double least = HUGE_VAL;
    for (double scale : scale_grid(greatest, 0.0F, problem_.options)) {
      double error = 0.0;
      for (size_t i = 0; i < values.size(); ++i) {
        const double w = values[i];
        const double z = numerics::round_half_even(
            std::clamp(w / scale, problem_.bounds.low, problem_.bounds.high));
        const double change = z * scale - w;
        error += change * change * factor.left_variance(members_[block][i]);
      }
      if (!(error < least)) continue;
      least = error;
      best = scale;
    }
    return static_cast<float>(best);
  }

  void put(size_t r, const Descent& descent, size_t i) {
    out_.errors[r] = descent_error(descent, columns_, i);
    for (size_t j = 0; j < columns_; ++j) {
      out_.integers[r * columns_ + j] = problem_.to_integer(descent.integers[i * columns_ + j]);
    }
  }

  const Problem& problem_;
  const size_t blocks_;
  const size_t columns_;
  std::vector<std::vector<size_t>> members_;  // columns of each block
  std::vector<size_t> block_of_;
  BlockedRows out_;
};

}  // namespace

Result<BlockedRows> quantize_blocks(const Gram& gram, const WeightRows& weights,
                                    std::span<const size_t> block_of, size_t blocks,
                                    const numerics::IntegerRange& range,
                                    const SecondOrderOptions& options) {
  OCTET_ASSIGN(const Problem problem, make_problem(gram, weights, range, {}, options));
  const bool fits = block_of.size() == weights.columns &&
                    std::all_of(block_of.begin(), block_of.end(),
                                [blocks](size_t block) { return block < blocks; });
  if (!fits) return internal_error("blocks that do not cover ", weights.columns, " columns");
  return BlockQuantizer(problem, block_of, blocks).run();
}

}  // namespace octet::accuracy
