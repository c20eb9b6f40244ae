#include "tests/support/op_expect.h"

namespace octet::testing {
namespace {

Operand of_shape(std::vector<ir::Dim> dims) {
  return Operand::of_type(ir::DType::kFloat32, ir::Shape(std::move(dims)));
}
const ir::Dim kN = ir::Dim::named("N");

TEST(Concat, JoinsAlongTheAxis) {
  expect_output({"Concat", {counting({2, 1}), counting({2, 2})}, {{"axis", int64_t{-1}}}},
                f32({2, 3}, {0, 0, 1, 1, 2, 3}));
  expect_output({"Concat", {counting({0, 2}), counting({1, 2})}, {{"axis", int64_t{0}}}},
                f32({1, 2}, {0, 1}));
}

TEST(Concat, InfersSumsAndShapeValues) {
  EXPECT_EQ(
      inferred_shape(
          {"Concat", {of_shape({kN, 3, 4}), of_shape({ir::Dim(), 5, 4})}, {{"axis", int64_t{1}}}}),
      "[N,8,4]");
  EXPECT_EQ(
      inferred_elements(
          {"Concat", {Operand::of_elements({kN}), known(Ints{3, 4})}, {{"axis", int64_t{0}}}}),
      "[N,3,4]");
}

TEST(Concat, MalformedNodesAreRefused) {
  const auto x = counting({2, 2});
  expect_malformed({"Concat", {x, counting({3, 3})}, {{"axis", int64_t{0}}}}, "input 1");
  expect_malformed({"Concat", {x, counting({2})}, {{"axis", int64_t{0}}}}, "input 1");
  expect_malformed({"Concat", {x, x}, {{"axis", int64_t{2}}}}, "axis 2 for a rank of 2");
  expect_malformed({"Concat", {x, x}}, "axis: missing");
  expect_malformed({"Concat", {x, i64({2, 2}, {1, 2, 3, 4})}, {{"axis", int64_t{0}}}}, "int64");
}

TEST(Split, PartsComeFromAttributeOperandOrCount) {
  const auto parts = [](OpCase c) {
    const auto out = evaluate_op(c);
    EXPECT_TRUE(out.ok()) << out.error().message();
    EXPECT_EQ(infer_op(c)->at(1).type.shape, ir::Shape::of((*out)[1].shape()));
    return std::pair(numbers((*out)[0]), numbers((*out)[1]));
  };
  using Two = std::pair<std::vector<double>, std::vector<double>>;
  const auto x = counting({5});
  EXPECT_EQ(parts({"Split", {x}, {{"split", Ints{1, 4}}}, 11, 2}), Two({0}, {1, 2, 3, 4}));
  EXPECT_EQ(parts({"Split", {x, known(Ints{2, 3})}, {}, 13, 2}), Two({0, 1}, {2, 3, 4}));
  EXPECT_EQ(parts({"Split", {counting({4})}, {}, 13, 2}), Two({0, 1}, {2, 3}));
  EXPECT_EQ(parts({"Split", {x}, {{"num_outputs", int64_t{2}}}, 18, 2}), Two({0, 1, 2}, {3, 4}));
}

TEST(Split, CutsInnerAxes) {
  OpCase c = {"Split", {counting({2, 3})}, {{"axis", int64_t{1}}, {"split", Ints{1, 2}}}, 11, 2};
  const auto out = evaluate_op(c);
  EXPECT_EQ((*out)[0], f32({2, 1}, {0, 3}));
  EXPECT_EQ((*out)[1], f32({2, 2}, {1, 2, 4, 5}));
}

TEST(Split, MalformedNodesAreRefused) {
  const auto x = counting({5});
  expect_malformed({"Split", {x, known(Ints{2, 2})}, {}, 13, 2}, "add up to 4 of 5");
  expect_malformed({"Split", {x, known(Ints{9, 2})}, {}, 13, 2}, "more than 5");
  expect_malformed({"Split", {x, known(Ints{6, -1})}, {}, 13, 2}, "part of -1");
  expect_malformed({"Split", {x, known(Ints{5})}, {}, 13, 2}, "1 parts for 2 outputs");
  expect_malformed({"Split", {x}, {}, 13, 2}, "equal parts");
}

OpCase slice(ir::Tensor x, Ints starts, Ints ends, Ints axes, Ints steps) {
  return {"Slice", {std::move(x), known(starts), known(ends), known(axes), known(steps)}};
}

TEST(Slice, BoundsCountFromTheEndAndAreClamped) {
  const auto x = counting({5});
  expect_output(slice(x, {1}, {-1}, {0}, {1}), f32({3}, {1, 2, 3}));
  expect_output(slice(x, {-100}, {100}, {0}, {2}), f32({3}, {0, 2, 4}));
  expect_output(slice(x, {-1}, {INT64_MIN}, {-1}, {-1}), f32({5}, {4, 3, 2, 1, 0}));
  expect_output(slice(x, {3}, {0}, {0}, {-2}), f32({2}, {3, 1}));
  expect_output(slice(x, {3}, {1}, {0}, {1}), f32({0}, {}));
  expect_output(slice(x, {INT64_MAX}, {INT64_MIN}, {0}, {INT64_MIN}), f32({1}, {4}));
}

TEST(Slice, AttributesBeforeOpset10) {
  expect_output({"Slice", {counting({2, 3})}, {{"starts", Ints{1, 0}}, {"ends", Ints{2, -1}}}, 9},
                f32({1, 2}, {3, 4}));
}

TEST(Slice, InfersPartialShapesAndValues) {
  OpCase c = slice(counting({1}), {0, 1}, {INT64_MAX, 3}, {0, 1}, {1, 1});
  c.operands[0] = of_shape({kN, 8});
  EXPECT_EQ(inferred_shape(c), "[N,2]");
  OpCase values = slice(counting({1}), {-2}, {INT64_MAX}, {0}, {1});
  values.operands[0] = Operand::of_elements({kN, 3, 224, 224});
  EXPECT_EQ(inferred_elements(values), "[224,224]");
}

TEST(Slice, MalformedNodesAreRefused) {
  const auto x = counting({5});
  expect_malformed(slice(x, {0}, {1}, {0}, {0}), "steps: 0");
  expect_malformed(slice(x, {0}, {1}, {1}, {1}), "axis 1 for a rank of 1");
  expect_malformed(slice(x, {0, 0}, {1}, {0}, {1}), "2 starts, 1 ends");
}

TEST(Transpose, PermutesAxes) {
  expect_output({"Transpose", {counting({2, 3})}}, f32({3, 2}, {0, 3, 1, 4, 2, 5}));
  expect_output({"Transpose", {counting({2, 1, 2})}, {{"perm", Ints{1, 2, 0}}}},
                f32({1, 2, 2}, {0, 2, 1, 3}));
  EXPECT_EQ(inferred_shape({"Transpose", {of_shape({kN, 3, 4})}, {{"perm", Ints{0, 2, 1}}}}),
            "[N,4,3]");
}

TEST(Transpose, MovesElementsOfAnyWidth) {
  expect_output({"Transpose", {ir::Tensor::of<bool>({1, 2}, {true, false})}},
                ir::Tensor::of<bool>({2, 1}, {true, false}));
  expect_output({"Transpose", {ir::Tensor::of<int16_t>({2, 2}, {1, 2, 3, 4})}},
                ir::Tensor::of<int16_t>({2, 2}, {1, 3, 2, 4}));
}

TEST(Transpose, MalformedPermutationsAreRefused) {
  expect_malformed({"Transpose", {counting({2, 3})}, {{"perm", Ints{0, 0}}}}, "twice");
  expect_malformed({"Transpose", {counting({2, 3})}, {{"perm", Ints{0, 2}}}}, "axis 2");
  expect_malformed({"Transpose", {counting({2, 3})}, {{"perm", Ints{0}}}}, "1 axes for a rank");
}

TEST(DepthToSpace, ModesDifferInTheOrderOfDepth) {
  OpCase c = {"DepthToSpace", {counting({1, 8, 1, 1})}, {{"blocksize", int64_t{2}}}};
  expect_output(c, f32({1, 2, 2, 2}, {0, 2, 4, 6, 1, 3, 5, 7}));
  c.attributes["mode"] = std::string("CRD");
  expect_output(c, counting({1, 2, 2, 2}));
  c.attributes["blocksize"] = int64_t{3};
  expect_malformed(c, "does not divide by 9");
  c.attributes["blocksize"] = int64_t{0};
  expect_malformed(c, "blocksize is 0");
}

TEST(SpaceToDepth, InvertsDepthToSpace) {
  expect_output(
      {"SpaceToDepth", {f32({1, 2, 2, 2}, {0, 2, 4, 6, 1, 3, 5, 7})}, {{"blocksize", int64_t{2}}}},
      counting({1, 8, 1, 1}));
}

TEST(Expand, BroadcastsBothWays) {
  expect_output({"Expand", {counting({2, 1}), known(Ints{3, 1, 2})}},
                f32({3, 2, 2}, {0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1}));
  EXPECT_EQ(inferred_shape({"Expand", {of_shape({1, 4}), Operand::of_elements({kN, ir::Dim()})}}),
            "[N,4]");
  expect_malformed({"Expand", {counting({2}), known(Ints{3})}}, "broadcast");
  expect_malformed({"Expand", {counting({2}), known(Ints{-1})}}, "-1");
}

TEST(Tile, RepeatsEachAxis) {
  expect_output({"Tile", {counting({2, 1}), known(Ints{1, 2})}}, f32({2, 2}, {0, 0, 1, 1}));
  expect_output({"Tile", {counting({2}), known(Ints{2})}}, f32({4}, {0, 1, 0, 1}));
  expect_malformed({"Tile", {counting({2}), known(Ints{2, 2})}}, "2 repeats for a rank of 1");
  expect_malformed({"Tile", {counting({2}), known(Ints{-2})}}, "-2 repeats");
}

OpCase pad(const std::string& mode, Ints pads, ir::Tensor x) {
  return {"Pad", {std::move(x), known(pads)}, {{"mode", mode}}, 19};
}

TEST(Pad, ModesFillTheBorder) {
  const auto x = counting({3});
  expect_output(pad("constant", {1, 2}, x), f32({6}, {0, 0, 1, 2, 0, 0}));
  expect_output(pad("edge", {1, 2}, x), f32({6}, {0, 0, 1, 2, 2, 2}));
  expect_output(pad("reflect", {2, 2}, x), f32({7}, {2, 1, 0, 1, 2, 1, 0}));
  expect_output(pad("wrap", {1, 2}, x), f32({6}, {2, 0, 1, 2, 0, 1}));
  expect_output(pad("reflect", {5, 0}, x), f32({8}, {1, 0, 1, 2, 1, 0, 1, 2}));
}

TEST(Pad, NegativePadsCutOff) {
  expect_output(pad("constant", {-1, 1}, counting({3})), f32({3}, {1, 2, 0}));
}

TEST(Pad, ValueAndAxesAreOperands) {
  OpCase c = pad("constant", {1, 0}, counting({1, 2}));
  c.operands.push_back(f32({}, {9}));
  c.operands.push_back(known(Ints{-1}));
  expect_output(c, f32({1, 3}, {9, 0, 1}));
}

TEST(Pad, AttributesBeforeOpset11) {
  expect_output({"Pad", {counting({2})}, {{"pads", Ints{0, 1}}, {"value", 7.0F}}, 10},
                f32({3}, {0, 1, 7}));
}

TEST(Pad, MalformedNodesAreRefused) {
  const auto x = counting({3});
  expect_malformed(pad("mirror", {0, 0}, x), "attribute mode");
  expect_malformed(pad("constant", {0, 0, 0}, x), "3 numbers for 1 axes");
  expect_malformed(pad("constant", {-4, 0}, x), "extent of 3");
  expect_malformed(pad("constant", {INT64_MIN, INT64_MAX}, x), "pads");
}

TEST(Trilu, KeepsOneTriangle) {
  OpCase c = {"Trilu", {counting({3, 3})}};
  expect_output(c, f32({3, 3}, {0, 1, 2, 0, 4, 5, 0, 0, 8}));
  c.operands.push_back(i64({}, {1}));
  expect_output(c, f32({3, 3}, {0, 1, 2, 0, 0, 5, 0, 0, 0}));
  c.attributes["upper"] = int64_t{0};
  expect_output(c, f32({3, 3}, {0, 1, 0, 3, 4, 5, 6, 7, 8}));
  c.operands[1] = i64({}, {INT64_MIN});
  expect_output(c, f32({3, 3}, std::vector<float>(9, 0)));
}

TEST(ReverseSequence, TurnsTheFirstElementsOfEachSequence) {
  expect_output({"ReverseSequence", {counting({3, 2}), i64({2}, {3, 1})}},
                f32({3, 2}, {4, 1, 2, 3, 0, 5}));
}

TEST(Movement, PackedElementsMoveToo) {
  const auto int4 = [](Extents shape, std::vector<uint8_t> pairs) {
    std::vector<std::byte> bytes;
    for (uint8_t pair : pairs) bytes.push_back(std::byte{pair});
    return *ir::Tensor::from_bytes(ir::DType::kInt4, std::move(shape), std::move(bytes));
  };
  // -1 2 3 | 4 -5 6
  const auto x = int4({2, 3}, {0x2F, 0x43, 0x6B});
  expect_output({"Transpose", {x}}, int4({3, 2}, {0x4F, 0xB2, 0x63}));
  expect_output({"Gather", {x, i64({1}, {1})}}, int4({1, 3}, {0xB4, 0x06}));
  expect_evaluation_error(
      {"Concat", {x, ir::Tensor::of<uint8_t>({1, 3}, {1, 2, 3})}, {{"axis", int64_t{0}}}},
      ErrorCode::kMalformed, "uint8 where input 0 is int4");
}

TEST(Movement, BombsAreRefusedByTheBudget) {
  const int64_t huge = int64_t{1} << 40;
  const auto x = counting({1});
  expect_evaluation_error({"Expand", {x, known(Ints{huge})}}, ErrorCode::kResourceLimit, "");
  expect_evaluation_error({"Tile", {x, known(Ints{huge})}}, ErrorCode::kResourceLimit, "");
  expect_evaluation_error(pad("edge", {huge, 0}, x), ErrorCode::kResourceLimit, "");
  expect_evaluation_error({"Expand", {x, known(Ints{huge, huge})}}, ErrorCode::kResourceLimit, "");
}

}  // namespace
}  // namespace octet::testing
