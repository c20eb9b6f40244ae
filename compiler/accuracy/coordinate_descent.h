// Coordinate descent on E(z) = (z s - w) H (z s - w)^T: one integer at a time goes where E is least
// with the others fixed.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "compiler/accuracy/ordered_rounding.h"
#include "compiler/accuracy/second_order.h"

namespace octet::accuracy {

// Integers of a few rows with what belongs to them. All count x columns.
struct Descent {
  Descent(size_t rows, size_t columns)
      : count(rows), integers(rows * columns), changes(rows * columns), gradients(rows * columns) {}

  size_t count;
  std::vector<double> integers;   // z
  std::vector<double> changes;    // z s - w
  std::vector<double> gradients;  // (z s - w) H
};

// Fills changes and gradients from the integers.
void start_descent(const Gram& gram, std::span<const double> rows, const RowScales& scales,
                   Descent& descent);

// E of row r.
double descent_error(const Descent& descent, size_t columns, size_t r);

// Sweeps until nothing moves. Every accepted move lowers E.
void descend(const Gram& gram, const RowScales& scales, const Bounds& bounds, size_t sweeps,
             Descent& descent);

}  // namespace octet::accuracy
