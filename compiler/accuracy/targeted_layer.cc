#include "compiler/accuracy/targeted_layer.h"

#include <algorithm>

#include "compiler/base/thread_pool.h"

namespace octet::accuracy {

Result<std::vector<float>> TargetedLayer::targets(const std::vector<float>& rows, Columns learnt,
                                                  double damping) const {
  std::vector<float> out(rows.size());
  const auto groups = static_cast<size_t>(layout_.groups);
  const auto per_group = static_cast<size_t>(layout_.rows);
  const auto columns = static_cast<size_t>(layout_.columns);
  const size_t inner = groups == 1 ? threads_ : 1;
  OCTET_TRY(parallel_for(groups == 1 ? 1 : threads_, groups, [&](size_t, size_t g) -> Status {
    const size_t first = g * per_group * columns;
    const WeightRows own{std::span(rows).subspan(first, per_group * columns), per_group, columns};
    OCTET_ASSIGN(const std::vector<float> moved,
                 target_rows(moments(static_cast<int64_t>(g), learnt), own, damping, inner));
    std::copy(moved.begin(), moved.end(), out.begin() + static_cast<ptrdiff_t>(first));
    return {};
  }));
  return out;
}

GramOf TargetedLayer::grams(Columns learnt) const {
  return [this, learnt](int64_t group, std::vector<double>& room) {
    room = moments(group, learnt).gram;
    return Gram{room, static_cast<size_t>(layout_.columns)};
  };
}

Result<double> TargetedLayer::error_apart(const std::vector<float>& rows,
                                          const RowIntegers& integers) const {
  double out = 0.0;
  for (int64_t g = 0; g < layout_.groups; ++g) {
    OCTET_ASSIGN(const double error, moment_error(moments(g, Columns::kApart), layout_, g, rows,
                                                  integers, layout_.groups == 1 ? threads_ : 1));
    out += error;
  }
  return out;
}

}  // namespace octet::accuracy
