#include "compiler/ops/fft.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

namespace octet::ops {
namespace {

// Lengths beyond this have no memory on any machine, and their squares stay within 64 bits.
constexpr int64_t kMaxLength = int64_t{1} << 30;

bool is_power_of_two(int64_t n) { return n > 0 && (n & (n - 1)) == 0; }

// Cooley and Tukey's, in place; the length is a power of two.
void radix2(std::span<Complex> x, double sign) {
  const size_t n = x.size();
  for (size_t i = 1, j = 0; i < n; ++i) {
    size_t bit = n >> 1;
    for (; (j & bit) != 0; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) std::swap(x[i], x[j]);
  }
  for (size_t half = 1; half < n; half *= 2) {
    const double angle = sign * std::numbers::pi / static_cast<double>(half);
    for (size_t k = 0; k < half; ++k) {
      const Complex turn = std::polar(1.0, angle * static_cast<double>(k));
      for (size_t at = k; at < n; at += 2 * half) {
        const Complex odd = x[at + half] * turn;
        x[at + half] = x[at] - odd;
        x[at] += odd;
      }
    }
  }
}

}  // namespace

Result<Fourier> Fourier::make(const EvaluateContext& context, int64_t length, FourierSign sign) {
  if (length < 1 || length > kMaxLength) {
    return resource_limit("a Fourier transform of length ", length);
  }
  const bool direct = is_power_of_two(length);
  int64_t padded = 1;
  while (padded < (direct ? length : 2 * length - 1)) padded *= 2;
  OCTET_ASSIGN(auto chirp, Scratch<Complex>::make(context, direct ? 0 : length));
  OCTET_ASSIGN(auto filter, Scratch<Complex>::make(context, direct ? 0 : padded));
  OCTET_ASSIGN(auto work, Scratch<Complex>::make(context, direct ? 0 : padded));
  if (!direct) {
    const double angle = static_cast<int>(sign) * std::numbers::pi / static_cast<double>(length);
    for (int64_t n = 0; n < length; ++n) {
      // n^2 modulo 2 N keeps the angle exact.
      const auto i = static_cast<size_t>(n);
      chirp[i] = std::polar(1.0, angle * static_cast<double>(n * n % (2 * length)));
      filter[i] = std::conj(chirp[i]);
      if (n > 0) filter[static_cast<size_t>(padded - n)] = filter[i];
    }
    radix2(filter.span(), -1);
  }
  return Fourier(length, padded, sign, std::move(chirp), std::move(filter), std::move(work));
}

void Fourier::transform(std::span<Complex> x) {
  if (padded_ == length_) {
    radix2(x, static_cast<int>(sign_));
    return;
  }
  const std::span<Complex> work = work_.span();
  std::fill(work.begin(), work.end(), Complex());
  for (size_t n = 0; n < x.size(); ++n) work[n] = x[n] * chirp_[n];
  radix2(work, -1);
  for (size_t n = 0; n < work.size(); ++n) work[n] *= filter_[n];
  radix2(work, 1);
  const double scale = 1.0 / static_cast<double>(padded_);
  for (size_t n = 0; n < x.size(); ++n) x[n] = work[n] * chirp_[n] * scale;
}

}  // namespace octet::ops
