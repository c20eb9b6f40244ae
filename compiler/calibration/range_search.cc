#include "compiler/calibration/range_search.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

namespace octet::calibration {
namespace {

constexpr int kBins = Histogram::kBins;
constexpr int kHalf = Histogram::kHalf;

// Counts by magnitude: entry i holds the bins [i, i + 1) * width on both sides of zero.
std::vector<double> magnitudes(const Histogram& histogram) {
  std::vector<double> out(kHalf, 0.0);
  const auto counts = histogram.counts();
  for (int i = 0; i < kHalf; ++i) {
    out[static_cast<size_t>(i)] = static_cast<double>(counts[static_cast<size_t>(kHalf + i)]) +
                                  static_cast<double>(counts[static_cast<size_t>(kHalf - 1 - i)]);
  }
  return out;
}

Range symmetric_range(const Histogram& histogram, int bins) {
  const auto limit = static_cast<float>(bins * histogram.bin_width());
  return {-limit, limit};
}

}  // namespace

Range percentile_range(const Histogram& histogram, double percentile, RangeShape shape) {
  const double share = (100.0 - percentile) / 100.0 * static_cast<double>(histogram.total());
  if (shape == RangeShape::kSymmetric) {
    const std::vector<double> counts = magnitudes(histogram);
    int end = kHalf;
    double cut = 0.0;
    while (end > 1 && cut + counts[static_cast<size_t>(end - 1)] <= share) {
      cut += counts[static_cast<size_t>(--end)];
    }
    return symmetric_range(histogram, end);
  }
  const auto counts = histogram.counts();
  const double each = share / 2.0;
  int low = 0;
  int high = kBins;
  double cut = 0.0;
  while (low < kBins - 1 && cut + static_cast<double>(counts[static_cast<size_t>(low)]) <= each) {
    cut += static_cast<double>(counts[static_cast<size_t>(low++)]);
  }
  cut = 0.0;
  while (high > low + 1 &&
         cut + static_cast<double>(counts[static_cast<size_t>(high - 1)]) <= each) {
    cut += static_cast<double>(counts[static_cast<size_t>(--high)]);
  }
  return {static_cast<float>(histogram.lower_edge(low)),
          static_cast<float>(histogram.lower_edge(high))};
}

Range kl_range(const Histogram& histogram, int64_t levels) {
  std::vector<double> counts = magnitudes(histogram);
  counts[0] = 0.0;
  const auto groups = static_cast<int>(std::clamp<int64_t>(levels / 2, 2, kHalf));
  int last = kHalf;
  while (last > 1 && counts[static_cast<size_t>(last - 1)] == 0.0) --last;
  double best = std::numeric_limits<double>::infinity();
  int best_end = last;
  double tail = 0.0;
  // Downwards, so that of equal divergences the widest range wins.
  for (int end = last; end >= groups; --end) {
    double inside = 0.0;
    for (int i = 0; i < end; ++i) inside += counts[static_cast<size_t>(i)];
    const double total = inside + tail;
    // The tail joins the last bin that holds something: where Q is empty the divergence has no
    // value.
    int last_filled = end - 1;
    while (last_filled > 0 && counts[static_cast<size_t>(last_filled)] == 0.0) --last_filled;
    double divergence = 0.0;
    for (int group = 0; group < groups && total > 0.0; ++group) {
      const int from = static_cast<int>(static_cast<int64_t>(group) * end / groups);
      const int to = static_cast<int>(static_cast<int64_t>(group + 1) * end / groups);
      double mass = 0.0;
      int filled = 0;
      for (int i = from; i < to; ++i) {
        mass += counts[static_cast<size_t>(i)];
        filled += counts[static_cast<size_t>(i)] > 0.0 ? 1 : 0;
      }
      if (filled == 0) continue;
      const double q = mass / filled / inside;
      for (int i = from; i < to; ++i) {
        double p = counts[static_cast<size_t>(i)];
        if (p == 0.0) continue;
        if (i == last_filled) p += tail;
        p /= total;
        divergence += p * std::log(p / q);
      }
    }
    if (divergence < best) {
      best = divergence;
      best_end = end;
    }
    tail += counts[static_cast<size_t>(end - 1)];
  }
  return symmetric_range(histogram, best_end);
}

namespace {

// Prefix sums of count, first and second moment over bins, bins taken at their centers.
struct Moments {
  std::array<double, kBins + 1> count{};
  std::array<double, kBins + 1> first{};
  std::array<double, kBins + 1> second{};
};

Moments moments(const Histogram& histogram) {
  Moments out;
  const auto counts = histogram.counts();
  for (int i = 0; i < kBins; ++i) {
    const auto k = static_cast<size_t>(i);
    const double x = histogram.lower_edge(i) + histogram.bin_width() / 2.0;
    const auto n = static_cast<double>(counts[k]);
    out.count[k + 1] = out.count[k] + n;
    out.first[k + 1] = out.first[k] + n * x;
    out.second[k + 1] = out.second[k] + n * x * x;
  }
  return out;
}

double error_of(const Moments& m, const Histogram& histogram, double a, double b, int64_t levels) {
  const auto index = [&](double x) {
    const double bin = std::floor(x / histogram.bin_width()) + kHalf;
    return static_cast<size_t>(std::clamp(bin, 0.0, static_cast<double>(kBins)));
  };
  const size_t low = index(a);
  const size_t high = std::max(low, index(b));
  const double step = (b - a) / static_cast<double>(levels - 1);
  const auto zero_bin = static_cast<double>(histogram.counts()[static_cast<size_t>(kHalf)]);
  const double inside = std::max(0.0, m.count[high] - m.count[low] - zero_bin);
  const auto clipped = [&](size_t from, size_t to, double at) {
    const double n = m.count[to] - m.count[from];
    const double s = m.first[to] - m.first[from];
    return m.second[to] - m.second[from] - 2.0 * at * s + at * at * n;
  };
  return inside * step * step / 12.0 + std::max(0.0, clipped(0, low, a)) +
         std::max(0.0, clipped(high, kBins, b));
}

}  // namespace

Range mse_range(const Histogram& histogram, const Range& observed, int64_t levels,
                RangeShape shape) {
  constexpr int kSteps = 64;
  const Moments m = moments(histogram);
  const double low = std::min(observed.min, 0.0F);
  const double high = std::max(observed.max, 0.0F);
  const double magnitude = std::max(-low, high);
  double best = std::numeric_limits<double>::infinity();
  Range out = observed;
  // Downwards from the full range, so that of equal errors the widest wins.
  for (int i = kSteps; i > 0; --i) {
    const int last = shape == RangeShape::kSymmetric || low == 0.0 ? kSteps : 1;
    for (int j = kSteps; j >= last; --j) {
      const bool symmetric = shape == RangeShape::kSymmetric;
      const double b = (symmetric ? magnitude : high) * i / kSteps;
      const double a = symmetric ? -b : low * j / kSteps;
      if (b <= a) continue;
      const double error = error_of(m, histogram, a, b, levels);
      if (error < best) {
        best = error;
        out = {static_cast<float>(a), static_cast<float>(b)};
      }
    }
  }
  return out;
}

}  // namespace octet::calibration
