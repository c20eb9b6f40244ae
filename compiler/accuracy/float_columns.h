// What the layers of the float model read: sums of columns, against which the quantized model's are
// held when biases are corrected.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "compiler/accuracy/gram.h"
#include "compiler/accuracy/kept_tensors.h"
#include "compiler/accuracy/layers.h"
#include "compiler/base/result.h"

namespace octet::accuracy {

// Sums of the float model's columns, per layer and sample; filled from several threads, one sample
// each.
class FloatColumns {
 public:
  // `samples`: which of the samples that are run take part.
  FloatColumns(const ir::Graph& graph, const std::vector<Layer>& layers,
               const std::vector<size_t>& samples);
  Status observe(size_t sample, ir::ValueId value, const ir::Tensor& tensor);
  // Over the first `count` of the samples.
  Result<ColumnSums> total(size_t layer, size_t count) const;
  std::set<ir::ValueId> values() const;

 private:
  const ir::Graph& graph_;
  const std::vector<Layer>& layers_;
  std::map<size_t, size_t> place_;                        // of a sample
  std::map<ir::ValueId, std::vector<size_t>> layers_of_;  // by data
  KeptTensors sums_;                                      // by place, by layer
};

}  // namespace octet::accuracy
