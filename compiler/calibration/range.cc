#include "compiler/calibration/range.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "compiler/base/name_hint.h"
#include "compiler/base/names.h"
#include "compiler/calibration/range_search.h"

namespace octet::calibration {
namespace {

const std::vector<std::string>& method_names() {
  static const std::vector<std::string> names = {"min-max", "average", "percentile", "kl", "mse"};
  return names;
}

Range within_observed(Range range, const TensorStatistics& statistics) {
  range.min = std::clamp(range.min, statistics.min, statistics.max);
  range.max = std::clamp(range.max, statistics.min, statistics.max);
  return range;
}

}  // namespace

Result<RangeMethod> parse_range_method(std::string_view text) {
  const size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  const auto& names = method_names();
  const auto it = std::find(names.begin(), names.end(), name);
  if (it == names.end()) {
    return usage_error("unknown range method ", quote_name(text), name_hint(name, names));
  }
  RangeMethod out;
  out.kind = static_cast<RangeKind>(it - names.begin());
  if (colon == std::string_view::npos) return out;
  const std::string_view number = text.substr(colon + 1);
  const auto parsed = std::from_chars(number.data(), number.data() + number.size(), out.percentile);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == number.data() + number.size();
  if (out.kind != RangeKind::kPercentile || !whole || !(out.percentile > 50.0) ||
      out.percentile > 100.0) {
    return usage_error("range method ", quote_name(text),
                       ": only percentile takes a number, above 50 and at most 100");
  }
  return out;
}

std::string to_string(const RangeMethod& method) {
  const std::string& name = method_names()[static_cast<size_t>(method.kind)];
  return method.kind == RangeKind::kPercentile ? cat(name, ":", method.percentile) : name;
}

Range unite(const Range& a, const Range& b) {
  return {std::min(a.min, b.min), std::max(a.max, b.max)};
}

Result<Range> choose_range(const TensorStatistics& statistics, const RangeMethod& method,
                           int64_t levels, RangeShape shape) {
  if (statistics.elements == 0) return bad_data("no element of it was observed");
  const Range observed{statistics.min, statistics.max};
  if (method.kind == RangeKind::kMinMax) return observed;
  if (method.kind == RangeKind::kAverageMinMax) {
    const auto samples = static_cast<double>(statistics.samples);
    return within_observed({static_cast<float>(statistics.sum_of_sample_min.value() / samples),
                            static_cast<float>(statistics.sum_of_sample_max.value() / samples)},
                           statistics);
  }
  if (!statistics.histogram || statistics.histogram->total() == 0) {
    return bad_data("range method ", to_string(method),
                    " needs a histogram, which these statistics do not have; calibrate with it");
  }
  switch (method.kind) {
    case RangeKind::kPercentile:
      return within_observed(percentile_range(*statistics.histogram, method.percentile, shape),
                             statistics);
    case RangeKind::kKl:
      return within_observed(kl_range(*statistics.histogram, levels), statistics);
    default:
      return within_observed(mse_range(*statistics.histogram, observed, levels, shape), statistics);
  }
}

}  // namespace octet::calibration
