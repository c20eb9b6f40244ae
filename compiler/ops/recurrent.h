// The attributes of RNN, GRU and LSTM, decoded once (onnx/docs/Operators.md, by these names).
#pragma once

#include <cstdint>
#include <vector>

#include "compiler/base/result.h"
#include "compiler/ir/graph.h"

namespace octet::ops {

enum class RecurrentLayout {
  kTimeFirst,   // layout 0: [steps, batch, input]
  kBatchFirst,  // layout 1: [batch, steps, input]
};

struct RecurrentActivation {
  enum class Kind {
    kAffine,
    kElu,
    kHardSigmoid,
    kLeakyRelu,
    kRelu,
    kScaledTanh,
    kSigmoid,
    kSoftplus,
    kSoftsign,
    kTanh,
    kThresholdedRelu,
  };
  Kind kind = Kind::kTanh;
  double alpha = 0;
  double beta = 0;

  double apply(double x) const;
};

struct RecurrentAttributes {
  int64_t gates = 1;       // 1 for RNN, 3 for GRU, 4 for LSTM
  int64_t directions = 1;  // 2 when bidirectional: the second runs backward
  bool first_reverse = false;
  RecurrentLayout layout = RecurrentLayout::kTimeFirst;
  int64_t hidden = 0;  // 0 when not given
  double clip = 0;     // 0 when not given
  bool input_forget = false;
  bool linear_before_reset = false;
  std::vector<RecurrentActivation> activations;  // those of the first direction first

  static Result<RecurrentAttributes> from(const ir::Node& node);
};

}  // namespace octet::ops
