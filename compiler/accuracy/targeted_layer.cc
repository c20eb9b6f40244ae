#include "compiler/accuracy/targeted_layer.h"

#include <algorithm>
#include <array>

#include "compiler/base/thread_pool.h"

namespace octet::accuracy {

namespace {

constexpr std::array kRidges = {3.0, 1.0, 0.3, 0.1, 0.03};

}  // namespace

WeightRows TargetedLayer::group_rows(const std::vector<float>& rows, size_t group) const {
  const auto per_group = static_cast<size_t>(layout_.rows);
  const auto columns = static_cast<size_t>(layout_.columns);
  const size_t count = per_group * columns;
  return {std::span(rows).subspan(group * count, count), per_group, columns};
}

Result<std::vector<float>> TargetedLayer::targets(const std::vector<float>& rows, Columns learnt,
                                                  double damping) const {
  std::vector<float> out(rows.size());
  const auto groups = static_cast<size_t>(layout_.groups);
  const size_t inner = groups == 1 ? threads_ : 1;
  OCTET_TRY(parallel_for(groups == 1 ? 1 : threads_, groups, [&](size_t, size_t g) -> Status {
    OCTET_ASSIGN(
        const std::vector<float> moved,
        target_rows(moments(static_cast<int64_t>(g), learnt), group_rows(rows, g), damping, inner));
    std::copy(moved.begin(), moved.end(), out.begin() + static_cast<ptrdiff_t>(g * moved.size()));
    return {};
  }));
  return out;
}

Result<std::optional<double>> TargetedLayer::best_ridge(const std::vector<float>& rows) const {
  const auto groups = static_cast<size_t>(layout_.groups);
  const size_t inner = groups == 1 ? threads_ : 1;
  // By group: of the rows themselves, then of each ridge.
  std::vector<std::array<double, kRidges.size() + 1>> errors(groups);
  OCTET_TRY(parallel_for(groups == 1 ? 1 : threads_, groups, [&](size_t, size_t g) -> Status {
    const WeightRows own = group_rows(rows, g);
    const GroupMoments fit = moments(static_cast<int64_t>(g), Columns::kFit);
    const GroupMoments apart = moments(static_cast<int64_t>(g), Columns::kApart);
    OCTET_ASSIGN(errors[g][0], moment_error(apart, own, own.values, inner));
    for (size_t i = 0; i < kRidges.size(); ++i) {
      OCTET_ASSIGN(const std::vector<float> moved, target_rows(fit, own, kRidges[i], inner));
      OCTET_ASSIGN(errors[g][i + 1], moment_error(apart, own, moved, inner));
    }
    return {};
  }));
  std::array<double, kRidges.size() + 1> sums = {};
  for (const auto& each : errors) {
    for (size_t i = 0; i < sums.size(); ++i) sums[i] += each[i];
  }
  const auto least = std::min_element(sums.begin(), sums.end());
  if (least == sums.begin() || !(*least < sums.front())) return std::optional<double>();
  return std::optional<double>(kRidges[static_cast<size_t>(least - sums.begin()) - 1]);
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
