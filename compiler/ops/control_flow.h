// What If, Loop and Scan share: conditions, the types of carried values, stacks of results.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "compiler/ops/body.h"

namespace octet::ops {

// kMalformed unless the tensor is one bool.
Result<bool> condition(const Tensor& tensor, std::string_view what);

// These types for the node's outputs, nothing for those beyond.
Facts of_types(const InferContext& context, std::span<const ir::TensorType> types);

// One part per run of a body becomes one tensor with a new axis.
ir::TensorType stacked_type(const ir::TensorType& part, int64_t signed_axis, const ir::Dim& count);

// Slice `index` of a tensor along an axis, without that axis.
Result<Tensor> slice_of(const EvaluateContext& context, const Tensor& tensor, size_t axis,
                        int64_t index);

// Scan of opset 8, which has a batch axis and lengths per sample.
Result<Tensors> evaluate_batched_scan(const EvaluateContext& context);

enum class StackOrder { kFirstInFront, kLastInFront };

// What bodies give once per run, stacked along a new axis in the end.
class Stack {
 public:
  explicit Stack(MemoryBudget* budget) : charged_(budget) {}

  bool empty() const { return parts_.empty(); }

  // kMalformed when the tensor is of another type than the one before.
  Status push(Tensor tensor);

  // `empty` is the type of a part when there is none: extents that are not known count as 0.
  Result<Tensor> stacked(const EvaluateContext& context, const ir::TensorType& empty,
                         int64_t signed_axis, StackOrder order) const;

 private:
  ChargedBytes charged_;
  Tensors parts_;
};

// The types of carried values that a run of the body does not change, or widens no further.
// `types_in` gives the body's input types for carried ones.
template <typename TypesIn>
Facts infer_carried(const InferContext& context, const BodyGraph& body,
                    std::vector<ir::TensorType>& carried, size_t first_output, TypesIn types_in) {
  Facts after;
  for (int round = 0; round < 3; ++round) {
    after = infer_body(context, body, types_in(carried));
    bool stable = true;
    for (size_t i = 0; i < carried.size(); ++i) {
      const size_t at = first_output + i;
      ir::TensorType joined =
          at < after.size() ? join_types(carried[i], after[at].type) : ir::TensorType();
      if (round == 1) joined.shape = joined == carried[i] ? joined.shape : ir::Shape();
      stable = stable && joined == carried[i];
      carried[i] = std::move(joined);
    }
    if (stable) return after;
  }
  for (ir::TensorType& type : carried) type = {};
  return infer_body(context, body, types_in(carried));
}

}  // namespace octet::ops
