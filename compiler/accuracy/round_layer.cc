#include "compiler/accuracy/round_layer.h"

#include <utility>

#include "compiler/plan/apply.h"

namespace octet::accuracy {

using ir::Tensor;

double damping_for(int64_t count, int64_t columns) {
  constexpr double kFew = 0.1;
  constexpr double kEnough = 0.01;
  return count < columns ? kFew : kEnough;
}

numerics::ScaleForm scale_form_of(const plan::BackendSpec& spec, const ir::Node& node) {
  const plan::OpRule* rule = spec.find_op(node);
  const plan::Space* space = rule == nullptr ? nullptr : spec.find_space(rule->weight_space);
  return space == nullptr ? numerics::ScaleForm() : space->scales;
}

GramOf grams_over(const GramSums& grams, Columns columns) {
  return [&grams, columns](int64_t group, std::vector<double>& room) {
    if (columns == Columns::kFit) return grams.fit_gram(group);
    if (columns == Columns::kApart) return grams.apart_gram(group);
    room = grams.all_columns(group);
    return Gram{room, static_cast<size_t>(grams.layout.columns)};
  };
}

Result<RowIntegers> round_layer(const GramSums& grams, const std::vector<float>& rows,
                                std::span<const int64_t> shape, const ir::QuantParams& params,
                                const RoundLayerOptions& options) {
  const int64_t apart = options.columns == Columns::kAll ? grams.sums.apart_count : 0;
  SecondOrderOptions second_order;
  second_order.threads = options.threads;
  second_order.scale_form = options.scale_form;
  second_order.damping = damping_for(grams.sums.fit_count + apart, grams.layout.columns);
  return round_weights({grams.layout, params, shape, options.least_scales, second_order}, rows,
                       grams_over(grams, options.columns));
}

Result<RoundedWeight> to_weight(const WeightLayout& layout, std::span<const int64_t> shape,
                                const RowIntegers& rounded, const ir::QuantParams& params) {
  ir::QuantParams::Spec spec = params.spec();
  spec.scales = scales_of(layout, params, shape, rounded);
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
  return as_rows(layout, params, weight.shape(), integers.to_floats());
}

}  // namespace octet::accuracy
