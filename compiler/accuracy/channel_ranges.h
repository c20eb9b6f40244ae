// How far each channel of a value reaches.
#pragma once

#include <map>
#include <mutex>
#include <vector>

#include "compiler/ir/graph.h"

namespace octet::accuracy {

// Greatest magnitude of every channel of some values, over all samples. Safe to call from several
// threads; the result does not depend on the order.
class ChannelRanges {
 public:
  struct Axis {
    ir::ValueId value;
    size_t axis = 0;
  };
  explicit ChannelRanges(const std::vector<Axis>& values);
  void observe(ir::ValueId value, const ir::Tensor& tensor);
  // As if a tensor of these magnitudes had been seen.
  void put(ir::ValueId value, std::vector<float> magnitudes);
  // Empty when it was never seen.
  const std::vector<float>& of(ir::ValueId value) const;
  // Least value of every channel. Empty when it was never seen.
  const std::vector<float>& least_of(ir::ValueId value) const;
  std::vector<ir::ValueId> values() const;

 private:
  struct Entry {
    size_t axis = 0;
    std::vector<float> magnitudes;
    std::vector<float> least;
  };
  std::map<ir::ValueId, Entry> entries_;
  std::mutex mutex_;
};

}  // namespace octet::accuracy
