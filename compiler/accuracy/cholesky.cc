#include "compiler/accuracy/cholesky.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "compiler/accuracy/product.h"
#include "compiler/base/thread_pool.h"

namespace octet::accuracy {
namespace {

constexpr size_t kBlock = 64;
// Below this starting threads costs more than they bring.
constexpr size_t kLeastForThreads = 512;

// The plain algorithm for a diagonal block.
Definiteness factor_block(double* block, size_t stride, size_t n) {
  for (size_t j = 0; j < n; ++j) {
    double pivot = block[j * stride + j];
    for (size_t k = 0; k < j; ++k) pivot -= block[j * stride + k] * block[j * stride + k];
    if (!(pivot > 0.0) || !std::isfinite(pivot)) return Definiteness::kNot;
    const double root = std::sqrt(pivot);
    block[j * stride + j] = root;
    for (size_t i = j + 1; i < n; ++i) {
      double sum = block[i * stride + j];
      for (size_t k = 0; k < j; ++k) sum -= block[i * stride + k] * block[j * stride + k];
      block[i * stride + j] = sum / root;
    }
  }
  return Definiteness::kPositive;
}

// row <- row * inverse of the transposed diagonal block, which `transposed` holds.
void solve_row(double* row, const double* transposed, size_t n) {
  for (size_t c = 0; c < n; ++c) {
    row[c] /= transposed[c * kBlock + c];
    add_scaled(row + c + 1, transposed + c * kBlock + c + 1, -row[c], n - c - 1);
  }
}

}  // namespace

Definiteness factor_cholesky(std::span<double> matrix, size_t n, size_t threads) {
  double* a = matrix.data();
  if (n < kLeastForThreads) threads = 1;
  std::vector<double> left(n * kBlock);             // minus the block row's left part, transposed
  std::vector<double> transposed(kBlock * kBlock);  // the diagonal block's factor
  for (size_t first = 0; first < n; first += kBlock) {
    const size_t width = std::min(kBlock, n - first);
    for (size_t j = 0; j < width; ++j) {
      for (size_t k = 0; k < first; ++k) left[k * kBlock + j] = -a[(first + j) * n + k];
    }
    const size_t chunks = (n - first + kBlock - 1) / kBlock;
    const auto rows_of = [&](size_t chunk) { return std::min(kBlock, n - first - chunk * kBlock); };
    // The work cannot fail; the statuses are those of the interface.
    (void)parallel_for(threads, chunks, [&](size_t, size_t chunk) -> Status {
      double* row = a + (first + chunk * kBlock) * n;
      if (chunk > 0) {
        add_product({row, n}, {left.data(), kBlock}, row + first, n, rows_of(chunk), width, first);
        return {};
      }
      // In the diagonal block the upper triangle must stay as it is.
      std::vector<double> square(kBlock * kBlock, 0.0);
      add_product({row, n}, {left.data(), kBlock}, square.data(), kBlock, width, width, first);
      for (size_t i = 0; i < width; ++i) {
        for (size_t j = 0; j <= i; ++j) row[i * n + first + j] += square[i * kBlock + j];
      }
      return {};
    });
    double* diagonal = a + first * n + first;
    if (factor_block(diagonal, n, width) == Definiteness::kNot) return Definiteness::kNot;
    for (size_t i = 0; i < width; ++i) {
      for (size_t j = 0; j <= i; ++j) transposed[j * kBlock + i] = diagonal[i * n + j];
    }
    (void)parallel_for(threads, chunks - 1, [&](size_t, size_t chunk) -> Status {
      double* row = a + (first + (chunk + 1) * kBlock) * n + first;
      for (size_t i = 0; i < rows_of(chunk + 1); ++i)
        solve_row(row + i * n, transposed.data(), width);
      return {};
    });
  }
  return Definiteness::kPositive;
}

}  // namespace octet::accuracy
