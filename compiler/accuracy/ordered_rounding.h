// Ordered rounding (GPTQ), by way of one Cholesky factor.
//
// With the columns in the order in which they are rounded, H + damping = V V^T for an upper
// triangular V, so E = sum over i of (V_ii d_i + sum over j < i of V_ji d_j)^2 for d = z s - w.
// Rounding column i to nearest about w_i - (sum over j < i of V_ji d_j) / V_ii makes the i-th term
// as small as it can be made once the columns before are fixed. That is GPTQ's update (its factor
// of H^-1 is V^-1), without the inverse, and is known as Babai's nearest plane.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "compiler/accuracy/second_order.h"

namespace octet::accuracy {

// The integers a rounded value is clamped to.
struct Bounds {
  double low = 0;
  double high = 0;
};

// Scales of a few rows over columns: one a row, or one for every element.
struct RowScales {
  std::span<const double> values;
  size_t row_step = 1;
  size_t column_step = 0;

  explicit RowScales(std::span<const double> one_a_row) : values(one_a_row) {}
  explicit RowScales(const std::vector<double>& one_a_row) : values(one_a_row) {}
  static RowScales each(std::span<const double> values, size_t columns) {
    RowScales out(values);
    out.row_step = columns;
    out.column_step = 1;
    return out;
  }
  double at(size_t row, size_t column) const {
    return values[row * row_step + column * column_step];
  }
};

class OrderedFactor {
 public:
  // Nothing if no damping up to 1000 times the one given makes the Gram positive definite, or it
  // has more than 8192 columns. The diagonal has a positive mean and no negative entry.
  static std::optional<OrderedFactor> make(const Gram& gram, double damping, size_t threads);

  size_t columns() const { return order_.size(); }

  // What is left of column j's variance when the columns rounded after it are free to make up for
  // its error: V_ii^2, in units of the Gram's mean diagonal.
  double left_variance(size_t column) const { return left_variance_[column]; }

 private:
  friend class OrderedPanel;

  std::vector<size_t> order_;          // the column rounded first, second, ...
  std::vector<double> left_variance_;  // of each column
  std::vector<double> factor_;         // V; below its diagonal lies nothing of meaning
};

// A few rows to be rounded, with one scale or another. Borrows the factor.
class OrderedPanel {
 public:
  // `rows`: count x columns, finite.
  OrderedPanel(const OrderedFactor& factor, std::span<const double> rows, size_t count);

  // Rounds row r with its scales.
  void round(const RowScales& scales, const Bounds& bounds);

  // Of the last call of round: the integers of row r, and its E with the damped Gram, in units of
  // the mean diagonal.
  void copy_integers(size_t r, std::span<double> integers) const;
  double error(size_t r) const { return errors_[r]; }

 private:
  void round_block(const RowScales& scales, const Bounds& bounds, size_t first, size_t width);

  const OrderedFactor& factor_;
  size_t count_;
  // count x columns, columns in rounding order.
  std::vector<double> weights_;
  std::vector<double> integers_;
  std::vector<double> changes_;
  std::vector<double> pushed_;  // count x block: what earlier columns push into a block
  std::vector<double> errors_;
};

}  // namespace octet::accuracy
