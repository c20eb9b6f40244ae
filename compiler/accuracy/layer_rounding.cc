#include "compiler/accuracy/layer_rounding.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "compiler/accuracy/block_rounding.h"
#include "compiler/base/thread_pool.h"
#include "compiler/plan/parameters.h"

namespace octet::accuracy {
namespace {

// Which of the scales each element has, rows over columns.
std::vector<size_t> scale_of_row_element(const WeightLayout& layout, const ir::QuantParams& params,
                                         std::span<const int64_t> shape) {
  const std::vector<size_t> own =
      plan::scale_of_element(params.spec(), {shape.begin(), shape.end()});
  if (layout.order == WeightLayout::Order::kRows) return own;
  std::vector<size_t> out(own.size());
  const auto k = static_cast<size_t>(layout.columns);
  const auto n = static_cast<size_t>(layout.channels());
  for (size_t r = 0; r < n; ++r) {
    for (size_t c = 0; c < k; ++c) out[r * k + c] = own[c * n + r];
  }
  return out;
}

// The blocks along a row, the same for every row: numbered as they come.
void find_blocks(const WeightLayout& layout, const ir::QuantParams& params,
                 std::span<const int64_t> shape, RowIntegers& out) {
  const std::vector<size_t> scale_of = scale_of_row_element(layout, params, shape);
  std::map<size_t, size_t> known;
  for (size_t c = 0; c < static_cast<size_t>(layout.columns); ++c) {
    out.block_of.push_back(known.emplace(scale_of[c], known.size()).first->second);
  }
  out.blocks = known.size();
}

class LayerRounder {
 public:
  LayerRounder(const LayerRounding& layer, std::span<const float> rows, const GramOf& gram_of)
      : layer_(layer),
        rows_(rows),
        gram_of_(gram_of),
        range_{layer.params.qmin(), layer.params.qmax()},
        per_group_(static_cast<size_t>(layer.layout.rows)),
        columns_(static_cast<size_t>(layer.layout.columns)) {}

  Result<RowIntegers> run() {
    out_.integers.resize(rows_.size());
    if (layer_.params.granularity() == ir::Granularity::kBlocked) {
      find_blocks(layer_.layout, layer_.params, layer_.shape, out_);
    }
    out_.scales.resize(static_cast<size_t>(layer_.layout.channels()) * out_.blocks);
    if (layer_.params.per_tensor()) {
      OCTET_TRY(one_scale());
    } else {
      OCTET_TRY(
          for_groups([&](size_t group, const Gram& gram) { return own_scales(group, gram); }));
    }
    return std::move(out_);
  }

 private:
  SecondOrderOptions options() const {
    SecondOrderOptions out = layer_.options;
    if (layer_.layout.groups > 1) out.threads = 1;
    return out;
  }

  Status for_groups(const std::function<Status(size_t, const Gram&)>& work) const {
    const auto groups = static_cast<size_t>(layer_.layout.groups);
    const size_t workers = groups == 1 ? 1 : layer_.options.threads;
    return parallel_for(workers, groups, [&](size_t, size_t group) -> Status {
      std::vector<double> room;
      return work(group, gram_of_(static_cast<int64_t>(group), room));
    });
  }

  WeightRows part(size_t group) const {
    const size_t count = per_group_ * columns_;
    return {rows_.subspan(group * count, count), per_group_, columns_};
  }

  void put(size_t group, const std::vector<int32_t>& integers, const std::vector<float>& scales) {
    std::copy(integers.begin(), integers.end(),
              out_.integers.begin() + static_cast<ptrdiff_t>(group * per_group_ * columns_));
    std::copy(scales.begin(), scales.end(),
              out_.scales.begin() + static_cast<ptrdiff_t>(group * per_group_ * out_.blocks));
  }

  Status own_scales(size_t group, const Gram& gram) {
    if (!out_.block_of.empty()) {
      OCTET_ASSIGN(const BlockedRows rounded, quantize_blocks(gram, part(group), out_.block_of,
                                                              out_.blocks, range_, options()));
      put(group, rounded.integers, rounded.scales);
      return {};
    }
    const auto floor = layer_.least_scales.empty()
                           ? std::span<const float>()
                           : layer_.least_scales.subspan(group * per_group_, per_group_);
    OCTET_ASSIGN(const RoundedRows rounded,
                 quantize_rows(gram, part(group), range_, floor, options()));
    put(group, rounded.integers, rounded.scales);
    return {};
  }

  // The same scale for all; E summed over all rows of all groups.
  Result<double> round_with(float scale, RowIntegers& out) {
    std::vector<double> errors(static_cast<size_t>(layer_.layout.groups), 0.0);
    OCTET_TRY(for_groups([&](size_t group, const Gram& gram) -> Status {
      const std::vector<float> scales(per_group_, scale);
      const bool few = columns_ <= kMostSearchedColumns;
      OCTET_ASSIGN(const RoundedRows rounded,
                   few ? search_rows(gram, part(group), scales, range_, options())
                       : round_rows(gram, part(group), scales, range_, options()));
      std::copy(rounded.integers.begin(), rounded.integers.end(),
                out.integers.begin() + static_cast<ptrdiff_t>(group * per_group_ * columns_));
      for (const double error : rounded.errors) errors[group] += error;
      return {};
    }));
    out.scales.assign(out.scales.size(), scale);
    double sum = 0.0;
    for (const double error : errors) sum += error;
    return sum;
  }

  Status one_scale() {
    const bool shifts = layer_.options.scale_form == numerics::ScaleForm::kPowerOfTwo;
    const std::vector<float> ratios =
        shifts ? std::vector<float>{1.0F, 0.5F, 0.25F}
               : std::vector<float>{1.0F, 0.94F, 0.88F, 0.82F, 0.76F, 0.7F, 0.6F, 0.5F};
    const auto floor = std::max_element(layer_.least_scales.begin(), layer_.least_scales.end());
    const float least = floor == layer_.least_scales.end() ? 0.0F : *floor;
    const float given = layer_.params.scales().front();
    double best = HUGE_VAL;
    for (const float ratio : ratios) {
      const float scale = given * ratio;
      if (!std::isnormal(scale) || (ratio < 1.0F && scale < least)) continue;
      RowIntegers tried = out_;
      OCTET_ASSIGN(const double error, round_with(scale, tried));
      if (ratio < 1.0F && !(error < best)) continue;
      best = error;
      out_ = std::move(tried);
    }
    return {};
  }

  const LayerRounding& layer_;
  const std::span<const float> rows_;
  const GramOf& gram_of_;
  const numerics::IntegerRange range_;
  const size_t per_group_;
  const size_t columns_;
  RowIntegers out_;
};

}  // namespace

Result<RowIntegers> round_weights(const LayerRounding& layer, std::span<const float> rows,
                                  const GramOf& gram_of) {
  return LayerRounder(layer, rows, gram_of).run();
}

RowIntegers as_rows(const WeightLayout& layout, const ir::QuantParams& params,
                    std::span<const int64_t> shape, std::span<const float> integers) {
  RowIntegers out;
  for (const float q : weight_rows(layout, integers)) {
    out.integers.push_back(static_cast<int32_t>(q));
  }
  const auto channels = static_cast<size_t>(layout.channels());
  if (params.granularity() != ir::Granularity::kBlocked) {
    out.scales = params.scales();
    out.scales.resize(channels, params.scales().front());
    return out;
  }
  find_blocks(layout, params, shape, out);
  out.scales.resize(channels * out.blocks);
  const std::vector<size_t> scale_of = scale_of_row_element(layout, params, shape);
  const auto columns = static_cast<size_t>(layout.columns);
  for (size_t i = 0; i < scale_of.size(); ++i) {
    out.scales[i / columns * out.blocks + out.block_of[i % columns]] = params.scales()[scale_of[i]];
  }
  return out;
}

std::vector<float> scales_of(const WeightLayout& layout, const ir::QuantParams& params,
                             std::span<const int64_t> shape, const RowIntegers& rows) {
  if (params.per_tensor()) return {rows.scales.front()};
  if (params.granularity() == ir::Granularity::kPerAxis) return rows.scales;
  std::vector<float> out = params.scales();
  const std::vector<size_t> scale_of = scale_of_row_element(layout, params, shape);
  const auto columns = static_cast<size_t>(layout.columns);
  for (size_t i = 0; i < scale_of.size(); ++i) {
    out[scale_of[i]] = rows.scale(i / columns, i % columns);
  }
  return out;
}

}  // namespace octet::accuracy
