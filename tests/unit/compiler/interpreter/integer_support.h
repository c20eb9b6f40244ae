// Quantized graphs piece by piece: what the tests of integer arithmetic share.
#pragma once

#include "tests/unit/compiler/interpreter/compare.h"

namespace octet::interpreter {

struct Activation {
  DType dtype = DType::kUint8;
  float scale = 0.02F;
  int64_t zero_point = 100;

  Tensor zero() const {
    auto out = must(Tensor::zeros(dtype, {}));
    out.set_from_int64(0, zero_point);
    return out;
  }
};

// A constant whose name does not matter.
inline ValueId number(GraphBuilder& b, const std::string& hint, Tensor tensor) {
  return b.constant(b.graph().unique_value_name(hint), std::move(tensor));
}

inline ValueId quantize(GraphBuilder& b, ValueId x, const Activation& a) {
  return b.op("QuantizeLinear",
              {x, number(b, "scale", Tensor::scalar(a.scale)), number(b, "zero_point", a.zero())});
}

inline ValueId dequantize(GraphBuilder& b, ValueId q, const Activation& a) {
  return b.op("DequantizeLinear",
              {q, number(b, "scale", Tensor::scalar(a.scale)), number(b, "zero_point", a.zero())});
}

// The value quantized and dequantized.
inline ValueId through(GraphBuilder& b, ValueId x, const Activation& a) {
  return dequantize(b, quantize(b, x, a), a);
}

inline Tensor random_integers(uint64_t seed, const Ints& shape) {
  Random random(seed);
  auto out = must(Tensor::zeros(DType::kInt8, shape));
  for (int8_t& w : out.mutable_data<int8_t>()) w = static_cast<int8_t>(random.below(255) - 127);
  return out;
}

// A dequantized int8 weight with a scale per element of `axis`.
inline ValueId weight(GraphBuilder& b, const Ints& shape, int64_t axis, float scale = 0.01F) {
  const int64_t channels = shape[static_cast<size_t>(axis)];
  return b.op("DequantizeLinear",
              {number(b, "weight", random_integers(7, shape)),
               number(b, "weight_scale", random_tensor(5, {channels}, 0.2F * scale, scale)),
               number(b, "weight_zero_point", must(Tensor::zeros(DType::kInt8, {channels})))},
              {{"axis", axis}});
}

// A dequantized int32 bias for that weight behind an activation of scale `x_scale`.
inline ValueId bias(GraphBuilder& b, int64_t channels, float x_scale, float scale = 0.01F) {
  std::vector<float> scales = random_tensor(5, {channels}, 0.2F * scale, scale).to_floats();
  for (float& s : scales) s = x_scale * s;
  Random random(11);
  std::vector<int32_t> integers(static_cast<size_t>(channels));
  for (int32_t& i : integers) i = static_cast<int32_t>(random.below(20001)) - 10000;
  return b.op("DequantizeLinear",
              {number(b, "bias", Tensor::of<int32_t>({channels}, integers)),
               number(b, "bias_scale", Tensor::of<float>({channels}, scales)),
               number(b, "bias_zero_point", must(Tensor::zeros(DType::kInt32, {channels})))},
              {{"axis", int64_t{0}}});
}

// Fast kernels and reference evaluation give the same bits, with every arithmetic on integers.
inline void expect_exact(Graph&& built, uint64_t seed = 1) {
  const auto inputs = random_inputs(built, seed);
  const auto graph = std::make_shared<const Graph>(std::move(built));
  for (const Arithmetic arithmetic : {Arithmetic::kInteger, Arithmetic::kSaturatingPairs,
                                      Arithmetic::kNeon, Arithmetic::kFixedPoint}) {
    Options options;
    options.arithmetic = arithmetic;
    const auto actual = run(graph, inputs, options);
    options.kernels = Kernels::kReference;
    const auto expected = run(graph, inputs, options);
    ASSERT_EQ(actual.size(), expected.size());
    for (size_t i = 0; i < actual.size(); ++i) {
      expect_near(actual[i], expected[i], 0.0,
                  cat("output ", i, ", arithmetic ", static_cast<int>(arithmetic)));
    }
  }
}

}  // namespace octet::interpreter
