#include "compiler/calibration/statistics.h"

#include <algorithm>
#include <iterator>

#include "compiler/base/names.h"

namespace octet::calibration {

void TensorStatistics::merge(const TensorStatistics& other) {
  if (other.elements > 0) {
    min = elements > 0 ? std::min(min, other.min) : other.min;
    max = elements > 0 ? std::max(max, other.max) : other.max;
  }
  samples += other.samples;
  elements += other.elements;
  sum_of_sample_min.merge(other.sum_of_sample_min);
  sum_of_sample_max.merge(other.sum_of_sample_max);
  if (!other.histogram) return;
  if (!histogram) histogram.emplace();
  histogram->merge(*other.histogram);
}

int64_t Statistics::common_samples(const Statistics& other) const {
  std::vector<uint64_t> common;
  std::set_intersection(digests.begin(), digests.end(), other.digests.begin(), other.digests.end(),
                        std::back_inserter(common));
  return static_cast<int64_t>(common.size());
}

Status Statistics::merge(const Statistics& other) {
  if (fingerprint != other.fingerprint) {
    return usage_error("statistics of different models cannot be merged (fingerprints ",
                       fingerprint, " and ", other.fingerprint, ")");
  }
  samples += other.samples;
  const auto middle = static_cast<std::ptrdiff_t>(digests.size());
  digests.insert(digests.end(), other.digests.begin(), other.digests.end());
  std::inplace_merge(digests.begin(), digests.begin() + middle, digests.end());
  data_free = data_free || other.data_free;
  for (const auto& [name, tensor] : other.tensors) {
    const auto [it, is_new] = tensors.emplace(name, tensor);
    if (is_new) continue;
    if (it->second.histogram.has_value() != tensor.histogram.has_value() && tensor.elements > 0) {
      return usage_error("one of the statistics has a histogram of ", quote_name(name),
                         " and the other has none; calibrate all shards with the same options");
    }
    it->second.merge(tensor);
  }
  return merge_second_order(other);
}

Status Statistics::merge_second_order(const Statistics& other) {
  if (layers.empty() != other.layers.empty()) {
    return usage_error(
        "one of the statistics has second-order statistics and the other has none; calibrate all "
        "shards with the same options");
  }
  for (const auto& [name, layer] : other.layers) {
    const auto [it, is_new] = layers.emplace(name, layer);
    if (!is_new) OCTET_TRY(it->second.merge(layer).in(cat("layer ", quote_name(name))));
  }
  for (const auto& [name, value] : other.channels) {
    const auto [it, is_new] = channels.emplace(name, value);
    if (!is_new) OCTET_TRY(it->second.merge(value).in(cat("value ", quote_name(name))));
  }
  return {};
}

}  // namespace octet::calibration
