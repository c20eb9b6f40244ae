// Samples that are sound for a program and useless for calibration: a person is told once, and no
// plan is made of zeros alone.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "compiler/data/dataset.h"

namespace octet::tools {

// True when every input holds one number only, in all of its elements (inputs of one element do not
// count), and when that number is 0 everywhere.
bool is_blank(const data::Sample& sample);
bool is_zero(const data::Sample& blank);

// Hands on the samples of another dataset and looks at each on the way. What it finds does not
// depend on the order in which they are taken.
class WatchedDataset : public data::Dataset {
 public:
  explicit WatchedDataset(const data::Dataset& dataset) : dataset_(dataset) {}

  size_t size() const override { return dataset_.size(); }
  Result<data::Sample> get(size_t index) const override;
  bool data_free() const override { return dataset_.data_free(); }

  // kBadData where all samples taken so far hold nothing but zeros: no range follows from them.
  Status check() const;
  // One line about the samples taken so far, or nothing: that they are random numbers, or how many
  // hold one number only in every input, and how many are the same as another.
  std::optional<std::string> warning() const;

 private:
  const data::Dataset& dataset_;
  mutable std::mutex mutex_;
  mutable std::set<size_t> seen_;
  mutable std::set<size_t> blank_;
  mutable std::set<uint64_t> different_;  // hashes
  mutable bool all_zero_ = true;          // of the blank ones
};

}  // namespace octet::tools
