// Pools, softmax, normalizations and reductions against reference evaluation.
#include <limits>

#include "tests/unit/compiler/interpreter/compare.h"

namespace octet::interpreter {
namespace {

TEST(Pool, IsLikeReference) {
  const std::vector<ir::AttributeMap> attributes = {
      {{"kernel_shape", Ints{3, 3}}},
      {{"kernel_shape", Ints{2, 3}}, {"strides", Ints{2, 1}}},
      {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}},
      {{"kernel_shape", Ints{3, 2}}, {"strides", Ints{2, 2}}, {"pads", Ints{0, 1, 1, 0}}},
      {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"ceil_mode", int64_t{1}}},
      {{"kernel_shape", Ints{3, 3}},
       {"strides", Ints{3, 2}},
       {"pads", Ints{1, 1, 1, 1}},
       {"ceil_mode", int64_t{1}}},
      {{"kernel_shape", Ints{3, 3}},
       {"auto_pad", std::string("SAME_UPPER")},
       {"strides", Ints{2, 2}}},
  };
  for (int64_t channels : {16, 21, 3}) {
    for (const ir::AttributeMap& a : attributes) {
      auto b = builder();
      const ValueId behind = blocked(b, "conv", channels, 2, {8, 9});
      const ValueId plain = b.input("x", {2, channels, 8, 9});
      for (ValueId x : {behind, plain}) {
        b.output(b.op("MaxPool", {x}, a));
        b.output(b.op("AveragePool", {x}, a));
        ir::AttributeMap counted = a;
        counted["count_include_pad"] = int64_t{1};
        b.output(b.op("AveragePool", {x}, counted));
        b.output(b.op("GlobalAveragePool", {x}));
        b.output(b.op("GlobalMaxPool", {x}));
        b.output(b.op("ReduceMean", {x}, {{"axes", Ints{2, 3}}}));
        b.output(b.op("ReduceMean", {x}, {{"axes", Ints{-1, 2}}, {"keepdims", int64_t{0}}}));
      }
      expect_like_reference(b.finish());
    }
  }
}

TEST(Pool, OfOtherRanksDilationsAndIndicesIsLikeReference) {
  auto b = builder();
  b.output(b.op("MaxPool", {b.input("a", {1, 5, 11})}, {{"kernel_shape", Ints{3}}}));
  b.output(b.op("AveragePool", {b.input("b", {1, 5, 4, 5, 6})}, {{"kernel_shape", Ints{2, 2, 2}}}));
  const ValueId x = b.input("c", {1, 5, 9, 9});
  b.output(b.op("MaxPool", {x}, {{"kernel_shape", Ints{2, 2}}, {"dilations", Ints{2, 3}}}));
  ir::NodeSpec spec{"MaxPool", {x}, {{"kernel_shape", Ints{2, 2}}}, "with_indices"};
  spec.outputs = 2;
  for (ValueId id : b.node(spec)) b.output(id);
  expect_like_reference(b.finish());
}

TEST(Rows, SoftmaxIsLikeReference) {
  for (int64_t opset : {11, 17}) {
    for (int64_t axis : {0, 1, 2, -1}) {
      auto b = builder(opset);
      b.output(b.op("Softmax", {b.input("x", {3, 5, 37})}, {{"axis", axis}}));
      expect_like_reference(b.finish());
    }
  }
}

TEST(Rows, SoftmaxOfManyShortRowsIsLikeReference) {
  for (const Ints& shape : {Ints{1, 700, 2}, Ints{331, 3}, Ints{40, 16}, Ints{9, 1}, Ints{5, 17}}) {
    auto b = builder();
    b.output(b.op("Softmax", {b.op("Neg", {b.input("x", shape)})}, {{"axis", int64_t{-1}}}));
    b.output(b.op("Softmax", {b.input("y", shape)}, {{"axis", int64_t{-1}}}));
    expect_like_reference(b.finish());
  }
}

TEST(Rows, SoftmaxOfMaskedAndLargeScoresIsLikeReference) {
  const float low = std::numeric_limits<float>::lowest();
  auto b = builder();
  b.output(b.op("Softmax", {b.input("x", {2, 5})}));
  expect_like_reference(b.finish(), {Tensor::of<float>({2, 5}, {1e30F, low, 3e38F, 0.0F, 3e38F,  //
                                                                low, low, low, low, 5.0F})});
}

TEST(Rows, NormalizationIsLikeReference) {
  for (int64_t axis : {-1, 1}) {
    auto b = builder(23);
    const Ints shape = axis == -1 ? Ints{37} : Ints{5, 37};
    const ValueId scale = b.constant("scale", random_tensor(3, shape));
    const ValueId bias = b.constant("bias", random_tensor(4, shape));
    const ValueId x = b.input("x", {3, 5, 37});
    const ValueId far = b.op("Add", {x, b.constant("offset", Tensor::scalar(100.0F))});
    b.output(b.op("LayerNormalization", {x, scale, bias}, {{"axis", axis}}));
    b.output(b.op("LayerNormalization", {x, scale}, {{"axis", axis}}));
    b.output(b.op("RMSNormalization", {x, scale}, {{"axis", axis}}));
    b.output(b.op("LayerNormalization", {far, scale, bias}, {{"axis", axis}}));
    expect_like_reference(b.finish(), 1, 2e-5);
  }
}

TEST(Rows, NormalizationWithOtherOperandsIsLikeReference) {
  auto b = builder();
  const ValueId x = b.input("x", {3, 5, 8});
  b.output(b.op("LayerNormalization", {x, b.constant("one", random_tensor(3, {1}))}));
  b.output(b.op("LayerNormalization", {x, b.constant("all", random_tensor(3, {3, 5, 8}))}));
  ir::NodeSpec spec{
      "LayerNormalization", {x, b.constant("row", random_tensor(3, {8}))}, {}, "all_outputs"};
  spec.outputs = 3;
  for (ValueId id : b.node(spec)) b.output(id);
  expect_like_reference(b.finish());
}

TEST(Rows, ReductionsAreLikeReference) {
  for (const char* op : {"ReduceMean", "ReduceSum"}) {
    for (const Ints& axes :
         {Ints{2}, Ints{1, 2}, Ints{0, 1, 2}, Ints{0}, Ints{-1}, Ints{0, 2}, Ints{}}) {
      for (int64_t keep : {0, 1}) {
        auto b = builder(18);
        const ValueId x = b.input("x", {3, 5, 37});
        const ValueId a =
            b.constant("axes", Tensor::of<int64_t>({static_cast<int64_t>(axes.size())}, axes));
        b.output(b.op(op, {x, a}, {{"keepdims", keep}}));
        b.output(b.op(op, {x}, {{"keepdims", keep}}));
        b.output(b.op(op, {x}, {{"keepdims", keep}, {"noop_with_empty_axes", int64_t{1}}}));
        expect_like_reference(b.finish());
      }
    }
  }
}

}  // namespace
}  // namespace octet::interpreter
