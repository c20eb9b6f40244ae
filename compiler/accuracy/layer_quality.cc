#include "compiler/accuracy/layer_quality.h"

#include <algorithm>

#include "compiler/accuracy/layer_error.h"
#include "compiler/accuracy/tensor_error.h"

namespace octet::accuracy {

Result<double> apart_power(const LayerFacts& facts, size_t threads) {
  const auto channels = static_cast<size_t>(facts.layout.channels());
  const auto columns = static_cast<size_t>(facts.layout.columns);
  const RowIntegers nothing{std::vector<int32_t>(facts.rows.size(), 0),
                            std::vector<float>(channels)};
  OCTET_ASSIGN(double out, apart_error(facts.layout, facts.grams, facts.rows, nothing, threads));
  const ColumnSums& sums = facts.grams.sums;
  if (facts.bias.size() != channels || sums.apart_count == 0) return out;
  for (size_t r = 0; r < channels; ++r) {
    const size_t group = r / static_cast<size_t>(facts.layout.rows);
    double product = 0.0;
    for (size_t k = 0; k < columns; ++k) {
      product += static_cast<double>(facts.rows[r * columns + k]) * sums.apart[group * columns + k];
    }
    const double bias = static_cast<double>(facts.bias[r]) / facts.x_scale;
    out += bias * (2.0 * product + bias * static_cast<double>(sums.apart_count));
  }
  return std::max(out, 0.0);
}

double apart_data_noise(const LayerFacts& facts) {
  constexpr double kVariance = 1.0 / 12.0;
  const auto columns = static_cast<size_t>(facts.layout.columns);
  const auto per_group = static_cast<size_t>(facts.layout.rows);
  const auto count = static_cast<double>(facts.grams.sums.apart_count);
  double out = 0.0;
  for (size_t group = 0; group < static_cast<size_t>(facts.layout.groups); ++group) {
    const Gram gram = facts.grams.apart_gram(static_cast<int64_t>(group));
    for (size_t k = 0; k < columns; ++k) {
      const double rounded = std::min(count, gram.values[k * columns + k]);
      if (!(rounded > 0.0)) continue;
      double squares = 0.0;
      for (size_t r = group * per_group; r < (group + 1) * per_group; ++r) {
        const auto w = static_cast<double>(facts.rows[r * columns + k]);
        squares += w * w;
      }
      out += kVariance * rounded * squares;
    }
  }
  return out;
}

Result<std::optional<double>> layer_sqnr(const LayerFacts& facts, double error, size_t threads) {
  OCTET_ASSIGN(const double power, apart_power(facts, threads));
  const double data = facts.data == LayerFacts::Data::kIntegers ? apart_data_noise(facts) : 0.0;
  return decibels(power, error + data);
}

}  // namespace octet::accuracy
