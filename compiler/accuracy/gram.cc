#include "compiler/accuracy/gram.h"

#include <algorithm>

#include "compiler/accuracy/product.h"
#include "compiler/base/checked.h"
#include "compiler/base/thread_pool.h"

namespace octet::accuracy {

using ir::Tensor;

namespace {

// The columns to read of one sample.
struct Sampled {
  ColumnReader reader;
  std::vector<int64_t> places;
  size_t count = 0;  // positions
};

Result<Sampled> sample_columns(ColumnReader reader, size_t sample) {
  const auto positions =
      sampled_positions(reader.positions(), positions_per_sample(reader.layout()), sample);
  Sampled out{std::move(reader), {}, positions.size()};
  out.places = out.reader.places(positions);
  return out;
}

// Adds x x^T to the upper triangle and x to the sum.
void add_outer(const double* x, size_t k, double* gram, double* sum) {
  for (size_t a = 0; a < k; ++a) {
    const double factor = x[a];
    double* row = gram + a * k;
    sum[a] += factor;
    for (size_t b = a; b < k; ++b) row[b] += factor * x[b];
  }
}

class Gatherer {
 public:
  Gatherer(const LayerInputs& inputs, const WeightLayout& layout, size_t threads)
      : inputs_(inputs),
        layout_(layout),
        threads_(threads),
        k_(static_cast<size_t>(layout.columns)) {}

  Result<GramSums> run(const ir::Node& node, std::span<const int64_t> weight_shape) {
    out_.layout = layout_;
    const auto groups = static_cast<size_t>(layout_.groups);
    out_.fit.assign(groups * k_ * k_, 0.0);
    out_.apart.assign(groups * k_ * k_, 0.0);
    out_.sums.fit.assign(groups * k_, 0.0);
    out_.sums.apart.assign(groups * k_, 0.0);
    constexpr size_t kShort = 64;
    OCTET_TRY(k_ <= kShort ? gather_short(node, weight_shape) : gather_long(node, weight_shape));
    for (size_t group = 0; group < groups; ++group) {
      mirror(out_.fit.data() + group * k_ * k_);
      mirror(out_.apart.data() + group * k_ * k_);
    }
    return std::move(out_);
  }

 private:
  Result<Sampled> sampled(const ir::Node& node, std::span<const int64_t> weight_shape,
                          const Tensor& x, size_t sample) const {
    OCTET_ASSIGN(ColumnReader reader, ColumnReader::make(node, layout_, x.shape(), weight_shape));
    return sample_columns(std::move(reader), sample);
  }

  std::vector<float> read(const Sampled& from, const Tensor& x, size_t group) const {
    std::vector<float> out(from.count * k_);
    from.reader.read(x, inputs_.zero_point, static_cast<int64_t>(group), from.places, out);
    return out;
  }

  void count(size_t sample, size_t positions) {
    for (size_t p = 0; p < positions; ++p) {
      ++(part_of(sample, p) == Part::kFit ? out_.sums.fit_count : out_.sums.apart_count);
    }
  }

  // Sample by sample; threads share the groups.
  Status gather_short(const ir::Node& node, std::span<const int64_t> weight_shape) {
    const auto groups = static_cast<size_t>(layout_.groups);
    const size_t parts = std::min(threads_, groups);
    for (size_t i = 0; i < inputs_.count; ++i) {
      OCTET_ASSIGN(const Tensor x, inputs_.tensor(i));
      OCTET_ASSIGN(const Sampled from, sampled(node, weight_shape, x, i));
      count(i, from.count);
      OCTET_TRY(parallel_for(threads_, parts, [&](size_t, size_t part) -> Status {
        for (size_t group = groups * part / parts; group < groups * (part + 1) / parts; ++group) {
          add_short(i, group, read(from, x, group));
        }
        return {};
      }));
    }
    return {};
  }

  void add_short(size_t sample, size_t group, const std::vector<float>& columns) {
    std::vector<double> column(k_);
    for (size_t p = 0; p * k_ < columns.size(); ++p) {
      std::copy_n(columns.begin() + static_cast<ptrdiff_t>(p * k_), k_, column.begin());
      const bool fit = part_of(sample, p) == Part::kFit;
      double* gram = (fit ? out_.fit : out_.apart).data() + group * k_ * k_;
      double* sum = (fit ? out_.sums.fit : out_.sums.apart).data() + group * k_;
      add_outer(column.data(), k_, gram, sum);
    }
  }

  // A few samples at a time, their columns stacked; threads share the rows of the Gram.
  Status gather_long(const ir::Node& node, std::span<const int64_t> weight_shape) {
    constexpr size_t kStacked = 512;  // positions, about
    size_t samples = 8;
    for (size_t first = 0; first < inputs_.count;) {
      samples = std::min(samples, inputs_.count - first);
      std::vector<std::vector<std::vector<float>>> columns(samples);  // by sample and group
      OCTET_TRY(parallel_for(threads_, samples, [&](size_t, size_t i) -> Status {
        OCTET_ASSIGN(const Tensor x, inputs_.tensor(first + i));
        OCTET_ASSIGN(const Sampled from, sampled(node, weight_shape, x, first + i));
        for (size_t group = 0; group < static_cast<size_t>(layout_.groups); ++group) {
          columns[i].push_back(read(from, x, group));
        }
        return {};
      }));
      size_t positions = 0;
      for (size_t i = 0; i < samples; ++i) {
        count(first + i, columns[i].front().size() / k_);
        positions += columns[i].front().size() / k_;
      }
      for (size_t group = 0; group < static_cast<size_t>(layout_.groups); ++group) {
        OCTET_TRY(add_stack(first, group, columns));
      }
      first += samples;
      samples = std::max<size_t>(1, kStacked * samples / std::max<size_t>(1, positions));
    }
    return {};
  }

  Status add_stack(size_t first, size_t group,
                   const std::vector<std::vector<std::vector<float>>>& columns) {
    std::vector<double> fit;
    std::vector<double> apart;
    for (size_t i = 0; i < columns.size(); ++i) {
      const float* column = columns[i][group].data();
      for (size_t p = 0; p * k_ < columns[i][group].size(); ++p, column += k_) {
        std::vector<double>& to = part_of(first + i, p) == Part::kFit ? fit : apart;
        to.insert(to.end(), column, column + k_);
      }
    }
    add_sums(fit, out_.sums.fit.data() + group * k_);
    add_sums(apart, out_.sums.apart.data() + group * k_);
    constexpr size_t kPanel = 64;  // rows of the Gram
    const size_t panels = (k_ + kPanel - 1) / kPanel;
    return parallel_for(threads_, panels, [&](size_t, size_t panel) -> Status {
      const size_t from = panel * kPanel;
      const size_t to = std::min(k_, from + kPanel);
      add_panel(fit, out_.fit.data() + group * k_ * k_, from, to);
      add_panel(apart, out_.apart.data() + group * k_ * k_, from, to);
      return {};
    });
  }

  void add_sums(const std::vector<double>& columns, double* sums) const {
    for (size_t i = 0; i < columns.size(); i += k_) {
      for (size_t a = 0; a < k_; ++a) sums[a] += columns[i + a];
    }
  }

  // Rows [from, to) of the upper triangle.
  void add_panel(const std::vector<double>& columns, double* gram, size_t from, size_t to) const {
    const size_t count = columns.size() / k_;
    std::vector<double> turned((to - from) * count);
    for (size_t i = 0; i < count; ++i) {
      for (size_t a = from; a < to; ++a) turned[(a - from) * count + i] = columns[i * k_ + a];
    }
    add_product({turned.data(), count}, {columns.data() + from, k_}, gram + from * k_ + from, k_,
                to - from, k_ - from, count);
  }

  void mirror(double* gram) const {
    for (size_t a = 0; a < k_; ++a) {
      for (size_t b = 0; b < a; ++b) gram[a * k_ + b] = gram[b * k_ + a];
    }
  }

  const LayerInputs& inputs_;
  const WeightLayout& layout_;
  const size_t threads_;
  const size_t k_;
  GramSums out_;
};

}  // namespace

Part part_of(size_t sample, size_t position) {
  constexpr size_t kFirst = 4;
  return (sample < kFirst ? position : sample) % 4 == 3 ? Part::kApart : Part::kFit;
}

Result<ColumnSums> column_sums(const ColumnReader& reader, const Tensor& x, size_t sample) {
  OCTET_ASSIGN(const Sampled sampled, sample_columns(reader, sample));
  const auto k = static_cast<size_t>(reader.layout().columns);
  const auto groups = static_cast<size_t>(reader.layout().groups);
  ColumnSums out;
  for (size_t p = 0; p < sampled.count; ++p) {
    const bool fit = part_of(sample, p) == Part::kFit;
    ++(fit ? out.fit_count : out.apart_count);
    (fit ? out.fit : out.apart).resize(groups * k, 0.0);
  }
  std::vector<float> columns(sampled.count * k);
  for (size_t group = 0; group < groups; ++group) {
    reader.read(x, 0, static_cast<int64_t>(group), sampled.places, columns);
    for (size_t p = 0; p < sampled.count; ++p) {
      const bool fit = part_of(sample, p) == Part::kFit;
      double* to = (fit ? out.fit : out.apart).data() + group * k;
      for (size_t a = 0; a < k; ++a) to[a] += static_cast<double>(columns[p * k + a]);
    }
  }
  return out;
}

void add(const ColumnSums& from, ColumnSums& to) {
  to.fit.resize(std::max(to.fit.size(), from.fit.size()), 0.0);
  to.apart.resize(std::max(to.apart.size(), from.apart.size()), 0.0);
  for (size_t i = 0; i < from.fit.size(); ++i) to.fit[i] += from.fit[i];
  for (size_t i = 0; i < from.apart.size(); ++i) to.apart[i] += from.apart[i];
  to.fit_count += from.fit_count;
  to.apart_count += from.apart_count;
}

LayerInputs layer_inputs(std::span<const Tensor> tensors, int32_t zero_point) {
  return {tensors.size(), [tensors](size_t i) -> Result<Tensor> { return tensors[i]; }, zero_point};
}

Result<GramSums> gather_grams(const ir::Node& node, const WeightLayout& layout,
                              std::span<const int64_t> weight_shape, const LayerInputs& inputs,
                              size_t threads, int64_t max_memory) {
  const auto squared = checked_mul(layout.columns, layout.columns);
  const auto count = squared ? checked_mul(*squared, layout.groups) : std::nullopt;
  const auto bytes = count ? checked_mul(*count, 16) : std::nullopt;
  if (!bytes || *bytes > max_memory) {
    return resource_limit("the second-order statistics of ", layout.columns, " columns in ",
                          layout.groups, " groups take more memory than allowed");
  }
  return Gatherer(inputs, layout, threads).run(node, weight_shape);
}

std::vector<double> GramSums::all_columns(int64_t group) const {
  const auto squared = static_cast<size_t>(layout.columns * layout.columns);
  const size_t first = static_cast<size_t>(group) * squared;
  std::vector<double> out(fit.begin() + static_cast<ptrdiff_t>(first),
                          fit.begin() + static_cast<ptrdiff_t>(first + squared));
  for (size_t i = 0; i < squared; ++i) out[i] += apart[first + i];
  return out;
}

}  // namespace octet::accuracy
