#include "compiler/accuracy/statistics_grams.h"

#include <algorithm>
#include <cmath>

namespace octet::accuracy {

using calibration::LayerStatistics;

namespace {

// Sums over both buckets of one part, in the units of the data.
void add_part(const LayerStatistics& layer, const LayerStatistics::Buckets& buckets,
              std::vector<double>& gram, std::vector<double>& sums, int64_t& count) {
  const auto k = static_cast<size_t>(layer.columns);
  const auto block = static_cast<size_t>(layer.block);
  const auto groups = static_cast<size_t>(layer.groups);
  gram.assign(groups * k * k, 0.0);
  sums.assign(groups * k, 0.0);
  for (const auto& [exponent, bucket] : buckets) {
    const double unit = std::ldexp(1.0, exponent - LayerStatistics::kBits);
    count += bucket.count;
    for (size_t i = 0; i < sums.size(); ++i) sums[i] += static_cast<double>(bucket.sums[i]) * unit;
    const int64_t* product = bucket.products.data();
    for (size_t group = 0; group < groups; ++group) {
      double* to = gram.data() + group * k * k;
      for (size_t first = 0; first < k; first += block) {
        const size_t last = std::min(k, first + block);
        for (size_t a = first; a < last; ++a) {
          for (size_t b = a; b < last; ++b) {
            to[a * k + b] += static_cast<double>(*product++) * unit * unit;
          }
        }
      }
    }
  }
  for (size_t group = 0; group < groups; ++group) {
    double* to = gram.data() + group * k * k;
    for (size_t a = 0; a < k; ++a) {
      for (size_t b = 0; b < a; ++b) to[a * k + b] = to[b * k + a];
    }
  }
}

}  // namespace

GramSums gram_sums(const WeightLayout& layout, const LayerStatistics& seen) {
  GramSums out;
  out.layout = layout;
  add_part(seen, seen.fit, out.fit, out.sums.fit, out.sums.fit_count);
  add_part(seen, seen.apart, out.apart, out.sums.apart, out.sums.apart_count);
  return out;
}

}  // namespace octet::accuracy
