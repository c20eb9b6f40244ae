#include "compiler/accuracy/layer_error.h"

#include <algorithm>

#include "compiler/accuracy/product.h"
#include "compiler/base/thread_pool.h"

namespace octet::accuracy {

Result<double> apart_error(const WeightLayout& layout, const GramSums& grams,
                           const std::vector<float>& rows, const RowIntegers& integers,
                           size_t threads) {
  constexpr size_t kPanel = 64;  // rows at a time
  const auto columns = static_cast<size_t>(layout.columns);
  const auto per_group = static_cast<size_t>(layout.rows);
  const size_t panels = (per_group + kPanel - 1) / kPanel;
  std::vector<double> errors(panels * static_cast<size_t>(layout.groups), 0.0);
  OCTET_TRY(parallel_for(threads, errors.size(), [&](size_t, size_t index) -> Status {
    const size_t group = index / panels;
    const size_t first = group * per_group + index % panels * kPanel;
    const size_t count = std::min(kPanel, (group + 1) * per_group - first);
    std::vector<double> change(count * columns);
    for (size_t i = 0; i < change.size(); ++i) {
      const size_t at = first * columns + i;
      change[i] =
          integers.value(at / columns, at % columns, columns) - static_cast<double>(rows[at]);
    }
    std::vector<double> moved(change.size(), 0.0);
    const Gram gram = grams.apart_gram(static_cast<int64_t>(group));
    add_product({change.data(), columns}, {gram.values.data(), columns}, moved.data(), columns,
                count, columns, columns);
    for (size_t i = 0; i < change.size(); ++i) errors[index] += change[i] * moved[i];
    return {};
  }));
  double out = 0.0;
  for (const double error : errors) out += error;
  return out;
}

std::vector<double> mean_shift(const WeightLayout& layout, const std::vector<float>& rows,
                               const RowIntegers& integers, std::span<const double> real,
                               std::span<const double> quantized, double x_scale, int64_t count) {
  const auto columns = static_cast<size_t>(layout.columns);
  std::vector<double> out(static_cast<size_t>(layout.channels()), 0.0);
  for (size_t r = 0; r < out.size(); ++r) {
    const size_t group = r / static_cast<size_t>(layout.rows);
    double before = 0.0;
    double after = 0.0;
    for (size_t k = 0; k < columns; ++k) {
      before += static_cast<double>(rows[r * columns + k]) * real[group * columns + k];
      const double q = quantized[group * columns + k];
      after += integers.block_of.empty() ? integers.integers[r * columns + k] * q
                                         : integers.value(r, k, columns) * q;
    }
    after *= x_scale;
    if (integers.block_of.empty()) after *= static_cast<double>(integers.scales[r]);
    out[r] = (before - after) / static_cast<double>(count);
  }
  return out;
}

}  // namespace octet::accuracy
