// The best choice of floor and ceiling for one row of few columns.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "compiler/accuracy/ordered_rounding.h"
#include "compiler/accuracy/second_order.h"

namespace octet::accuracy {

struct FloorCeiling {
  std::vector<double> integers;
  double error = 0;  // E
};

// Of all choices of z_j in {floor, ceiling} of w_j / scale (clamped; to nearest where H_jj = 0),
// the one of least E: 2^columns of them, one column changing at a time. The row is finite and has
// at most kMostSearchedColumns columns.
FloorCeiling search_floor_ceiling(const Gram& gram, std::span<const double> row, double scale,
                                  const Bounds& bounds);

}  // namespace octet::accuracy
