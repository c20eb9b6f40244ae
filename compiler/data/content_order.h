// The samples of a dataset in an order that hangs on what is in them, not on how files were named
// or shuffled: what splits samples, or adds floats over them, then gives the same bytes for any
// order.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "compiler/data/dataset.h"

namespace octet::data {

// Of shapes and bits. Not for adversaries: two samples of one hash keep their order.
uint64_t content_hash(const Sample& sample);

// Hands on another dataset: as it is until settle(), in the order of content_hash from then on. The
// pass before settle() pays for the hashes.
class ContentOrder : public Dataset {
 public:
  explicit ContentOrder(const Dataset& dataset);

  size_t size() const override { return dataset_.size(); }
  Result<Sample> get(size_t index) const override;
  bool data_free() const override { return dataset_.data_free(); }

  // Reads the samples that were not taken so far. Not while another thread calls get().
  Status settle();

 private:
  const Dataset& dataset_;
  mutable std::mutex mutex_;
  mutable std::vector<uint64_t> hashes_;  // by index of the other dataset
  mutable std::vector<bool> seen_;
  std::vector<size_t> order_;  // empty before settle()
};

}  // namespace octet::data
