#include "compiler/accuracy/data_shift.h"

#include <algorithm>
#include <cmath>

namespace octet::accuracy {

using calibration::Histogram;
using calibration::TensorStatistics;

namespace {

Moments moments_of(const TensorStatistics& statistics) {
  Moments out{statistics.min, statistics.max};
  const Histogram& histogram = *statistics.histogram;
  const auto counts = histogram.counts();
  const auto total = static_cast<double>(histogram.total());
  const auto middle = [&](size_t i) {
    return histogram.lower_edge(static_cast<int>(i)) + 0.5 * histogram.bin_width();
  };
  for (size_t i = 0; i < counts.size(); ++i) {
    out.mean += middle(i) * static_cast<double>(counts[i]) / total;
  }
  double square = 0.0;
  for (size_t i = 0; i < counts.size(); ++i) {
    const double off = middle(i) - out.mean;
    square += off * off * static_cast<double>(counts[i]) / total;
  }
  out.deviation = std::sqrt(square);
  return out;
}

// The same counts in bins at least as wide as the other's.
Histogram widened(const Histogram& histogram, const Histogram& other) {
  Histogram out =
      Histogram::from_counts(other.exponent(), std::vector<uint64_t>(Histogram::kBins, 0));
  out.merge(histogram);
  return out;
}

double area_between(const Histogram& a, const Histogram& b) {
  const Histogram x = widened(a, b);
  const Histogram y = widened(b, a);
  double first = 0.0;
  double second = 0.0;
  double area = 0.0;
  for (size_t i = 0; i < x.counts().size(); ++i) {
    first += static_cast<double>(x.counts()[i]) / static_cast<double>(x.total());
    second += static_cast<double>(y.counts()[i]) / static_cast<double>(y.total());
    area += std::abs(first - second) * x.bin_width();
  }
  return area;
}

// Of the elements of `b`, those in bins that lie whole outside [min, max] of `a`.
double share_outside(const TensorStatistics& a, const TensorStatistics& b) {
  const Histogram& histogram = *b.histogram;
  const auto counts = histogram.counts();
  double outside = 0.0;
  for (size_t i = 0; i < counts.size(); ++i) {
    const double low = histogram.lower_edge(static_cast<int>(i));
    if (low + histogram.bin_width() <= static_cast<double>(a.min) ||
        low > static_cast<double>(a.max)) {
      outside += static_cast<double>(counts[i]);
    }
  }
  return outside / static_cast<double>(histogram.total());
}

}  // namespace

std::vector<DataShift> data_shifts(const calibration::Statistics& first,
                                   const calibration::Statistics& second) {
  std::vector<DataShift> out;
  for (const auto& [name, a] : first.tensors) {
    const auto it = second.tensors.find(name);
    if (it == second.tensors.end()) continue;
    const TensorStatistics& b = it->second;
    if (!a.histogram || !b.histogram || a.elements == 0 || b.elements == 0) continue;
    DataShift shift{name, moments_of(a), moments_of(b), 0.0, share_outside(a, b)};
    const double area = area_between(*a.histogram, *b.histogram);
    // A tensor that never changes has no deviation to measure with: its own width then, or 1.
    double unit = shift.first.deviation;
    if (!(unit > 0.0)) unit = shift.second.deviation;
    shift.distance = unit > 0.0 ? area / unit : area;
    out.push_back(std::move(shift));
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const auto& a, const auto& b) { return a.distance > b.distance; });
  return out;
}

}  // namespace octet::accuracy
