#include "compiler/accuracy/bias_correction.h"

#include <cmath>

namespace octet::accuracy {

bool comparable(const ColumnSums& real, const ColumnSums& quantized) {
  return real.fit_count == quantized.fit_count && real.fit_count > 0 &&
         real.apart_count == quantized.apart_count && real.apart_count > 0;
}

std::optional<std::vector<float>> corrected_bias(const WeightLayout& layout,
                                                 const std::vector<float>& rows,
                                                 const RowIntegers& integers,
                                                 const ColumnSums& real,
                                                 const ColumnSums& quantized, double x_scale,
                                                 std::vector<float> bias, Correction when) {
  const auto fit =
      mean_shift(layout, rows, integers, real.fit, quantized.fit, x_scale, real.fit_count);
  const auto apart =
      mean_shift(layout, rows, integers, real.apart, quantized.apart, x_scale, real.apart_count);
  double before = 0.0;
  double after = 0.0;
  for (size_t c = 0; c < fit.size(); ++c) {
    before += apart[c] * apart[c];
    after += (apart[c] - fit[c]) * (apart[c] - fit[c]);
  }
  if (when == Correction::kWhereItHelps && !(after < before)) return std::nullopt;
  const double all = static_cast<double>(real.fit_count + real.apart_count);
  for (size_t c = 0; c < bias.size(); ++c) {
    const double mean = (fit[c] * static_cast<double>(real.fit_count) +
                         apart[c] * static_cast<double>(real.apart_count)) /
                        all;
    const double corrected = static_cast<double>(bias[c]) + mean;
    if (std::isfinite(static_cast<float>(corrected))) bias[c] = static_cast<float>(corrected);
  }
  return bias;
}

}  // namespace octet::accuracy
