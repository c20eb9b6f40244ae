// Dense products over doubles. Every element of a result is one sum in rising order of k, without
// contraction, so results depend neither on how callers cut the work nor on the vector width.
#pragma once

#include <cstddef>

namespace octet::accuracy {

// Leading dimensions are the distances between rows; nothing overlaps.
struct Matrix {
  const double* values;
  size_t stride;
};

// c[i, j] += sum over l in [0, k) of a[i, l] * b[l, j], for i in [0, m), j in [0, n).
void add_product(Matrix a, Matrix b, double* c, size_t c_stride, size_t m, size_t n, size_t k);

// y[i] += factor * x[i], for i in [0, n).
void add_scaled(double* y, const double* x, double factor, size_t n);

}  // namespace octet::accuracy
