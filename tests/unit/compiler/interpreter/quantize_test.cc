// QuantizeLinear and DequantizeLinear against reference evaluation.
#include "tests/unit/compiler/interpreter/compare.h"

namespace octet::interpreter {
namespace {

// x -> Q -> DQ with the given parameters; integers have to be the same bit for bit.
ValueId quantized(GraphBuilder& b, const std::string& name, ValueId x, const Tensor& scale,
                  const Tensor& zero_point, int64_t axis = 1) {
  const ValueId s = b.constant(name + "_scale", scale);
  const ValueId z = b.constant(name + "_zero_point", zero_point);
  const ValueId q = b.op("QuantizeLinear", {x, s, z}, {{"axis", axis}}, name + "_q");
  return b.op("DequantizeLinear", {q, s, z}, {{"axis", axis}}, name + "_dq");
}

TEST(Quantize, IsTheSameAsReference) {
  auto b = builder();
  const ValueId x = b.input("x", {2, 21, 5, 7});
  b.output(quantized(b, "u8", x, Tensor::scalar(0.013F), Tensor::scalar<uint8_t>(117)));
  b.output(quantized(b, "s8", x, Tensor::scalar(0.011F), Tensor::scalar<int8_t>(-3)));
  const Tensor scales = random_tensor(3, {21}, 0.01F, 0.05F);
  std::vector<uint8_t> zeros(21);
  for (size_t i = 0; i < zeros.size(); ++i) zeros[i] = static_cast<uint8_t>(120 + i);
  b.output(quantized(b, "axis", x, scales, Tensor::of<uint8_t>({21}, zeros)));
  b.output(quantized(b, "last", x, random_tensor(3, {7}, 0.01F, 0.05F),
                     Tensor::of<int8_t>({7}, {0, 1, 2, 3, 4, 5, 6}), 3));
  expect_like_reference(b.finish(), 1, 0.0);
}

TEST(Quantize, BetweenConvolutionsIsLikeReference) {
  for (int64_t channels : {16, 21}) {
    auto b = builder();
    const ValueId x = quantized(b, "x", b.input("in", {1, 5, 8, 8}), Tensor::scalar(0.02F),
                                Tensor::scalar<uint8_t>(100));
    std::vector<int8_t> weights(static_cast<size_t>(channels) * 5 * 9);
    Random random(4);
    for (int8_t& w : weights) w = static_cast<int8_t>(random.below(255) - 127);
    const ValueId w = b.op("DequantizeLinear",
                           {b.constant("w", Tensor::of<int8_t>({channels, 5, 3, 3}, weights)),
                            b.constant("ws", random_tensor(5, {channels}, 0.001F, 0.01F)),
                            b.constant("wz", must(Tensor::zeros(DType::kInt8, {channels})))},
                           {{"axis", int64_t{0}}});
    const ValueId y = b.op("Relu", {b.op("Conv", {x, w})});
    const ValueId q = quantized(b, "y", y, Tensor::scalar(0.05F), Tensor::scalar<uint8_t>(7));
    b.output(b.op("MaxPool", {q}, {{"kernel_shape", Ints{2, 2}}}));
    b.output(q);
    // A sum in another order may land on the other side of a tie: one step of the quantizer.
    expect_like_reference(b.finish(), 1, 0.01);
  }
}

TEST(Quantize, OfBlockedValuesCanBeReadAsIntegers) {
  for (int64_t channels : {16, 21}) {
    auto b = builder();
    const ValueId x = blocked(b, "conv", channels);
    const ValueId s = b.constant("s", Tensor::scalar(0.5F));
    const ValueId z = b.constant("z", Tensor::scalar<uint8_t>(128));
    const ValueId q = b.op("QuantizeLinear", {b.op("Round", {x}), s, z}, {}, "q");
    const ValueId direct = b.op("QuantizeLinear", {b.op("Mul", {x, s}), s, z}, {}, "direct");
    b.output(q);
    b.output(b.op("Transpose", {q}));
    b.output(b.op("DequantizeLinear", {direct, s, z}));
    b.output(b.op("Flatten", {direct}));
    expect_like_reference(b.finish(), 1, 0.1);
  }
}

}  // namespace
}  // namespace octet::interpreter
