// Operators that move elements, and resizing, against reference evaluation.
#include <numeric>

#include "tests/unit/compiler/interpreter/compare.h"

namespace octet::interpreter {
namespace {

TEST(Move, TransposeIsLikeReference) {
  for (const Ints& order :
       {Ints{0, 1, 2, 3}, Ints{3, 2, 1, 0}, Ints{0, 2, 1, 3}, Ints{0, 1, 3, 2}, Ints{1, 2, 3, 0},
        Ints{0, 3, 1, 2}, Ints{0, 2, 3, 1}, Ints{2, 3, 0, 1}, Ints{1, 0, 2, 3}}) {
    auto b = builder();
    b.output(b.op("Transpose", {b.input("x", {2, 21, 5, 6})}, {{"perm", order}}));
    b.output(b.op("Transpose", {blocked(b, "conv")}, {{"perm", order}}));
    const ValueId ids = b.op("Cast", {b.input("y", {2, 3, 4, 5})}, {{"to", int64_t{7}}});
    b.output(b.op("Transpose", {ids}, {{"perm", order}}));
    expect_like_reference(b.finish());
  }
}

TEST(Move, ConcatAndSplitAreLikeReference) {
  for (int64_t axis : {0, 1, 2, -1}) {
    for (int64_t channels : {16, 21, 32}) {
      auto b = builder();
      const ValueId x = blocked(b, "one", channels);
      const ValueId y = blocked(b, "two", channels);
      const ValueId z = b.input("plain", {2, channels, 5, 6});
      const ValueId joined = b.op("Concat", {x, y, z}, {{"axis", axis}}, "joined");
      b.output(joined);
      b.output(b.op("Relu", {b.op("Concat", {z, z}, {{"axis", axis}})}));
      b.output(b.op("MaxPool", {joined}, {{"kernel_shape", Ints{2, 2}}}));
      expect_like_reference(b.finish());
    }
  }
  for (int64_t channels : {32, 42}) {
    for (int64_t axis : {1, 3}) {
      auto b = builder();
      for (ValueId x : {blocked(b, "conv", channels), b.input("x", {2, channels, 5, 6})}) {
        ir::NodeSpec spec{"Split", {x}, {{"axis", axis}}, cat("split", x.value)};
        spec.outputs = 2;
        for (ValueId id : b.node(spec)) b.output(b.op("Relu", {id}));
      }
      expect_like_reference(b.finish());
    }
  }
}

ValueId numbers(GraphBuilder& b, const Ints& values) {
  return b.constant(b.graph().unique_value_name("numbers"),
                    Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values));
}

TEST(Move, SliceIsLikeReference) {
  struct Case {
    Ints starts, ends, axes, steps;
  };
  for (const Case& c : {Case{{0, 0}, {9, 9}, {2, 3}, {2, 2}},
                        {{-4}, {INT64_MAX}, {-1}, {3}},
                        {{1, 3}, {2, -1}, {0, 1}, {1, 2}},
                        {{-1}, {-99}, {3}, {-2}},
                        {{1}, {2}, {0}, {50}}}) {
    auto b = builder();
    const auto slice = [&](ValueId x) {
      return b.op("Slice", {x, numbers(b, c.starts), numbers(b, c.ends), numbers(b, c.axes),
                            numbers(b, c.steps)});
    };
    for (const int64_t channels : {16, 21}) {
      const ValueId x = blocked(b, cat("conv", channels), channels);
      b.output(b.op("Relu", {slice(x)}));
    }
    b.output(slice(b.input("x", {2, 5, 6, 7})));
    const ValueId ids = b.op("Cast", {b.input("y", {2, 5, 6, 7})}, {{"to", int64_t{7}}});
    b.output(slice(ids));
    expect_like_reference(b.finish());
  }
  auto old = builder(9);
  old.output(old.op("Slice", {old.input("x", {3, 8})},
                    {{"starts", Ints{1, -5}}, {"ends", Ints{3, 7}}, {"axes", Ints{0, 1}}}));
  expect_like_reference(old.finish());
}

TEST(Move, PadIsLikeReference) {
  for (const Ints& pads :
       {Ints{0, 0, 1, 2, 0, 0, 3, 0}, Ints{0, 8, 0, 0, 0, 8, 0, 0}, Ints{0, 40, 0, 0, 0, 3, 0, 0},
        Ints{1, 2, 3, 4, 5, 6, 7, 8}, Ints{0, 0, -1, 0, 0, 0, 2, 0}}) {
    auto b = builder();
    for (const int64_t channels : {16, 21}) {
      const ValueId padded =
          b.op("Pad", {blocked(b, cat("conv", channels), channels), numbers(b, pads)});
      b.output(b.op("MaxPool", {padded}, {{"kernel_shape", Ints{2, 2}}}));
    }
    const ValueId x = b.input("x", {2, 5, 6, 7});
    b.output(b.op("Pad", {x, numbers(b, pads)}));
    const ValueId one = b.constant("one", Tensor::scalar(1.0F));
    b.output(b.op("Pad", {x, numbers(b, pads), one}));
    b.output(b.op("Pad", {x, numbers(b, pads)}, {{"mode", std::string("edge")}}));
    expect_like_reference(b.finish());
  }
}

TEST(Move, UnevenPartsOfBlocksAreLikeReference) {
  for (const Ints& parts : {Ints{29, 29}, Ints{3, 50, 5}, Ints{16, 42}, Ints{1, 57}}) {
    auto b = builder();
    const ValueId x = blocked(b, "conv", 58);
    ir::NodeSpec spec{
        "Split",
        {x, b.constant("split", Tensor::of<int64_t>({static_cast<int64_t>(parts.size())}, parts))},
        {{"axis", int64_t{1}}},
        "split"};
    spec.outputs = parts.size();
    std::vector<ValueId> pieces = b.node(spec);
    for (ValueId id : pieces) b.output(b.op("MaxPool", {id}, {{"kernel_shape", Ints{2, 2}}}));
    std::reverse(pieces.begin(), pieces.end());
    const ValueId joined = b.op("Concat", pieces, {{"axis", int64_t{1}}});
    b.output(b.op("MaxPool", {joined}, {{"kernel_shape", Ints{2, 2}}}));
    expect_like_reference(b.finish());
  }
}

// Reshape, Transpose and Reshape that interleave `groups` groups of channels.
ValueId shuffle(GraphBuilder& b, const std::string& name, ValueId x, const Ints& shape,
                int64_t groups) {
  Ints grouped = {shape[0], groups, shape[1] / groups};
  grouped.insert(grouped.end(), shape.begin() + 2, shape.end());
  Ints order(grouped.size());
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[1], order[2]);
  const auto shape_of = [&](const std::string& what, const Ints& extents) {
    return b.constant(name + what,
                      Tensor::of<int64_t>({static_cast<int64_t>(extents.size())}, extents));
  };
  const ValueId cut = b.op("Reshape", {x, shape_of("_cut", grouped)});
  const ValueId turned = b.op("Transpose", {cut}, {{"perm", order}});
  return b.op("Reshape", {turned, shape_of("_join", shape)}, {}, name);
}

TEST(Move, ShufflesOfChannelsAreLikeReference) {
  for (const auto& [channels, groups] : {std::pair{58, 2}, {48, 3}, {16, 2}, {32, 4}, {6, 6}}) {
    auto b = builder();
    const Ints shape = {2, channels, 5, 6};
    const ValueId in_blocks = shuffle(b, "a", blocked(b, "conv", channels), shape, groups);
    b.output(b.op("MaxPool", {in_blocks}, {{"kernel_shape", Ints{2, 2}}}));
    const ValueId in_rows = shuffle(b, "b", b.input("x", shape), shape, groups);
    b.output(b.op("Relu", {in_rows}));
    const ValueId ids = b.op("Cast", {b.input("y", shape)}, {{"to", int64_t{7}}});
    b.output(shuffle(b, "c", ids, shape, groups));
    expect_like_reference(b.finish());
  }
}

TEST(Move, WhatIsNearlyAShuffleIsLikeReference) {
  auto b = builder();
  const ValueId x = b.input("x", {1, 8, 2, 2});
  const ValueId cut = b.constant("cut", Tensor::of<int64_t>({5}, {1, 2, 4, 2, 2}));
  const ValueId join = b.constant("join", Tensor::of<int64_t>({4}, {1, 8, 2, 2}));
  const ValueId flat = b.constant("flat", Tensor::of<int64_t>({3}, {1, 8, 4}));
  const auto turn = [&](const Ints& order) {
    return b.op("Transpose", {b.op("Reshape", {x, cut})}, {{"perm", order}});
  };
  b.output(b.op("Reshape", {turn({0, 2, 1, 4, 3}), join}));
  b.output(b.op("Reshape", {turn({0, 2, 1, 3, 4}), flat}));
  const ValueId read_twice = turn({0, 2, 1, 3, 4});
  b.output(b.op("Reshape", {read_twice, join}));
  b.output(b.op("Relu", {read_twice}));
  expect_like_reference(b.finish());
}

TEST(Move, ViewsAreLikeReference) {
  auto b = builder();
  const ValueId x = blocked(b, "conv");
  const ValueId shape = b.constant("shape", Tensor::of<int64_t>({3}, {2, 3, -1}));
  const ValueId y = b.op("Reshape", {x, shape}, {}, "reshaped");
  b.output(y);
  b.output(b.op("Relu", {y}));
  const ValueId z = b.op("Identity", {b.op("Relu", {x})}, {}, "same");
  b.output(b.op("Flatten", {z}));
  b.output(b.op("Abs", {z}));
  const ValueId input = b.input("input", {6});
  b.output(b.op("Reshape", {input, b.constant("rows", Tensor::of<int64_t>({2}, {2, 3}))}));
  b.output(b.op("Identity", {input}));
  const ValueId c = b.constant("c", random_tensor(3, {4}));
  b.output(b.op("Identity", {c}));
  expect_like_reference(b.finish());
}

TEST(Move, APaddedVectorOfChannelsIsARow) {
  for (int64_t batch : {1, 2}) {
    for (int64_t channels : {16, 21}) {
      auto b = builder();
      const ValueId pooled = b.op("GlobalAveragePool", {blocked(b, "conv", channels, batch)});
      const ValueId row = b.op("Flatten", {pooled});
      b.output(row);
      b.output(pooled);
      b.output(b.op("Gemm", {row, b.constant("w", random_tensor(3, {channels, 5}))}));
      expect_like_reference(b.finish());
    }
  }
}

TEST(Move, ReshapesOfImagesKeepTheirLayout) {
  for (int64_t channels : {16, 21}) {
    auto b = builder();
    const ValueId x = blocked(b, "conv", channels);
    const ValueId flat = b.constant("flat", Tensor::of<int64_t>({3}, {2, channels, 30}));
    const ValueId wide = b.constant("wide", Tensor::of<int64_t>({5}, {2, channels, 5, 1, 6}));
    const ValueId rows = b.op("Reshape", {x, flat}, {}, "rows");
    b.output(b.op("Transpose", {rows}, {{"perm", Ints{0, 2, 1}}}));
    b.output(b.op("Sigmoid", {b.op("Reshape", {rows, wide})}));
    b.output(b.op("Flatten", {rows}));
    // From channels last and back.
    const ValueId last = b.input("last", {2, 5, 6, channels});
    const ValueId first = b.op("Transpose", {last}, {{"perm", Ints{0, 3, 1, 2}}}, "first");
    b.output(b.op("Conv", {first, b.constant("w", random_tensor(3, {4, channels, 1, 1}))}));
    b.output(b.op("Transpose", {b.op("Relu", {first})}, {{"perm", Ints{0, 2, 3, 1}}}));
    b.output(first);
    expect_like_reference(b.finish());
  }
}

TEST(Resize, IsLikeReference) {
  for (const char* mode : {"nearest", "linear", "cubic"}) {
    for (const char* coordinates :
         {"half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"}) {
      for (int64_t channels : {3, 16, 21}) {
        auto b = builder(13);
        const ir::AttributeMap attributes = {
            {"mode", std::string(mode)},
            {"coordinate_transformation_mode", std::string(coordinates)}};
        const ValueId roi = b.constant("roi", Tensor::of<float>({0}, {}));
        const ValueId scales = b.constant("scales", Tensor::of<float>({4}, {1, 1, 2, 1.7F}));
        const ValueId none = b.constant("none", Tensor::of<float>({0}, {}));
        const ValueId sizes = b.constant("sizes", Tensor::of<int64_t>({4}, {2, channels, 3, 9}));
        for (ValueId x : {blocked(b, "conv", channels), b.input("x", {2, channels, 5, 6})}) {
          b.output(b.op("Resize", {x, roi, scales}, attributes));
          b.output(b.op("Relu", {b.op("Resize", {x, roi, none, sizes}, attributes)}));
        }
        expect_like_reference(b.finish());
      }
    }
  }
}

TEST(Resize, OfOlderModelsIsLikeReference) {
  for (int64_t opset : {9, 10}) {
    auto b = builder(opset);
    const ValueId scales = b.constant("scales", Tensor::of<float>({4}, {1, 1, 2, 2}));
    const ValueId x = b.input("x", {1, 3, 4, 5});
    for (const char* mode : {"nearest", "linear"}) {
      b.output(
          b.op(opset == 9 ? "Upsample" : "Resize", {x, scales}, {{"mode", std::string(mode)}}));
    }
    expect_like_reference(b.finish());
  }
}

}  // namespace
}  // namespace octet::interpreter
