// Integers that an operator takes from operands (axes, shapes, pads, starts, ...), during inference
// as far as they are known and during evaluation in full.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "compiler/ops/evaluate_helpers.h"
#include "compiler/ops/infer_helpers.h"

namespace octet::ops {

inline constexpr size_t kMaxRank = 64;

// kResourceLimit above kMaxRank.
Status check_rank(size_t rank);

using MaybeNumber = std::optional<int64_t>;
using MaybeNumbers = std::optional<std::vector<MaybeNumber>>;

// The numbers of an operand of rank 0 or 1, negative ones included, each if it is known; nothing
// when not even their count is.
MaybeNumbers maybe_numbers(const InferContext& context, size_t operand);

// All of them, or nothing.
std::optional<std::vector<int64_t>> known_numbers(const InferContext& context, size_t operand);

// From the attribute before version `moved` of the operator set, from the operand since. `given`
// is false when the node has neither.
struct InferredList {
  bool given = false;
  std::optional<std::vector<int64_t>> values;
};
InferredList list_of(const InferContext& context, int64_t moved, std::string_view attribute,
                     size_t operand);

struct EvaluatedList {
  bool given = false;
  std::vector<int64_t> values;
};
Result<EvaluatedList> list_of(const EvaluateContext& context, int64_t moved,
                              std::string_view attribute, size_t operand);

// kMalformed unless an integer tensor of rank 0 or 1 with at most kMaxElements elements.
Result<std::vector<int64_t>> numbers_of(const EvaluateContext& context, size_t operand);
// kMalformed unless an integer tensor with one element.
Result<int64_t> number_of(const EvaluateContext& context, size_t operand);

// The partial values of a result: only kept for integers of rank 0 or 1 and while they are short.
void keep_elements(ir::ValueFacts& facts, std::optional<std::vector<ir::Dim>> elements);

// Product and sum of extents that need not be known.
ir::Dim dim_product(const ir::Dim& a, const ir::Dim& b);
ir::Dim dim_sum(const ir::Dim& a, const ir::Dim& b);

}  // namespace octet::ops
