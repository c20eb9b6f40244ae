// How much a layer's own output suffers from its quantizers, from the sums of gram.h.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "compiler/accuracy/gram.h"
#include "compiler/base/result.h"

namespace octet::accuracy {

// What a layer reads and adds.
struct LayerFacts {
  const WeightLayout& layout;
  const GramSums& grams;             // of its data
  const std::vector<float>& rows;    // the float weights
  std::span<const float> bias = {};  // per output channel, or empty
  // Of the data: integers in `grams` times this are real numbers.
  double x_scale = 1.0;
  enum class Data { kIntegers, kFloats } data = Data::kIntegers;
};

// Sum of squares of the layer's float output over the columns kept apart, bias included, divided by
// x_scale^2: in the units of apart_error.
Result<double> apart_power(const LayerFacts& facts, size_t threads);

// The noise that rounding its data to integers leaves in that output, in the same units. An integer
// carries a rounding error of variance 1/12, but a zero none: it comes from a ReLU, padding or a
// dead channel and is exact. Of sum x^2 over a column no more than so many integers are not zero,
// which is all that is known of them here.
double apart_data_noise(const LayerFacts& facts);

// 10 log10 of that power over `error` (of the weight, as apart_error has it) and, where the data
// are integers, their noise; in dB. Nothing where the output is silent.
Result<std::optional<double>> layer_sqnr(const LayerFacts& facts, double error, size_t threads);

}  // namespace octet::accuracy
