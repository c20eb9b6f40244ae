#include "compiler/ops/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/support/op_runner.h"

namespace octet::ops {
namespace {

using ir::Tensor;
using octet::testing::evaluate_op;
using octet::testing::infer_op;
using octet::testing::OpCase;
using octet::testing::Operand;
using ::testing::HasSubstr;

TEST(Schemas, AreSortedAndUnique) {
  const auto schemas = all_schemas();
  for (size_t i = 1; i < schemas.size(); ++i) {
    EXPECT_LT(std::pair(schemas[i - 1].domain, schemas[i - 1].name),
              std::pair(schemas[i].domain, schemas[i].name));
  }
}

TEST(Schemas, AreFoundByName) {
  for (const OpSchema& schema : all_schemas()) {
    EXPECT_EQ(find_schema(schema.domain, schema.name), &schema);
  }
  EXPECT_EQ(find_schema("", "NoSuchOperator"), nullptr);
  EXPECT_EQ(find_schema("com.example", "Add"), nullptr);
}

TEST(Schemas, AreComplete) {
  for (const OpSchema& schema : all_schemas()) {
    SCOPED_TRACE(schema.name);
    EXPECT_NE(schema.infer, nullptr);
    EXPECT_NE(schema.evaluate, nullptr);
    EXPECT_LE(schema.required, schema.max_inputs);
    EXPECT_LE(schema.since, schema.until);
    EXPECT_GE(schema.since, 7);
    EXPECT_LE(schema.roles.size(), schema.max_inputs);
    EXPECT_EQ(schema.fixed_range.has_value(), schema.behaviour == QuantBehaviour::kFixedRange);
    if (schema.fixed_range) {
      EXPECT_LT(schema.fixed_range->min, schema.fixed_range->max);
    }
    if (schema.commutative) {
      EXPECT_EQ(schema.role(0), schema.role(1));
      EXPECT_GE(schema.max_inputs, 2U);
    }
  }
}

TEST(Schemas, OfLinearOperatorsHaveAWeightAndItsAxis) {
  for (const OpSchema& schema : all_schemas()) {
    SCOPED_TRACE(schema.name);
    bool weight = false;
    for (Role role : schema.roles) weight = weight || role == Role::kWeight;
    EXPECT_EQ(weight, schema.weight_channel_axis != nullptr);
  }
}

TEST(Schemas, OfPassThroughOperatorsHaveDataFirst) {
  for (const OpSchema& schema : all_schemas()) {
    if (schema.behaviour != QuantBehaviour::kPassesThrough) continue;
    EXPECT_EQ(schema.role(0), Role::kData) << schema.name;
  }
}

TEST(InferNode, KnowsNothingOfUnknownOperatorsAndVersions) {
  OpCase c{"NoSuchOperator", {Tensor::scalar(1.0F)}};
  EXPECT_EQ((*infer_op(c))[0].type.storage, ir::DType::kUndefined);
  c = {"Gelu", {Tensor::scalar(1.0F)}, {}, 19};
  EXPECT_EQ((*infer_op(c))[0].type.storage, ir::DType::kUndefined);
  c.opset = 20;
  EXPECT_EQ((*infer_op(c))[0].type.storage, ir::DType::kFloat32);
  c.opset = 28;
  EXPECT_EQ((*infer_op(c))[0].type.storage, ir::DType::kUndefined);
}

TEST(InferNode, ChecksArity) {
  const Tensor one = Tensor::scalar(1.0F);
  EXPECT_THAT(infer_op({"Add", {one}}).error().message(), HasSubstr("input 1 is missing"));
  EXPECT_THAT(infer_op({"Add", {one, Operand()}}).error().message(),
              HasSubstr("input 1 is missing"));
  EXPECT_THAT(infer_op({"Add", {one, one, one}}).error().message(),
              HasSubstr("3 inputs, at most 2 expected"));
  OpCase c{"Add", {one, one}};
  c.outputs = 2;
  EXPECT_THAT(infer_op(c).error().message(), HasSubstr("2 outputs, at most 1 expected"));
}

TEST(InferNode, NamesOperandAndTypes) {
  auto result = infer_op({"Add", {Tensor::scalar(1.0F), Tensor::scalar<int32_t>(1)}});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), ErrorCode::kMalformed);
  EXPECT_EQ(result.error().message(), "input 1: int32 where input 0 is float32");
}

TEST(EvaluateNode, RefusesWhatItDoesNotKnowWithACure) {
  auto result = evaluate_op({"NoSuchOperator", {Tensor::scalar(1.0F)}});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), ErrorCode::kUnsupported);
  EXPECT_THAT(result.error().message(), HasSubstr("\"NoSuchOperator\" cannot be executed"));
  result = evaluate_op({"Gelu", {Tensor::scalar(1.0F)}, {}, 19});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), ErrorCode::kUnsupported);
  EXPECT_THAT(result.error().message(), HasSubstr("versions 20 to 27"));
}

TEST(EvaluateContext, ChargesOutputsToTheBudget) {
  const Tensor x = *Tensor::zeros(ir::DType::kFloat32, {100});
  MemoryBudget enough(400);
  EXPECT_TRUE(evaluate_op({"Relu", {x}}, &enough).ok());
  EXPECT_EQ(enough.used(), 400);
  MemoryBudget small(399);
  auto result = evaluate_op({"Relu", {x}}, &small);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), ErrorCode::kResourceLimit);
}

TEST(EvaluateContext, LeavesOnlyOutputsChargedAfterWideningHalves) {
  const Tensor x = *Tensor::zeros(ir::DType::kFloat16, {100});
  MemoryBudget budget(2000);
  ASSERT_TRUE(evaluate_op({"Add", {x, x}}, &budget).ok());
  EXPECT_EQ(budget.used(), 200);
}

TEST(EvaluateContext, RefusesShapesThatBroadcastBeyondMemory) {
  const int64_t n = 1 << 16;
  const Tensor column = *Tensor::zeros(ir::DType::kUint8, {n, 1, 1, 1});
  const Tensor row = *Tensor::zeros(ir::DType::kUint8, {1, n, 1, 1});
  MemoryBudget budget(1 << 20);
  auto result = evaluate_op({"Add", {column, row}}, &budget);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), ErrorCode::kResourceLimit);
}

}  // namespace
}  // namespace octet::ops
