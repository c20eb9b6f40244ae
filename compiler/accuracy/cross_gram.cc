#include "compiler/accuracy/cross_gram.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "compiler/accuracy/cholesky.h"
#include "compiler/accuracy/product.h"
#include "compiler/base/checked.h"
#include "compiler/base/thread_pool.h"

namespace octet::accuracy {
namespace {

class CrossGatherer {
 public:
  CrossGatherer(const WeightLayout& layout, const LayerInputs& real, const LayerInputs& quantized,
                size_t threads)
      : layout_(layout),
        real_(real),
        quantized_(quantized),
        threads_(threads),
        k_(static_cast<size_t>(layout.columns)) {}

  // Sample by sample, so that the order of the sums does not depend on the threads.
  Result<CrossSums> run(const ir::Node& node, std::span<const int64_t> weight_shape) {
    if (real_.count != quantized_.count) {
      return internal_error(real_.count, " samples beside ", quantized_.count);
    }
    const auto groups = static_cast<size_t>(layout_.groups);
    out_.fit.assign(groups * k_ * k_, 0.0);
    out_.apart.assign(groups * k_ * k_, 0.0);
    const size_t inner = groups > 1 ? 1 : threads_;
    for (size_t i = 0; i < real_.count; ++i) {
      OCTET_ASSIGN(const ir::Tensor x, real_.tensor(i));
      OCTET_ASSIGN(const ir::Tensor y, quantized_.tensor(i));
      if (x.shape() != y.shape()) {
        return internal_error("float and quantized data differ in shape");
      }
      OCTET_ASSIGN(const ColumnReader reader,
                   ColumnReader::make(node, layout_, x.shape(), weight_shape));
      const auto positions =
          sampled_positions(reader.positions(), positions_per_sample(reader.layout()), i);
      const std::vector<int64_t> places = reader.places(positions);
      const auto columns = [&](const LayerInputs& inputs, const ir::Tensor& tensor, size_t group) {
        std::vector<float> out(positions.size() * k_);
        reader.read(tensor, inputs.zero_point, static_cast<int64_t>(group), places, out);
        return out;
      };
      OCTET_TRY(parallel_for(groups > 1 ? threads_ : 1, groups, [&](size_t, size_t group) {
        return add_group(i, group, columns(real_, x, group), columns(quantized_, y, group), inner);
      }));
    }
    return std::move(out_);
  }

 private:
  Status add_group(size_t sample, size_t group, const std::vector<float>& x,
                   const std::vector<float>& y, size_t threads) {
    std::vector<double> real[2];
    std::vector<double> quantized[2];
    for (size_t p = 0; p * k_ < x.size(); ++p) {
      const size_t part = part_of(sample, p) == Part::kFit ? 0 : 1;
      const auto from = static_cast<ptrdiff_t>(p * k_);
      const auto to = static_cast<ptrdiff_t>((p + 1) * k_);
      real[part].insert(real[part].end(), x.begin() + from, x.begin() + to);
      quantized[part].insert(quantized[part].end(), y.begin() + from, y.begin() + to);
    }
    OCTET_TRY(add_products(real[0], quantized[0], out_.fit.data() + group * k_ * k_, threads));
    return add_products(real[1], quantized[1], out_.apart.data() + group * k_ * k_, threads);
  }

  Status add_products(const std::vector<double>& x, const std::vector<double>& y, double* sums,
                      size_t threads) const {
    constexpr size_t kPanel = 64;  // rows of the sums
    const size_t count = x.size() / k_;
    if (count == 0) return {};
    const size_t panels = (k_ + kPanel - 1) / kPanel;
    return parallel_for(threads, panels, [&](size_t, size_t panel) -> Status {
      const size_t from = panel * kPanel;
      const size_t rows = std::min(kPanel, k_ - from);
      std::vector<double> turned(rows * count);
      for (size_t i = 0; i < count; ++i) {
        for (size_t a = 0; a < rows; ++a) turned[a * count + i] = x[i * k_ + from + a];
      }
      add_product({turned.data(), count}, {y.data(), k_}, sums + from * k_, k_, rows, k_, count);
      return {};
    });
  }

  const WeightLayout& layout_;
  const LayerInputs& real_;
  const LayerInputs& quantized_;
  const size_t threads_;
  const size_t k_;
  CrossSums out_;
};

// Of one group, over the columns asked for.
std::vector<double> part_sums(const std::vector<double>& fit, const std::vector<double>& apart,
                              size_t first, size_t count, Columns columns) {
  std::vector<double> out(count, 0.0);
  for (size_t i = 0; i < count; ++i) {
    if (columns != Columns::kApart && first + i < fit.size()) out[i] += fit[first + i];
    if (columns != Columns::kFit && first + i < apart.size()) out[i] += apart[first + i];
  }
  return out;
}

// Rows side by side, so that the solution runs over all of them at once.
constexpr size_t kSideBySide = 8;
// Rows of a panel of products.
constexpr size_t kPanelRows = 32;

// Rows times L^-T L^-1, for the lower factor L of an n x n matrix; element j of row i is
// rows[j * kSideBySide + i].
void solve(std::span<const double> lower, size_t n, double* rows) {
  for (size_t i = 0; i < n; ++i) {
    double* own = rows + i * kSideBySide;
    const double* factors = lower.data() + i * n;
    for (size_t j = 0; j < i; ++j) {
      for (size_t r = 0; r < kSideBySide; ++r) own[r] -= factors[j] * rows[j * kSideBySide + r];
    }
    for (size_t r = 0; r < kSideBySide; ++r) own[r] /= factors[i];
  }
  for (size_t i = n; i-- > 0;) {
    double* own = rows + i * kSideBySide;
    const double* factors = lower.data() + i * n;
    for (size_t r = 0; r < kSideBySide; ++r) own[r] /= factors[i];
    for (size_t j = 0; j < i; ++j) {
      for (size_t r = 0; r < kSideBySide; ++r) rows[j * kSideBySide + r] -= factors[j] * own[r];
    }
  }
}

// Work on [from, to), kPanelRows at a time.
Status for_panels(size_t rows, size_t threads, const std::function<void(size_t, size_t)>& work) {
  const size_t panels = (rows + kPanelRows - 1) / kPanelRows;
  return parallel_for(threads, panels, [&](size_t, size_t panel) -> Status {
    work(panel * kPanelRows, std::min(rows, (panel + 1) * kPanelRows));
    return {};
  });
}

// z H z^T - 2 w C z^T, summed over `count` rows of k.
double quadratic_error(const GroupMoments& moments, std::span<const double> w,
                       std::span<const double> z, size_t count, size_t k) {
  std::vector<double> through_gram(count * k, 0.0);
  std::vector<double> through_cross(count * k, 0.0);
  add_product({z.data(), k}, {moments.gram.data(), k}, through_gram.data(), k, count, k, k);
  add_product({w.data(), k}, {moments.cross.data(), k}, through_cross.data(), k, count, k, k);
  double out = 0.0;
  for (size_t c = 0; c < count * k; ++c) out += z[c] * (through_gram[c] - 2.0 * through_cross[c]);
  return out;
}

// Summed in the order of the panels, whatever the threads.
template <typename Fill>
Result<double> summed_error(const GroupMoments& moments, size_t rows, size_t k, size_t threads,
                            const Fill& fill) {
  std::vector<double> errors((rows + kPanelRows - 1) / kPanelRows, 0.0);
  OCTET_TRY(for_panels(rows, threads, [&](size_t from, size_t to) {
    std::vector<double> w((to - from) * k);
    std::vector<double> z((to - from) * k);
    for (size_t i = from; i < to; ++i)
      fill(i, w.data() + (i - from) * k, z.data() + (i - from) * k);
    errors[from / kPanelRows] = quadratic_error(moments, w, z, to - from, k);
  }));
  double out = 0.0;
  for (const double error : errors) out += error;
  return out;
}

}  // namespace

Result<CrossSums> gather_cross(const ir::Node& node, const WeightLayout& layout,
                               std::span<const int64_t> weight_shape, const LayerInputs& real,
                               const LayerInputs& quantized, size_t threads, int64_t max_memory) {
  const auto squared = checked_mul(layout.columns, layout.columns);
  const auto count = squared ? checked_mul(*squared, layout.groups) : std::nullopt;
  const auto bytes = count ? checked_mul(*count, 16) : std::nullopt;
  if (!bytes || *bytes > max_memory) {
    return resource_limit("the second-order statistics of ", layout.columns, " columns in ",
                          layout.groups, " groups take more memory than allowed");
  }
  return CrossGatherer(layout, real, quantized, threads).run(node, weight_shape);
}

GroupMoments group_moments(const GramSums& grams, const CrossSums& cross, const ColumnSums& real,
                           double x_scale, int64_t group, Columns columns, Means means) {
  const auto k = static_cast<size_t>(grams.layout.columns);
  const auto g = static_cast<size_t>(group);
  GroupMoments out;
  out.gram = part_sums(grams.fit, grams.apart, g * k * k, k * k, columns);
  out.cross = part_sums(cross.fit, cross.apart, g * k * k, k * k, columns);
  for (double& value : out.cross) value /= x_scale;
  const int64_t count = (columns != Columns::kApart ? grams.sums.fit_count : 0) +
                        (columns != Columns::kFit ? grams.sums.apart_count : 0);
  if (means == Means::kKept || count == 0) return out;
  const auto x = part_sums(real.fit, real.apart, g * k, k, columns);
  const auto y = part_sums(grams.sums.fit, grams.sums.apart, g * k, k, columns);
  const auto n = static_cast<double>(count);
  for (size_t a = 0; a < k; ++a) {
    for (size_t b = 0; b < k; ++b) {
      out.gram[a * k + b] -= y[a] * y[b] / n;
      out.cross[a * k + b] -= x[a] / x_scale * y[b] / n;
    }
    // What is left of a constant is the rounding of the sums.
    double& diagonal = out.gram[a * (k + 1)];
    if (!(diagonal > 1e-12 * y[a] * y[a] / n)) diagonal = 0.0;
    if (diagonal > 0.0) continue;
    for (size_t b = 0; b < k; ++b) {
      out.gram[a * k + b] = 0.0;
      out.gram[b * k + a] = 0.0;
      out.cross[b * k + a] = 0.0;
    }
  }
  return out;
}

Result<std::vector<float>> target_rows(const GroupMoments& moments, const WeightRows& rows,
                                       double damping, size_t threads) {
  const size_t k = rows.columns;
  std::vector<float> out(rows.values.begin(), rows.values.end());
  double mean = 0.0;
  for (size_t i = 0; i < k; ++i) mean += moments.gram[i * (k + 1)] / static_cast<double>(k);
  if (!(mean > 0.0) || !std::isfinite(mean)) return out;
  std::vector<double> lower = moments.gram;
  for (size_t i = 0; i < k; ++i) lower[i * (k + 1)] += damping * mean;
  if (factor_cholesky(lower, k, threads) == Definiteness::kNot) return out;
  std::vector<double> missing(k * k);  // C - H
  for (size_t i = 0; i < k * k; ++i) missing[i] = moments.cross[i] - moments.gram[i];
  OCTET_TRY(for_panels(rows.rows, threads, [&](size_t from, size_t to) {
    const std::vector<double> own(rows.values.begin() + static_cast<ptrdiff_t>(from * k),
                                  rows.values.begin() + static_cast<ptrdiff_t>(to * k));
    std::vector<double> change((to - from) * k, 0.0);
    add_product({own.data(), k}, {missing.data(), k}, change.data(), k, to - from, k, k);
    for (size_t first = from; first < to; first += kSideBySide) {
      const size_t count = std::min(kSideBySide, to - first);
      std::vector<double> beside(k * kSideBySide, 0.0);
      for (size_t r = 0; r < count; ++r) {
        for (size_t i = 0; i < k; ++i) {
          beside[i * kSideBySide + r] = change[(first - from + r) * k + i];
        }
      }
      solve(lower, k, beside.data());
      for (size_t r = 0; r < count; ++r) {
        std::vector<float> moved(k);
        for (size_t i = 0; i < k; ++i) {
          moved[i] =
              static_cast<float>(own[(first - from + r) * k + i] + beside[i * kSideBySide + r]);
        }
        const bool finite =
            std::all_of(moved.begin(), moved.end(), [](float w) { return std::isfinite(w); });
        if (!finite) continue;
        std::copy(moved.begin(), moved.end(),
                  out.begin() + static_cast<ptrdiff_t>((first + r) * k));
      }
    }
  }));
  return out;
}

Result<double> moment_error(const GroupMoments& moments, const WeightRows& rows,
                            std::span<const float> moved, size_t threads) {
  const size_t k = rows.columns;
  return summed_error(moments, rows.rows, k, threads, [&](size_t i, double* w, double* z) {
    std::copy_n(rows.values.begin() + static_cast<ptrdiff_t>(i * k), k, w);
    std::copy_n(moved.begin() + static_cast<ptrdiff_t>(i * k), k, z);
  });
}

Result<double> moment_error(const GroupMoments& moments, const WeightLayout& layout, int64_t group,
                            std::span<const float> rows, const RowIntegers& integers,
                            size_t threads) {
  const auto k = static_cast<size_t>(layout.columns);
  const auto per_group = static_cast<size_t>(layout.rows);
  const size_t first = static_cast<size_t>(group) * per_group;
  return summed_error(moments, per_group, k, threads, [&](size_t i, double* w, double* z) {
    for (size_t c = 0; c < k; ++c) {
      w[c] = static_cast<double>(rows[(first + i) * k + c]);
      z[c] = integers.value(first + i, c, k);
    }
  });
}

}  // namespace octet::accuracy
