// The Cholesky factor of a symmetric positive definite matrix.
#pragma once

#include <cstddef>
#include <span>

namespace octet::accuracy {

enum class Definiteness { kPositive, kNot };

// Replaces the lower triangle of `matrix` (n x n, row-major) by L with L L^T = matrix. The upper
// triangle is neither read nor written. Where a pivot is not positive it returns kNot and leaves
// the matrix half done. The same bits for any number of threads.
Definiteness factor_cholesky(std::span<double> matrix, size_t n, size_t threads);

}  // namespace octet::accuracy
