// What `octet analyze` finds: where the noise of the outputs comes from, and what would cure it.
//
// Noise is that of the outputs, relative to their power: the mean over float outputs of
// sum (y - y~)^2 / sum y^2, over a few of the samples. A source is one quantizer: of a weight, or
// of a tensor. Its noise alone is measured with everything else in float; shares are of the sum of
// the noises alone. Biases that the recipe corrected stay float's own there: a correction answers
// to all sources together.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/accuracy/tensor_survey.h"

namespace octet::accuracy {

// Something to do about a source.
struct Cure {
  std::string name;      // "clip the range", ...
  std::string how;       // a flag or a line of a recipe
  std::string of;        // layer or tensor
  double noise = 0.0;    // of the source with it
  double gain_db = 0.0;  // expected at the outputs, by this alone
};

struct TensorReport {
  std::string name;
  std::vector<std::string> readers;  // nodes
  double noise = 0.0;
  double share = 0.0;
  float low = 0.0F;  // what the quantizer covers
  float high = 0.0F;
  float min = 0.0F;  // what was seen
  float max = 0.0F;
  // The share of what is covered that 99.8 % of the elements lie in (0.1 % off at each end).
  double use = 0.0;
  double saturated = 0.0;  // share of the elements
  ChannelFacts channels;
};

struct WeightReport {
  std::string name;
  std::vector<std::string> readers;
  double noise = 0.0;
  double share = 0.0;
  bool per_channel = false;
  bool second_order = false;  // its integers are not those of rounding to nearest
  double spread = 1.0;        // the greatest row's magnitude over the least one's
  int64_t dead_rows = 0;      // of zeros
};

struct LayerReport {
  std::string node;
  std::string op_type;
  std::optional<size_t> weight;  // among Analysis::weights
  std::optional<size_t> tensor;  // among Analysis::tensors: its data
  std::string output;            // the value its unit hands on
  double weight_share = 0.0;
  double input_share = 0.0;  // of a tensor that several layers read, an equal part
  double share = 0.0;        // both
  double noise = 0.0;        // at the outputs, of its weight and its data: the sum of the two alone
  // At the layer's own output, from the float model's data: weights and data alone, and both.
  std::optional<double> local_weight_db;
  std::optional<double> local_input_db;
  std::optional<double> local_db;
};

struct Analysis {
  size_t samples = 0;                 // that noise was measured on
  double sum = 0.0;                   // of the noises alone
  double weights = 0.0;               // noise with all weights quantized and all activations float
  double tensors_noise = 0.0;         // with all activations quantized and all weights float
  std::vector<LayerReport> layers;    // most share first
  std::vector<TensorReport> tensors;  // most share first
  std::vector<WeightReport> weight_sources;
  std::vector<Cure> cures;  // of the sources with most noise; most gain first
  SampleFacts data;
};

}  // namespace octet::accuracy
