// How many samples speak for a sum over samples. A detector's scores are all but zero on most
// pictures: what the few others say decides, and does not carry over to pictures not seen.
#pragma once

#include <map>
#include <set>
#include <span>
#include <vector>

#include "compiler/ir/graph.h"

namespace octet::accuracy {

// (sum p)^2 / sum p^2 over the powers p of the samples (Kish, Survey Sampling, 1965, section 11.7:
// the effective sample size): all of them where they are alike, 1 where one has all the power. All
// of them, too, where none has any.
double effective_samples(std::span<const double> powers);

// Fewer effective samples than this share of all are few.
inline constexpr double kLeastShareOfSamples = 0.25;

// Sums of squares of a float model's outputs, sample by sample. observe() is safe to call from
// several threads for different samples.
class OutputPowers {
 public:
  OutputPowers(const ir::Graph& graph, size_t samples);
  // The float outputs that are computed.
  std::set<ir::ValueId> values() const;
  void observe(size_t sample, ir::ValueId value, const ir::Tensor& tensor);
  // Whether few of the samples speak for some output.
  bool few_speak() const;

 private:
  std::map<ir::ValueId, std::vector<double>> powers_;
};

}  // namespace octet::accuracy
