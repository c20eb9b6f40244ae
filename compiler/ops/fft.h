// Discrete Fourier transforms of any length in double.
#pragma once

#include <complex>
#include <cstdint>
#include <span>

#include "compiler/ops/scratch.h"

namespace octet::ops {

using Complex = std::complex<double>;

enum class FourierSign { kForward = -1, kInverse = 1 };

// X[k] = sum over n of x[n] exp(sign 2 pi i k n / N), not scaled. Lengths that are no power of two
// go through Bluestein's convolution (Bluestein 1970). Tables and buffers are made once.
class Fourier {
 public:
  static Result<Fourier> make(const EvaluateContext& context, int64_t length, FourierSign sign);

  // In place; `x` has the length given to make.
  void transform(std::span<Complex> x);

 private:
  Fourier(int64_t length, int64_t padded, FourierSign sign, Scratch<Complex> chirp,
          Scratch<Complex> filter, Scratch<Complex> work)
      : length_(length),
        padded_(padded),
        sign_(sign),
        chirp_(std::move(chirp)),
        filter_(std::move(filter)),
        work_(std::move(work)) {}

  int64_t length_;
  int64_t padded_;  // power of two; length_ itself when that is one
  FourierSign sign_;
  Scratch<Complex> chirp_;   // exp(sign pi i n^2 / N)
  Scratch<Complex> filter_;  // transform of the conjugate chirp, wrapped around
  Scratch<Complex> work_;
};

}  // namespace octet::ops
