// Sums of x x^T over the sampled columns of one layer, and sums of x.
//
// Every fourth sample (and every fourth position of the first four samples, so that few samples do
// too) is kept apart: what is learnt from the others is judged on them. Columns of integers are
// summed without rounding, so in any order; columns of floats in the order of the samples. Either
// way the bytes do not depend on the number of threads.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "compiler/accuracy/columns.h"
#include "compiler/accuracy/second_order.h"
#include "compiler/base/result.h"

namespace octet::accuracy {

enum class Part { kFit, kApart };
// Of which part, or both.
enum class Columns { kFit, kApart, kAll };

// `position`: its place among the sampled ones.
Part part_of(size_t sample, size_t position);

// Sums over the columns of one layer, both parts apart.
struct ColumnSums {
  std::vector<double> fit;    // groups x columns
  std::vector<double> apart;  // groups x columns
  int64_t fit_count = 0;      // positions
  int64_t apart_count = 0;
};

// Sums of float columns of one sample, for the means of the float model.
Result<ColumnSums> column_sums(const ColumnReader& reader, const ir::Tensor& x, size_t sample);
void add(const ColumnSums& from, ColumnSums& to);

struct GramSums {
  WeightLayout layout;
  std::vector<double> fit;    // groups x columns x columns
  std::vector<double> apart;  // the same
  ColumnSums sums;

  Gram fit_gram(int64_t group) const { return gram(fit, group); }
  // Of both parts: for what has been judged already.
  std::vector<double> all_columns(int64_t group) const;
  Gram apart_gram(int64_t group) const { return gram(apart, group); }

 private:
  Gram gram(const std::vector<double>& all, int64_t group) const {
    const auto k = static_cast<size_t>(layout.columns);
    return {std::span(all).subspan(static_cast<size_t>(group) * k * k, k * k), k};
  }
};

// The data operand of a layer, one tensor per sample: float32, or integers with one zero point.
struct LayerInputs {
  size_t count = 0;
  std::function<Result<ir::Tensor>(size_t)> tensor;  // from any thread
  int32_t zero_point = 0;
};
LayerInputs layer_inputs(std::span<const ir::Tensor> tensors, int32_t zero_point);

// kResourceLimit when the Grams would take more than `max_memory` bytes.
Result<GramSums> gather_grams(const ir::Node& node, const WeightLayout& layout,
                              std::span<const int64_t> weight_shape, const LayerInputs& inputs,
                              size_t threads, int64_t max_memory);

}  // namespace octet::accuracy
