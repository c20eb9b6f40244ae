// What calibration samples do to tensors, beyond their range over all of them: which sample sets
// the range, which channels set it, which are dead, how much falls outside a quantizer.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "compiler/ir/graph.h"

namespace octet::accuracy {

class TensorSurvey {
 public:
  struct Watched {
    ir::ValueId value;
    size_t axis = 0;  // of its channels
    // What a quantizer covers; numbers outside count as saturated.
    std::optional<std::pair<float, float>> covered = std::nullopt;
    // Whether each sample's extremes are kept, which takes memory for each.
    enum class Samples { kKept, kForgotten } samples = Samples::kKept;
  };
  struct Seen {
    size_t axis = 0;
    std::vector<float> low;   // by channel; equal to `high` where the channel never changes
    std::vector<float> high;  // by channel
    std::map<size_t, std::pair<float, float>> of_sample;  // least and greatest
    int64_t elements = 0;
    int64_t saturated = 0;
  };

  explicit TensorSurvey(const std::vector<Watched>& watched);
  // From any thread; nothing depends on the order.
  void observe(size_t sample, ir::ValueId value, const ir::Tensor& tensor);
  // Null when the value was never seen.
  const Seen* of(ir::ValueId value) const;
  std::vector<ir::ValueId> values() const;

 private:
  struct Entry {
    std::optional<std::pair<float, float>> covered;
    Watched::Samples samples = Watched::Samples::kKept;
    Seen seen;
  };
  std::map<ir::ValueId, Entry> entries_;
  std::mutex mutex_;
};

// The axis over which a value's channels run, by who reads it: 1 for convolutions and pictures, the
// last for products and anything else.
size_t channel_axis(const ir::Graph& graph, ir::ValueId value);

struct OutlierChannel {
  int64_t channel = 0;
  float magnitude = 0.0F;
  double times_median = 0.0;  // against the median of the channels that are not dead
};

struct ChannelFacts {
  int64_t count = 0;
  std::vector<OutlierChannel> outliers;  // more than 4 times the median, greatest first
  std::vector<int64_t> dead;             // 0 in every sample
  std::vector<int64_t> constant;         // another number in every sample
};
ChannelFacts channel_facts(const TensorSurvey::Seen& seen);

// Samples and the ranges they make. Samples go by their place in the data.
struct RangeGrowth {
  std::string tensor;
  double grown = 0.0;      // the share of its range that the last quarter of the samples added
  size_t last_sample = 0;  // that widened it
};
struct RangeSetter {
  size_t sample = 0;
  size_t ends = 0;      // of ranges: how many of the least and greatest values are its alone
  double widest = 0.0;  // the greatest share of a range that is there for this sample only
  std::string tensor;   // which range that is
};
struct SampleFacts {
  size_t samples = 0;
  size_t tensors = 0;
  std::vector<RangeGrowth> grown;    // by more than 5 %, most first
  std::vector<RangeSetter> setters;  // that hold an end, widest first
};
SampleFacts sample_facts(const ir::Graph& graph, const TensorSurvey& survey);

}  // namespace octet::accuracy
