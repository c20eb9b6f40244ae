#include "compiler/accuracy/candidate_ranges.h"

#include <algorithm>
#include <cmath>

namespace octet::accuracy {

using calibration::Histogram;
using calibration::Range;
using calibration::RangeKind;
using calibration::RangeMethod;
using calibration::RangeShape;
using calibration::TensorStatistics;

namespace {

bool has_histogram(const TensorStatistics& statistics) {
  return statistics.histogram && statistics.histogram->total() > 0;
}

Range about_zero(const Range& range) {
  return {std::min(range.min, 0.0F), std::max(range.max, 0.0F)};
}

double width(const Range& range) {
  return static_cast<double>(range.max) - static_cast<double>(range.min);
}

bool alike(const Range& a, const Range& b, double scale) {
  return std::abs(static_cast<double>(a.min) - static_cast<double>(b.min)) <= 0.02 * scale &&
         std::abs(static_cast<double>(a.max) - static_cast<double>(b.max)) <= 0.02 * scale;
}

}  // namespace

double expected_error(const TensorStatistics& statistics, const Range& range, int64_t levels,
                      double power) {
  if (!has_histogram(statistics) || levels < 2) return 0.0;
  const Histogram& histogram = *statistics.histogram;
  const double low = std::min(range.min, 0.0F);
  const double high = std::max(range.max, 0.0F);
  const double half_step = (high - low) / static_cast<double>(levels - 1) / 2.0;
  const double inside = std::pow(half_step, power) / (power + 1.0);
  const auto counts = histogram.counts();
  double sum = 0.0;
  for (int i = 0; i < Histogram::kBins; ++i) {
    const auto count = static_cast<double>(counts[static_cast<size_t>(i)]);
    if (count == 0.0 || i == Histogram::kHalf) continue;
    const double x = histogram.lower_edge(i) + histogram.bin_width() / 2.0;
    const double beyond = std::max({0.0, low - x, x - high});
    sum += count * (beyond > 0.0 ? std::pow(beyond, power) : inside);
  }
  return sum / static_cast<double>(histogram.total());
}

Range least_error_range(const TensorStatistics& statistics, const Range& observed, int64_t levels,
                        RangeShape shape, double power) {
  constexpr int kSteps = 48;
  const Range all = about_zero(observed);
  const auto tried = [&](int low, int high) {
    const double least = static_cast<double>(all.min) * low / kSteps;
    const double most = static_cast<double>(all.max) * high / kSteps;
    return Range{static_cast<float>(least), static_cast<float>(most)};
  };
  int low = kSteps;
  int high = kSteps;
  double best = expected_error(statistics, all, levels, power);
  const auto descend = [&](int& end, int with_low, int with_high) {
    bool moved = false;
    for (int step = kSteps; step > 0; --step) {
      const double error = expected_error(
          statistics, tried(with_low != 0 ? step : low, with_high != 0 ? step : high), levels,
          power);
      if (error < best) {
        best = error;
        end = step;
        moved = true;
      }
    }
    return moved;
  };
  if (shape == RangeShape::kSymmetric) {
    descend(high, 1, 1);
    low = high;
    return tried(low, high);
  }
  constexpr int kSweeps = 4;
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    const bool upper = all.max > 0.0F && descend(high, 0, 1);
    const bool lower = all.min < 0.0F && descend(low, 1, 0);
    if (!upper && !lower) break;
  }
  return tried(low, high);
}

std::vector<CandidateRange> candidate_ranges(const TensorStatistics& statistics,
                                             const Range& current, int64_t levels,
                                             RangeShape shape) {
  std::vector<CandidateRange> out;
  if (!has_histogram(statistics)) return out;
  const double scale = width(about_zero(current));
  const auto propose = [&](std::string method, const Range& range) {
    const Range at = about_zero(range);
    if (!(width(at) > scale / 32.0) || alike(at, current, scale)) return;
    if (std::any_of(out.begin(), out.end(),
                    [&](const CandidateRange& other) { return alike(at, other.range, scale); })) {
      return;
    }
    out.push_back({std::move(method), at});
  };
  const Range observed{statistics.min, statistics.max};
  propose("l4", least_error_range(statistics, observed, levels, shape, 4.0));
  propose("l3", least_error_range(statistics, observed, levels, shape, 3.0));
  propose("mse", least_error_range(statistics, observed, levels, shape, 2.0));
  for (const double percentile : {99.999, 99.99, 99.9}) {
    const RangeMethod method{RangeKind::kPercentile, percentile};
    const auto range = calibration::choose_range(statistics, method, levels, shape);
    if (range.ok()) propose(calibration::to_string(method), *range);
  }
  const auto kl = calibration::choose_range(statistics, {RangeKind::kKl}, levels, shape);
  if (kl.ok()) propose("kl", *kl);
  return out;
}

std::vector<CandidateRange> resized_ranges(const Range& current) {
  std::vector<CandidateRange> out;
  for (const double factor : {1.03, 1.06, 1.1, 0.97, 0.94, 0.9, 0.8}) {
    out.push_back(
        {factor > 1.0 ? "widening" : "narrowing",
         {static_cast<float>(current.min * factor), static_cast<float>(current.max * factor)}});
  }
  return out;
}

}  // namespace octet::accuracy
