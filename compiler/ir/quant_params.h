// How integers in storage stand for real numbers. Part of a tensor's type.
//
// Rules, enforced by QuantParams::make alone; the number stands in the error and in the test name:
//   [Q1] at least one scale
//   [Q2] every scale is finite, above zero and a normal float
//   [Q3] as many zero points as scales
//   [Q4] per-tensor has one scale; per-axis has as many as the axis is long (checked where the
//        shape is known: check_against)
//   [Q5] qmin < qmax, both within the storage type
//   [Q6] every zero point is within the storage type
//   [Q7] the storage type is an integer type of at most 32 bits
//   [Q8] the axis is within the rank (check_against); blocked has a block size of at least 1
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "compiler/base/result.h"
#include "compiler/ir/shape.h"
#include "compiler/numerics/dtype.h"

namespace octet::ir {

enum class Granularity { kPerTensor, kPerAxis, kBlocked };

class QuantParams {
 public:
  struct Spec {
    numerics::DType storage = numerics::DType::kInt8;
    Granularity granularity = Granularity::kPerTensor;
    int64_t axis = 0;                  // per-axis and blocked; non-negative
    int64_t block_size = 0;            // blocked only
    std::vector<float> scales;         // blocked: in the row-major order of the scale tensor
    std::vector<int32_t> zero_points;  // one per scale
    int32_t qmin = -128;               // narrow range: -127 for int8 weights
    int32_t qmax = 127;
    bool operator==(const Spec&) const = default;
  };

  static Result<QuantParams> make(Spec spec);

  // Rules [Q4] and [Q8] against a shape; axes of unknown extent pass.
  Status check_against(const Shape& shape) const;

  numerics::DType storage() const { return spec_->storage; }
  Granularity granularity() const { return spec_->granularity; }
  bool per_tensor() const { return spec_->granularity == Granularity::kPerTensor; }
  int64_t axis() const { return spec_->axis; }
  int64_t block_size() const { return spec_->block_size; }
  const std::vector<float>& scales() const { return spec_->scales; }
  const std::vector<int32_t>& zero_points() const { return spec_->zero_points; }
  int32_t qmin() const { return spec_->qmin; }
  int32_t qmax() const { return spec_->qmax; }
  bool symmetric() const;  // all zero points are 0

  const Spec& spec() const { return *spec_; }
  bool operator==(const QuantParams& other) const { return *spec_ == *other.spec_; }

 private:
  explicit QuantParams(Spec spec) : spec_(std::make_shared<const Spec>(std::move(spec))) {}
  std::shared_ptr<const Spec> spec_;
};

}  // namespace octet::ir
