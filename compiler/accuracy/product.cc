#include "compiler/accuracy/product.h"

#include <algorithm>
#include <array>
#include <cstring>

#define OCTET_VECTORIZED __attribute__((target_clones("avx2", "default")))

namespace octet::accuracy {
namespace {

constexpr size_t kTileRows = 4;
constexpr size_t kLanes = 4;
constexpr size_t kTileColumns = 2 * kLanes;
using Lanes = double __attribute__((vector_size(kLanes * sizeof(double))));
// kDepth x kTileColumns doubles of b, packed, stay in the first-level cache.
constexpr size_t kDepth = 192;

using Tile = std::array<double, kDepth * kTileColumns>;

// Four rows of c at once. `packed` holds `depth` rows of kTileColumns. Vectors rather than arrays:
// the sums must stay in registers.
OCTET_VECTORIZED void add_tile(const double* a, size_t a_stride, const double* packed, size_t depth,
                               double* c, size_t c_stride) {
  Lanes sum[kTileRows][2];
  for (size_t i = 0; i < kTileRows; ++i) {
    std::memcpy(&sum[i][0], c + i * c_stride, sizeof(Lanes));
    std::memcpy(&sum[i][1], c + i * c_stride + kLanes, sizeof(Lanes));
  }
  for (size_t l = 0; l < depth; ++l) {
    Lanes left;
    Lanes right;
    std::memcpy(&left, packed + l * kTileColumns, sizeof(Lanes));
    std::memcpy(&right, packed + l * kTileColumns + kLanes, sizeof(Lanes));
    for (size_t i = 0; i < kTileRows; ++i) {
      const double factor = a[i * a_stride + l];
      sum[i][0] += factor * left;
      sum[i][1] += factor * right;
    }
  }
  for (size_t i = 0; i < kTileRows; ++i) {
    std::memcpy(c + i * c_stride, &sum[i][0], sizeof(Lanes));
    std::memcpy(c + i * c_stride + kLanes, &sum[i][1], sizeof(Lanes));
  }
}

// Fewer rows or columns: by way of a full tile, whose other elements are dropped.
void add_edge(const double* a, size_t a_stride, const double* packed, size_t depth, double* c,
              size_t c_stride, size_t rows, size_t columns) {
  double whole[kTileRows * kTileColumns] = {};
  double factors[kTileRows * kDepth];
  for (size_t i = 0; i < kTileRows; ++i) {
    const double* from = a + std::min(i, rows - 1) * a_stride;
    std::memcpy(factors + i * kDepth, from, depth * sizeof(double));
  }
  for (size_t i = 0; i < rows; ++i) {
    std::memcpy(whole + i * kTileColumns, c + i * c_stride, columns * sizeof(double));
  }
  add_tile(factors, kDepth, packed, depth, whole, kTileColumns);
  for (size_t i = 0; i < rows; ++i) {
    std::memcpy(c + i * c_stride, whole + i * kTileColumns, columns * sizeof(double));
  }
}

void pack(const double* b, size_t stride, size_t depth, size_t columns, Tile& packed) {
  for (size_t l = 0; l < depth; ++l) {
    double* row = packed.data() + l * kTileColumns;
    std::memcpy(row, b + l * stride, columns * sizeof(double));
    std::fill(row + columns, row + kTileColumns, 0.0);
  }
}

}  // namespace

void add_product(Matrix a, Matrix b, double* c, size_t c_stride, size_t m, size_t n, size_t k) {
  Tile packed;
  for (size_t l = 0; l < k; l += kDepth) {
    const size_t depth = std::min(kDepth, k - l);
    for (size_t j = 0; j < n; j += kTileColumns) {
      const size_t columns = std::min(kTileColumns, n - j);
      pack(b.values + l * b.stride + j, b.stride, depth, columns, packed);
      for (size_t i = 0; i < m; i += kTileRows) {
        const size_t rows = std::min(kTileRows, m - i);
        const double* from = a.values + i * a.stride + l;
        double* to = c + i * c_stride + j;
        if (rows == kTileRows && columns == kTileColumns) {
          add_tile(from, a.stride, packed.data(), depth, to, c_stride);
        } else {
          add_edge(from, a.stride, packed.data(), depth, to, c_stride, rows, columns);
        }
      }
    }
  }
}

OCTET_VECTORIZED void add_scaled(double* __restrict y, const double* __restrict x, double factor,
                                 size_t n) {
  for (size_t i = 0; i < n; ++i) y[i] += factor * x[i];
}

}  // namespace octet::accuracy
