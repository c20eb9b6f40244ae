#include "compiler/accuracy/round_layer.h"

#include <algorithm>

#include "compiler/base/thread_pool.h"
#include "compiler/plan/apply.h"

namespace octet::accuracy {

using ir::Tensor;

double damping_for(int64_t count, int64_t columns) {
  constexpr double kFew = 0.1;
  constexpr double kEnough = 0.01;
  return count < columns ? kFew : kEnough;
}

Result<RowIntegers> round_layer(const GramSums& grams, const std::vector<float>& rows,
                                const ir::QuantParams& params, const RoundLayerOptions& options) {
  const WeightLayout& layout = grams.layout;
  const numerics::IntegerRange range{params.qmin(), params.qmax()};
  const auto groups = static_cast<size_t>(layout.groups);
  const auto per_group = static_cast<size_t>(layout.rows);
  const auto columns = static_cast<size_t>(layout.columns);
  const bool all = options.columns == RoundLayerOptions::Columns::kAll;
  RowIntegers out;
  out.integers.resize(rows.size());
  out.scales.resize(groups * per_group);
  SecondOrderOptions second_order;
  second_order.threads = groups == 1 ? options.threads : 1;
  second_order.damping =
      damping_for(grams.sums.fit_count + (all ? grams.sums.apart_count : 0), layout.columns);
  OCTET_TRY(
      parallel_for(groups == 1 ? 1 : options.threads, groups, [&](size_t, size_t group) -> Status {
        const size_t first = group * per_group;
        const WeightRows part{std::span(rows).subspan(first * columns, per_group * columns),
                              per_group, columns};
        const auto at = static_cast<int64_t>(group);
        std::vector<double> both;
        if (all) both = grams.all_columns(at);
        const Gram gram = all ? Gram{both, columns} : grams.fit_gram(at);
        RoundedRows result;
        if (params.per_tensor()) {
          const std::vector<float> scales(per_group, params.scales().front());
          OCTET_ASSIGN(result, round_rows(gram, part, scales, range, second_order));
        } else {
          const auto floor = options.least_scales.empty()
                                 ? std::span<const float>()
                                 : options.least_scales.subspan(first, per_group);
          OCTET_ASSIGN(result, quantize_rows(gram, part, range, floor, second_order));
        }
        std::copy(result.integers.begin(), result.integers.end(),
                  out.integers.begin() + static_cast<ptrdiff_t>(first * columns));
        std::copy(result.scales.begin(), result.scales.end(),
                  out.scales.begin() + static_cast<ptrdiff_t>(first));
        return {};
      }));
  return out;
}

Result<RoundedWeight> to_weight(const WeightLayout& layout, std::span<const int64_t> shape,
                                const RowIntegers& rounded, const ir::QuantParams& params) {
  ir::QuantParams::Spec spec = params.spec();
  if (!params.per_tensor()) spec.scales = rounded.scales;
  OCTET_ASSIGN(ir::QuantParams chosen, ir::QuantParams::make(std::move(spec)));
  OCTET_ASSIGN(Tensor integers,
               Tensor::zeros(params.storage(), std::vector<int64_t>(shape.begin(), shape.end())));
  const std::vector<int32_t> ordered = from_weight_rows<int32_t>(layout, rounded.integers);
  for (size_t i = 0; i < ordered.size(); ++i) {
    integers.set_from_int64(static_cast<int64_t>(i), ordered[i]);
  }
  return RoundedWeight{std::move(integers), std::move(chosen)};
}

Result<RowIntegers> nearest_rows(const WeightLayout& layout, const Tensor& weight,
                                 const ir::QuantParams& params) {
  OCTET_ASSIGN(const Tensor integers, plan::quantize_constant(weight, params));
  const std::vector<float> as_floats = integers.to_floats();
  RowIntegers out;
  for (const float q : weight_rows(layout, as_floats)) {
    out.integers.push_back(static_cast<int32_t>(q));
  }
  out.scales = params.scales();
  out.scales.resize(static_cast<size_t>(layout.channels()), params.scales().front());
  return out;
}

}  // namespace octet::accuracy
