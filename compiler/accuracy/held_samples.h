// A few samples of a data set in memory, for what runs over them many times.
#pragma once

#include <vector>

#include "compiler/data/dataset.h"

namespace octet::accuracy {

// `count` indices, evenly spread over [0, of); all of them when there are no more.
std::vector<size_t> spread_samples(size_t count, size_t of);

class HeldSamples : public data::Dataset {
 public:
  // Reads the samples of these indices. Errors are those of the data set.
  static Result<HeldSamples> read(const data::Dataset& dataset, const std::vector<size_t>& indices);

  size_t size() const override { return samples_.size(); }
  Result<data::Sample> get(size_t index) const override { return samples_[index]; }
  const data::Sample& at(size_t index) const { return samples_[index]; }

 private:
  std::vector<data::Sample> samples_;
};

}  // namespace octet::accuracy
