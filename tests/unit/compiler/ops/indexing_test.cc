#include <cmath>
#include <limits>

#include "tests/support/op_expect.h"

namespace octet::testing {
namespace {

const ir::Dim kN = ir::Dim::named("N");

TEST(Gather, PicksSlicesAlongTheAxis) {
  const auto x = counting({2, 3});
  expect_output({"Gather", {x, i64({2}, {1, -2})}}, f32({2, 3}, {3, 4, 5, 0, 1, 2}));
  expect_output({"Gather", {x, i64({}, {2})}, {{"axis", int64_t{1}}}}, f32({2}, {2, 5}));
  expect_output({"Gather", {x, ir::Tensor::of<int32_t>({1, 1}, {0})}}, f32({1, 1, 3}, {0, 1, 2}));
}

TEST(Gather, InfersShapeValues) {
  EXPECT_EQ(inferred_elements({"Gather", {Operand::of_elements({kN, 3}), known(i64({}, {0}))}}),
            "[N]");
  EXPECT_EQ(inferred_elements({"Gather", {Operand::of_elements({kN, 3}), known(Ints{-1, 0})}}),
            "[3,N]");
}

TEST(Gather, IndicesOutOfRangeAreRefused) {
  const auto x = counting({2, 3});
  for (int64_t bad : {int64_t{2}, int64_t{-3}, INT64_MIN, INT64_MAX}) {
    expect_evaluation_error({"Gather", {x, i64({1}, {bad})}}, ErrorCode::kMalformed,
                            "for an extent of 2");
  }
  expect_malformed({"Gather", {x, f32({1}, {0})}}, "int32 or int64");
}

TEST(GatherElements, PicksOneElementEach) {
  expect_output(
      {"GatherElements", {counting({2, 2}), i64({2, 2}, {0, 0, -1, 0})}, {{"axis", int64_t{1}}}},
      f32({2, 2}, {0, 0, 3, 2}));
  expect_malformed({"GatherElements", {counting({2, 2}), i64({2}, {0, 0})}}, "rank 1");
  expect_evaluation_error({"GatherElements", {counting({2, 2}), i64({1, 3}, {0, 0, 0})}},
                          ErrorCode::kMalformed, "extent 3 on axis 1");
}

TEST(GatherND, TuplesIndexTheLeadingAxes) {
  const auto x = counting({2, 2, 2});
  expect_output({"GatherND", {x, i64({2, 2}, {0, 1, 1, 0})}}, f32({2, 2}, {2, 3, 4, 5}));
  expect_output({"GatherND", {x, i64({2, 1}, {1, 0})}, {{"batch_dims", int64_t{1}}}},
                f32({2, 2}, {2, 3, 4, 5}));
  expect_malformed({"GatherND", {x, i64({1, 4}, {0, 0, 0, 0})}}, "indices into 4 axes of 3");
  expect_malformed({"GatherND", {x, i64({1, 1}, {0})}, {{"batch_dims", int64_t{2}}}},
                   "batch_dims is 2");
}

TEST(ScatterElements, ReplacesOrReduces) {
  OpCase c = {"ScatterElements",
              {f32({3}, {1, 2, 3}), i64({3}, {0, 0, -1}), f32({3}, {10, 20, 30})},
              {},
              18};
  expect_output(c, f32({3}, {20, 2, 30}));
  c.attributes["reduction"] = std::string("add");
  expect_output(c, f32({3}, {31, 2, 33}));
  c.attributes["reduction"] = std::string("max");
  expect_output(c, f32({3}, {20, 2, 30}));
  c.attributes["reduction"] = std::string("mul");
  expect_output(c, f32({3}, {200, 2, 90}));
  c.operands[1] = i64({3}, {0, 3, 0});
  expect_evaluation_error(c, ErrorCode::kMalformed, "index 3 for an extent of 3");
}

TEST(ScatterND, WritesSlices) {
  OpCase c = {"ScatterND", {counting({2, 2}), i64({1, 1}, {1}), f32({1, 2}, {8, 9})}};
  expect_output(c, f32({2, 2}, {0, 1, 8, 9}));
  c.operands[2] = f32({2}, {8, 9});
  expect_evaluation_error(c, ErrorCode::kMalformed, "must be [1,2]");
}

TEST(TopK, SortsAndBreaksTiesByIndex) {
  OpCase c = {"TopK", {f32({1, 4}, {1, 3, 3, 2}), known(Ints{3})}, {}, 11, 2};
  auto out = evaluate_op(c);
  ASSERT_TRUE(out.ok());
  EXPECT_EQ((*out)[0], f32({1, 3}, {3, 3, 2}));
  EXPECT_EQ((*out)[1], i64({1, 3}, {1, 2, 3}));
  c.attributes["largest"] = int64_t{0};
  out = evaluate_op(c);
  EXPECT_EQ((*out)[1], i64({1, 3}, {0, 3, 1}));
  EXPECT_EQ(inferred_shape(c), "[1,3]");
}

TEST(TopK, AcceptsNan) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  OpCase c = {"TopK", {f32({4}, {1, nan, 5, nan}), known(Ints{3})}, {}, 11, 2};
  EXPECT_EQ((*evaluate_op(c))[1], i64({3}, {1, 3, 2}));
}

TEST(TopK, KIsAnAttributeBeforeOpset10AndBounded) {
  const auto x = f32({3}, {1, 3, 2});
  expect_output({"TopK", {x}, {{"k", int64_t{1}}}, 9}, f32({1}, {3}));
  expect_malformed({"TopK", {x, known(Ints{4})}}, "k is 4 for an extent of 3");
  expect_malformed({"TopK", {x, known(Ints{-1})}}, "k is -1");
}

TEST(OneHot, SetsOneElementPerIndex) {
  OpCase c = {"OneHot", {i64({2}, {1, -1}), known(i64({}, {3})), f32({2}, {0, 5})}};
  expect_output(c, f32({2, 3}, {0, 5, 0, 0, 0, 5}));
  c.attributes["axis"] = int64_t{0};
  expect_output(c, f32({3, 2}, {0, 0, 5, 0, 0, 5}));
  c.operands[0] = i64({1}, {INT64_MAX});
  expect_output(c, f32({3, 1}, {0, 0, 0}));
  c.operands[1] = known(i64({}, {-3}));
  expect_malformed(c, "depth of -3");
  c.operands[1] = known(i64({}, {int64_t{1} << 31}));
  expect_evaluation_error(c, ErrorCode::kResourceLimit, "");
}

TEST(NonZero, ListsIndicesColumnwise) {
  expect_output({"NonZero", {f32({2, 2}, {1, 0, -0.0F, 3})}}, i64({2, 2}, {0, 1, 0, 1}));
  expect_output({"NonZero", {f32({}, {2})}}, i64({1, 1}, {0}));
}

TEST(Compress, KeepsWhatTheConditionHolds) {
  const auto condition = ir::Tensor::of<bool>({2}, {false, true});
  expect_output({"Compress", {counting({2, 2}), condition}, {{"axis", int64_t{1}}}},
                f32({2, 1}, {1, 3}));
  expect_output({"Compress", {counting({2, 2}), condition}}, f32({1}, {1}));
}

TEST(GridSample, ReadsAtNormalizedPositions) {
  OpCase c = {"GridSample",
              {counting({1, 1, 2, 2}), f32({1, 1, 3, 2}, {-1, -1, 0, 0, 3, 1})},
              {{"align_corners", int64_t{1}}}};
  expect_output(c, f32({1, 1, 1, 3}, {0, 1.5F, 0}));
  c.attributes["padding_mode"] = std::string("border");
  expect_output(c, f32({1, 1, 1, 3}, {0, 1.5F, 3}));
  c.operands[1] = f32({1, 1, 2}, {0, 0});
  expect_malformed(c, "rank 3 for a data rank of 4");
}

TEST(EyeLike, SetsADiagonal) {
  expect_output({"EyeLike", {counting({2, 3})}, {{"k", int64_t{1}}, {"dtype", int64_t{7}}}},
                i64({2, 3}, {0, 1, 0, 0, 0, 1}));
}

}  // namespace
}  // namespace octet::testing
