// What calibration saw: per value exact extremes, exact sums and a histogram, in a form that merges
// without loss. Any split of the samples over threads, shards and runs gives the same bytes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compiler/base/result.h"
#include "compiler/calibration/histogram.h"
#include "compiler/calibration/layer_statistics.h"
#include "compiler/numerics/exact_sum.h"

namespace octet::calibration {

// What was observed of one float tensor over all samples.
struct TensorStatistics {
  int64_t samples = 0;
  int64_t elements = 0;
  float min = 0.0F;  // over all elements of all samples; meaningless when elements is 0
  float max = 0.0F;
  numerics::ExactSum sum_of_sample_min;  // for averaged min-max
  numerics::ExactSum sum_of_sample_max;
  std::optional<Histogram> histogram = std::nullopt;

  void merge(const TensorStatistics& other);
  bool operator==(const TensorStatistics&) const = default;
};

struct Statistics {
  std::string fingerprint;  // of the canonical graph; see fingerprint.h
  int64_t samples = 0;
  bool data_free = false;                           // gathered from random: data
  std::map<std::string, TensorStatistics> tensors;  // by value name
  // Of the contents of each sample (sample_digest), sorted; equal samples stand as often as there
  // are. Tells when a file is about to be counted twice.
  std::vector<uint64_t> digests = {};
  // With --second-order: by the first output of the layer (of those that read the same columns, the
  // first in the graph), and by value name.
  std::map<std::string, LayerStatistics> layers = {};
  std::map<std::string, ChannelStatistics> channels = {};

  // How many samples of `other` are samples of this, too.
  int64_t common_samples(const Statistics& other) const;
  // Fails with kUsage when the fingerprints differ. Does not look at digests: data may well hold
  // the same picture twice.
  Status merge(const Statistics& other);
  bool operator==(const Statistics&) const = default;

  // A text file: a header line with format version, then one block per tensor, floats in
  // hexadecimal so that nothing is lost.
  std::string to_text() const;
  static Result<Statistics> from_text(std::string_view text);

 private:
  Status merge_second_order(const Statistics& other);
};

}  // namespace octet::calibration
