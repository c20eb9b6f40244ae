// Short forms for operator tests: tensors, and what running one operator must give.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/op_runner.h"

namespace octet::testing {

using Extents = std::vector<int64_t>;
using Ints = std::vector<int64_t>;

inline ir::Tensor f32(Extents shape, const std::vector<float>& values) {
  return ir::Tensor::of<float>(std::move(shape), values);
}
inline ir::Tensor i64(Extents shape, const std::vector<int64_t>& values) {
  return ir::Tensor::of<int64_t>(std::move(shape), values);
}
inline Operand known(ir::Tensor tensor) { return Operand::of_constant(std::move(tensor)); }
inline Operand known(const Ints& values) {
  return Operand::of_constant(i64({static_cast<int64_t>(values.size())}, values));
}

// 0, 1, 2, ...
inline ir::Tensor counting(Extents shape) {
  int64_t count = 1;
  for (int64_t extent : shape) count *= extent;
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>(i));
  return f32(std::move(shape), values);
}

inline std::vector<double> numbers(const ir::Tensor& tensor) {
  std::vector<double> out;
  for (int64_t i = 0; i < tensor.element_count(); ++i) out.push_back(tensor.at_as_double(i));
  return out;
}

// Evaluation and inference succeed, agree, and give this tensor (within 1e-5 relative).
inline void expect_output(const OpCase& c, const ir::Tensor& expected) {
  const OpResult result = run_op(c);
  ASSERT_EQ(result.error, "") << c.op_type;
  EXPECT_EQ(result.tensor.dtype(), expected.dtype()) << c.op_type;
  EXPECT_EQ(result.tensor.shape(), expected.shape()) << c.op_type;
  const std::vector<double> got = numbers(result.tensor);
  const std::vector<double> want = numbers(expected);
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_NEAR(got[i], want[i], 1e-5 * (1 + std::abs(want[i]))) << c.op_type << " element " << i;
  }
}

// Both inference and evaluation refuse; the evaluation's message holds `message`.
inline void expect_malformed(const OpCase& c, const std::string& message) {
  const auto facts = infer_op(c);
  EXPECT_FALSE(facts.ok()) << c.op_type << ": inference accepts";
  const auto outputs = evaluate_op(c);
  ASSERT_FALSE(outputs.ok()) << c.op_type << ": evaluation accepts";
  EXPECT_EQ(outputs.error().code(), ErrorCode::kMalformed) << outputs.error().message();
  EXPECT_THAT(outputs.error().message(), ::testing::HasSubstr(message));
}

// Only evaluation can tell.
inline void expect_evaluation_error(const OpCase& c, ErrorCode code, const std::string& message) {
  MemoryBudget budget(int64_t{1} << 26);
  const auto outputs = evaluate_op(c, &budget);
  ASSERT_FALSE(outputs.ok()) << c.op_type << ": evaluation accepts";
  EXPECT_EQ(outputs.error().code(), code) << outputs.error().message();
  EXPECT_THAT(outputs.error().message(), ::testing::HasSubstr(message));
}

// The inferred shape of output 0, as text; the error's message when inference refuses.
inline std::string inferred_shape(const OpCase& c) {
  const auto facts = infer_op(c);
  return facts.ok() ? (*facts)[0].type.shape.to_string() : facts.error().message();
}

// The inferred elements of output 0, as text; "none" when nothing is known.
inline std::string inferred_elements(const OpCase& c, size_t output = 0) {
  const auto facts = infer_op(c);
  if (!facts.ok()) return facts.error().message();
  if (!(*facts)[output].elements) return "none";
  return ir::Shape(*(*facts)[output].elements).to_string();
}

}  // namespace octet::testing
