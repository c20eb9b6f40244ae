#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/support/op_runner.h"

namespace octet::ops {
namespace {

using ir::Dim;
using ir::DType;
using ir::Shape;
using ir::Tensor;
using octet::testing::infer_op;
using octet::testing::OpCase;
using octet::testing::Operand;
using octet::testing::run_op;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Ints = std::vector<int64_t>;

template <typename T>
std::vector<T> values(const octet::testing::OpResult& result) {
  EXPECT_EQ(result.error, "");
  const auto data = result.tensor.data<T>();
  return {data.begin(), data.end()};
}

Operand axes(const Ints& list) {
  return Operand::of_constant(Tensor::of<int64_t>({static_cast<int64_t>(list.size())}, list));
}

Tensor cube() { return Tensor::of<float>({2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8}); }

TEST(Reduce, TakesAxesFromTheAttributeThenFromAnInput) {
  EXPECT_THAT(values<float>(run_op({"ReduceMean", {cube()}, {{"axes", Ints{1}}}, 17})),
              ElementsAre(2, 3, 6, 7));
  EXPECT_THAT(values<float>(run_op({"ReduceMean", {cube(), axes({1})}, {}, 18})),
              ElementsAre(2, 3, 6, 7));
  EXPECT_THAT(values<float>(run_op({"ReduceSum", {cube()}, {{"axes", Ints{-1}}}, 12})),
              ElementsAre(3, 7, 11, 15));
  EXPECT_THAT(values<float>(run_op({"ReduceSum", {cube(), axes({0, 2})}, {}, 13})),
              ElementsAre(14, 22));
}

TEST(Reduce, WithoutAxesReducesAllUnlessNoop) {
  EXPECT_THAT(values<float>(run_op({"ReduceSum", {cube()}, {}, 13})), ElementsAre(36));
  EXPECT_THAT(values<float>(run_op({"ReduceSum", {cube(), axes({})}, {}, 13})), ElementsAre(36));
  const ir::AttributeMap noop = {{"noop_with_empty_axes", int64_t{1}}};
  EXPECT_EQ(run_op({"ReduceSum", {cube(), axes({})}, noop, 13}).tensor, cube());
  EXPECT_EQ(run_op({"ReduceSum", {cube()}, noop, 13}).tensor, cube());
  // The steps around the sum are still done.
  EXPECT_THAT(
      values<float>(run_op({"ReduceSumSquare", {Tensor::of<float>({2}, {-2, 3})}, noop, 18})),
      ElementsAre(4, 9));
}

TEST(Reduce, DropsOrKeepsAxes) {
  EXPECT_EQ(run_op({"ReduceMax", {cube()}, {{"axes", Ints{1}}, {"keepdims", int64_t{0}}}, 13})
                .tensor.shape(),
            (Ints{2, 2}));
  EXPECT_EQ(run_op({"ReduceMax", {cube()}, {{"axes", Ints{1}}}, 13}).tensor.shape(),
            (Ints{2, 1, 2}));
  EXPECT_EQ(run_op({"ReduceMax", {cube()}, {{"keepdims", int64_t{0}}}, 13}).tensor.rank(), 0U);
  EXPECT_THAT(values<float>(run_op({"ReduceMax", {Tensor::scalar(5.0F)}, {}, 13})), ElementsAre(5));
}

TEST(Reduce, RefusesBadAxes) {
  EXPECT_THAT(run_op({"ReduceSum", {cube(), axes({3})}, {}, 13}).error,
              HasSubstr("axis 3 for a rank of 3"));
  EXPECT_THAT(run_op({"ReduceSum", {cube(), axes({0, -3})}, {}, 13}).error,
              HasSubstr("axis -3 given twice"));
}

TEST(Reduce, OfNothingGivesTheNeutralElement) {
  const Tensor empty = Tensor::of<float>({2, 0}, {});
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const auto reduce = [&](const std::string& op) {
    const auto out = values<float>(run_op({op, {empty, axes({1})}, {}, 18}));
    EXPECT_EQ(out.size(), 2U);
    return out[0];
  };
  EXPECT_EQ(reduce("ReduceL1"), 0.0F);
  EXPECT_EQ(reduce("ReduceL2"), 0.0F);
  EXPECT_EQ(reduce("ReduceLogSum"), -kInf);
  EXPECT_EQ(reduce("ReduceLogSumExp"), -kInf);
  EXPECT_EQ(reduce("ReduceMax"), -kInf);
  EXPECT_EQ(reduce("ReduceMin"), kInf);
  EXPECT_EQ(reduce("ReduceProd"), 1.0F);
  EXPECT_EQ(reduce("ReduceSum"), 0.0F);
  EXPECT_EQ(reduce("ReduceSumSquare"), 0.0F);
  EXPECT_TRUE(std::isnan(reduce("ReduceMean")));
  EXPECT_THAT(run_op({"ReduceMean", {Tensor::of<int32_t>({0}, {})}, {}, 13}).error,
              HasSubstr("mean of no integers"));
  EXPECT_THAT(values<int8_t>(run_op({"ReduceMax", {Tensor::of<int8_t>({0}, {})}, {}, 13})),
              ElementsAre(-128));
}

TEST(Reduce, AccumulatesFloatsInDouble) {
  // 2^24 + 1 + 1: each 1 would be lost in float32.
  const Tensor x = Tensor::of<float>({3}, {16777216.0F, 1.0F, 1.0F});
  EXPECT_THAT(values<float>(run_op({"ReduceSum", {x}, {}, 13})), ElementsAre(16777218.0F));
}

TEST(Reduce, WrapsIntegersAndTruncatesTheirMean) {
  EXPECT_THAT(
      values<int32_t>(run_op({"ReduceSum", {Tensor::of<int32_t>({2}, {INT32_MAX, 1})}, {}, 13})),
      ElementsAre(INT32_MIN));
  EXPECT_THAT(values<int32_t>(run_op({"ReduceMean", {Tensor::of<int32_t>({2}, {-4, -3})}, {}, 13})),
              ElementsAre(-3));
  EXPECT_THAT(values<int32_t>(run_op({"ReduceL2", {Tensor::of<int32_t>({2}, {3, 4})}, {}, 13})),
              ElementsAre(5));
}

TEST(Reduce, LogSumExpDoesNotOverflow) {
  const Tensor x = Tensor::of<float>({2}, {1000.0F, 1000.0F});
  EXPECT_FLOAT_EQ(values<float>(run_op({"ReduceLogSumExp", {x}, {}, 13}))[0],
                  1000.0F + std::log(2.0F));
  const float inf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(
      values<float>(run_op({"ReduceLogSumExp", {Tensor::of<float>({2}, {-inf, -inf})}, {}, 13}))[0],
      -inf);
  EXPECT_EQ(
      values<float>(run_op({"ReduceLogSumExp", {Tensor::of<float>({2}, {inf, 0})}, {}, 13}))[0],
      inf);
}

TEST(Reduce, ReducesEveryMixOfAxes) {
  const Tensor x = [] {
    std::vector<float> v(2 * 3 * 4 * 5);
    for (size_t i = 0; i < v.size(); ++i) v[i] = static_cast<float>(i % 17);
    return Tensor::of<float>({2, 3, 4, 5}, v);
  }();
  for (int mask = 1; mask < 16; ++mask) {
    Ints list;
    for (int64_t axis = 0; axis < 4; ++axis) {
      if ((mask >> axis & 1) != 0) list.push_back(axis);
    }
    const auto out = run_op({"ReduceSum", {x, axes(list)}, {}, 13});
    ASSERT_EQ(out.error, "");
    std::vector<float> expected(static_cast<size_t>(out.tensor.element_count()), 0.0F);
    const Ints& kept = out.tensor.shape();
    for (int64_t i = 0; i < x.element_count(); ++i) {
      const Ints index = {i / 60, i / 20 % 3, i / 5 % 4, i % 5};
      int64_t at = 0;
      for (size_t a = 0; a < 4; ++a) at = at * kept[a] + (kept[a] == 1 ? 0 : index[a]);
      expected[static_cast<size_t>(at)] += x.data<float>()[static_cast<size_t>(i)];
    }
    EXPECT_EQ(values<float>(out), expected) << mask;
  }
}

TEST(Reduce, InfersWithoutKnowingTheAxes) {
  const Operand x = Operand::of_type(DType::kFloat32, Shape({Dim::named("N"), Dim(3), Dim(4)}));
  const Operand two = Operand::of_type(DType::kInt64, Shape::of({2}));
  EXPECT_EQ((*infer_op({"ReduceSum", {x, two}}))[0].type.to_string(), "float32[?,?,?]");
  EXPECT_EQ((*infer_op({"ReduceSum", {x, two}, {{"keepdims", int64_t{0}}}}))[0].type.to_string(),
            "float32[?]");
  EXPECT_EQ((*infer_op({"ReduceSum", {x, axes({-1})}}))[0].type.to_string(), "float32[N,3,1]");
}

TEST(Reduce, MultipliesKnownExtents) {
  auto facts = infer_op(
      {"ReduceProd", {Operand::of_elements({Dim(2), Dim(3), Dim(4)})}, {{"keepdims", int64_t{0}}}});
  ASSERT_TRUE(facts.ok());
  EXPECT_EQ((*facts)[0].elements, std::vector<Dim>{Dim(24)});
}

TEST(ArgMax, BreaksTies) {
  const Tensor x = Tensor::of<float>({2, 3}, {3, 3, 1, 0, 1, 1});
  const ir::AttributeMap rows = {{"axis", int64_t{1}}};
  EXPECT_THAT(values<int64_t>(run_op({"ArgMax", {x}, rows})), ElementsAre(0, 1));
  EXPECT_THAT(values<int64_t>(run_op(
                  {"ArgMax", {x}, {{"axis", int64_t{-1}}, {"select_last_index", int64_t{1}}}})),
              ElementsAre(1, 2));
  EXPECT_THAT(values<int64_t>(run_op({"ArgMin", {x}})), ElementsAre(1, 1, 0));
  const auto flat = run_op({"ArgMax", {x}, {{"keepdims", int64_t{0}}}});
  EXPECT_EQ(flat.tensor.shape(), (Ints{3}));
}

TEST(ArgMax, RefusesAnEmptyAxisAndTakesOtherEmptyOnes) {
  EXPECT_THAT(run_op({"ArgMax", {Tensor::of<float>({0, 2}, {})}}).error,
              HasSubstr("axis 0 is empty"));
  EXPECT_EQ(run_op({"ArgMax", {Tensor::of<float>({2, 0}, {})}}).tensor.shape(), (Ints{1, 0}));
}

TEST(CumSum, RunsBothWays) {
  const Tensor x = Tensor::of<float>({3}, {1, 2, 4});
  const Tensor axis = Tensor::scalar<int64_t>(0);
  EXPECT_THAT(values<float>(run_op({"CumSum", {x, axis}})), ElementsAre(1, 3, 7));
  EXPECT_THAT(values<float>(run_op({"CumSum", {x, axis}, {{"exclusive", int64_t{1}}}})),
              ElementsAre(0, 1, 3));
  EXPECT_THAT(values<float>(run_op({"CumSum", {x, axis}, {{"reverse", int64_t{1}}}})),
              ElementsAre(7, 6, 4));
  EXPECT_THAT(run_op({"CumSum", {x, Tensor::scalar<int64_t>(1)}}).error,
              HasSubstr("axis 1 for a rank of 1"));
}

}  // namespace
}  // namespace octet::ops
