// One layer whose target is the float model's output (cross_gram.h).
#pragma once

#include <optional>
#include <vector>

#include "compiler/accuracy/cross_gram.h"
#include "compiler/accuracy/layer_rounding.h"

namespace octet::accuracy {

class TargetedLayer {
 public:
  // All is borrowed but `real`: sums of the float model's columns.
  TargetedLayer(const WeightLayout& layout, const GramSums& grams, const CrossSums& cross,
                ColumnSums real, double x_scale, Means means, size_t threads)
      : layout_(layout),
        grams_(grams),
        cross_(cross),
        real_(std::move(real)),
        x_scale_(x_scale),
        means_(means),
        threads_(threads) {}

  // The real weights to be rounded in the place of `rows`.
  Result<std::vector<float>> targets(const std::vector<float>& rows, Columns learnt,
                                     double damping) const;
  // Of a few ridges (target_rows), the one whose targets, learnt from some columns and not rounded,
  // come nearest to the float output on the columns kept apart; nothing where `rows` themselves are
  // as near. A great ridge moves only what is seen far above the quantizers' noise.
  Result<std::optional<double>> best_ridge(const std::vector<float>& rows) const;
  GramOf grams(Columns learnt) const;
  // Difference to the float output on the columns kept apart, up to a number that is the same for
  // all integers.
  Result<double> error_apart(const std::vector<float>& rows, const RowIntegers& integers) const;

 private:
  GroupMoments moments(int64_t group, Columns columns) const {
    return group_moments(grams_, cross_, real_, x_scale_, group, columns, means_);
  }

  WeightRows group_rows(const std::vector<float>& rows, size_t group) const;

  const WeightLayout& layout_;
  const GramSums& grams_;
  const CrossSums& cross_;
  const ColumnSums real_;
  const double x_scale_;
  const Means means_;
  const size_t threads_;
};

}  // namespace octet::accuracy
