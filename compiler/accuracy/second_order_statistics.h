// Gathers second-order statistics (calibration/layer_statistics.h) beside a calibration pass: the
// Grams of what every linear layer of the float model reads, and the extremes of every channel that
// equalization could scale. They hang on no backend.
//
// Memory: all Grams together, counted with two buckets for both parts, take at most `limit` bytes.
// Products are kept within blocks of columns; the block is the greatest power of two from 8192 down
// to 32 that fits. kResourceLimit when none does. Shards with different blocks merge: the least one
// holds.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "compiler/accuracy/channel_ranges.h"
#include "compiler/accuracy/columns.h"
#include "compiler/accuracy/tensor_survey.h"
#include "compiler/base/result.h"
#include "compiler/calibration/statistics.h"
#include "compiler/ir/graph.h"

namespace octet::accuracy {

// A linear operator with a constant weight of its own, and the layers that read the same columns.
struct ColumnLayer {
  ir::NodeId node;  // the first of them in graph order
  ir::ValueId x;
  WeightLayout layout;
  std::vector<ir::NodeId> sharing;  // all of them, `node` included
};
std::vector<ColumnLayer> find_column_layers(const ir::Graph& graph);

// 256 MiB, or a quarter of the memory where that is less.
int64_t second_order_limit(int64_t max_memory);

class SecondOrderGatherer {
 public:
  // `graph` is canonical and outlives this.
  static Result<std::unique_ptr<SecondOrderGatherer>> make(const ir::Graph& graph, int64_t limit);

  std::set<ir::ValueId> values() const;  // to be shown
  // From any thread; nothing depends on the order.
  void starts(size_t sample, uint64_t digest);
  Status observe(size_t sample, ir::ValueId value, const ir::Tensor& tensor);
  // Moves what was gathered into the statistics.
  void finish(calibration::Statistics& statistics);

  int64_t block() const { return block_; }

 private:
  explicit SecondOrderGatherer(const ir::Graph& graph) : graph_(graph) {}
  Status add_columns(size_t index, const ir::Tensor& tensor, uint64_t digest);

  struct Gathered {
    ColumnLayer layer;
    calibration::LayerStatistics sums;
    std::mutex mutex;
  };
  const ir::Graph& graph_;
  int64_t block_ = 0;
  std::vector<std::unique_ptr<Gathered>> layers_;
  std::map<ir::ValueId, std::vector<size_t>> layers_of_;  // by data
  std::vector<TensorSurvey::Watched> watched_;
  std::unique_ptr<TensorSurvey> channels_;
  std::map<size_t, uint64_t> digests_;
  std::mutex mutex_;
};

}  // namespace octet::accuracy
