// Operators of com.microsoft that stand for others: numbers worked out by hand, and operands that
// do not fit. tests/oracle/onnxruntime_operators.py holds them to ONNX Runtime.
#include "tests/support/op_expect.h"

namespace octet::ops {
namespace {

using ir::DType;
using ir::Tensor;
using octet::testing::counting;
using octet::testing::evaluate_op;
using octet::testing::expect_evaluation_error;
using octet::testing::expect_malformed;
using octet::testing::expect_output;
using octet::testing::f32;
using octet::testing::OpCase;
using octet::testing::Operand;

OpCase microsoft(std::string op_type, std::vector<Operand> operands,
                 ir::AttributeMap attributes = {}) {
  OpCase out{std::move(op_type), std::move(operands), std::move(attributes)};
  out.domain = "com.microsoft";
  return out;
}

TEST(MicrosoftGelu, IsGeluOfTheSum) {
  const Tensor x = f32({3}, {-1, 0, 2});
  const Tensor half = f32({3}, {-0.5F, 0.5F, 2.5F});
  expect_output(microsoft("Gelu", {x}), f32({3}, {-0.15865525F, 0, 1.9544997F}));
  expect_output(microsoft("BiasGelu", {x, f32({1}, {0.5F})}),
                f32({3}, {-0.15426877F, 0.34573123F, 2.4844758F}));
  expect_output(microsoft("FastGelu", {half}), f32({3}, {-0.15428599F, 0.345714F, 2.4849157F}));
  expect_output(microsoft("QuickGelu", {f32({1}, {1})}, {{"alpha", 2.0F}}),
                f32({1}, {0.88079708F}));
}

TEST(FusedConv, AddsThenActivates) {
  const Tensor x = f32({1, 1, 3}, {1, -2, 3});
  const Tensor w = f32({1, 1, 1}, {2});
  const Tensor bias = f32({1}, {1});
  const Tensor z = f32({1, 1, 3}, {0, 2, -10});
  expect_output(microsoft("FusedConv", {x, w}), f32({1, 1, 3}, {2, -4, 6}));
  expect_output(microsoft("FusedConv", {x, w, bias, z}, {{"activation", std::string("Relu")}}),
                f32({1, 1, 3}, {3, 0, 0}));
  expect_output(microsoft("FusedConv", {x, w, bias},
                          {{"activation", std::string("Clip")},
                           {"activation_params", std::vector<float>{-1.0F, 5.0F}}}),
                f32({1, 1, 3}, {3, -1, 5}));
  expect_output(microsoft("FusedConv", {x, w, bias},
                          {{"activation", std::string("LeakyRelu")},
                           {"activation_params", std::vector<float>{0.5F}}}),
                f32({1, 1, 3}, {3, -1.5F, 7}));
}

TEST(FusedConv, WhatDoesNotFitIsRefused) {
  const Tensor x = counting({1, 1, 3});
  const Tensor w = f32({1, 1, 1}, {2});
  expect_evaluation_error(microsoft("FusedConv", {x, w}, {{"activation", std::string("Clip")}}),
                          ErrorCode::kMalformed, "activation_params");
  expect_evaluation_error(microsoft("FusedConv", {x, w}, {{"activation", std::string("Softmax")}}),
                          ErrorCode::kUnsupported, "Softmax");
  expect_evaluation_error(microsoft("FusedConv", {x, w, Operand(), counting({1, 1, 2})}),
                          ErrorCode::kMalformed, "input 3");
}

TEST(MicrosoftQuantizers, AreThoseOfTheStandard) {
  const Tensor scale = Tensor::scalar(0.5F);
  const Tensor zero = Tensor::scalar<uint16_t>(1000);
  expect_output(microsoft("QuantizeLinear", {f32({2}, {1.25F, -600}), scale, zero}),
                Tensor::of<uint16_t>({2}, {1002, 0}));
  expect_output(microsoft("DequantizeLinear", {Tensor::of<uint16_t>({2}, {1002, 0}), scale, zero}),
                f32({2}, {1, -500}));
}

TEST(DynamicQuantizeMatMul, QuantizesTheFirstFactor) {
  // 0 to 255 in steps of 1: what is quantized is exact.
  const Tensor a = f32({2, 2}, {0, 255, 100, 7});
  const Tensor b = Tensor::of<int8_t>({2, 1}, {2, -1});
  expect_output(
      microsoft("DynamicQuantizeMatMul", {a, b, f32({1}, {0.5F}), Operand(), f32({1}, {10})}),
      f32({2, 1}, {-117.5F, 106.5F}));
}

// Two columns of 16 rows: the first 0 to 15, the second 15 down to 0.
Tensor nibbles() {
  std::vector<uint8_t> bytes;
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<uint8_t>(2 * i | (2 * i + 1) << 4));
  for (int i = 0; i < 8; ++i)
    bytes.push_back(static_cast<uint8_t>((15 - 2 * i) | (14 - 2 * i) << 4));
  return Tensor::of<uint8_t>({2, 1, 8}, bytes);
}

ir::AttributeMap nbits(int64_t k, int64_t n, int64_t bits = 4, int64_t block = 16) {
  return {{"K", k}, {"N", n}, {"bits", bits}, {"block_size", block}};
}

TEST(MatMulNBits, UnpacksTheLowestBitsFirst) {
  std::vector<float> first(16, 0.0F);
  first[1] = 1.0F;
  const Tensor a = f32({1, 16}, first);
  const Tensor scales = f32({2}, {1.0F, 0.5F});
  // Row 1 holds 1 and 14; the zero point is 8 where none is given.
  expect_output(microsoft("MatMulNBits", {a, nibbles(), scales}, nbits(16, 2)),
                f32({1, 2}, {-7, 3}));
  const Tensor zeros = Tensor::of<uint8_t>({2}, {1, 4});
  expect_output(microsoft("MatMulNBits", {a, nibbles(), scales, zeros}, nbits(16, 2)),
                f32({1, 2}, {0, 5}));
  expect_output(
      microsoft("MatMulNBits", {a, nibbles(), scales, zeros, Operand(), f32({2}, {100, 200})},
                nbits(16, 2)),
      f32({1, 2}, {100, 205}));
}

TEST(MatMulNBits, RowsMayBelongToAnyBlock) {
  // 32 rows of ones in two blocks of scales 1 and 10, all but the first row in the second block.
  const Tensor b = Tensor::of<uint8_t>({1, 2, 16}, std::vector<uint8_t>(32, 129));
  std::vector<int32_t> groups(32, 1);
  groups[0] = 0;
  const Tensor a = f32({1, 32}, std::vector<float>(32, 1.0F));
  expect_output(microsoft("MatMulNBits",
                          {a, b, f32({2}, {1, 10}), Operand(), Tensor::of<int32_t>({32}, groups)},
                          nbits(32, 1, 8)),
                f32({1, 1}, {311}));
  groups[3] = 2;
  expect_evaluation_error(
      microsoft("MatMulNBits",
                {a, b, f32({2}, {1, 10}), Operand(), Tensor::of<int32_t>({32}, groups)},
                nbits(32, 1, 8)),
      ErrorCode::kMalformed, "input 4");
}

TEST(MatMulNBits, WhatDoesNotFitIsRefused) {
  const Tensor a = f32({1, 16}, std::vector<float>(16, 1.0F));
  const Tensor scales = f32({2}, {1.0F, 0.5F});
  expect_evaluation_error(microsoft("MatMulNBits", {a, nibbles(), scales}, nbits(16, 3)),
                          ErrorCode::kMalformed, "input 1");
  expect_malformed(microsoft("MatMulNBits", {a, nibbles(), scales}, nbits(16, 2, 4, 24)),
                   "block_size");
  expect_malformed(microsoft("MatMulNBits", {a, nibbles(), scales}, nbits(17, 2)), "K = 17");
  expect_evaluation_error(microsoft("MatMulNBits", {a, nibbles(), scales}, nbits(16, 2, 5)),
                          ErrorCode::kUnsupported, "bits");
}

TEST(SkipLayerNormalization, NormalizesTheSumAndGivesIt) {
  const Tensor x = f32({1, 2}, {1, 2});
  const Tensor skip = f32({1, 2}, {2, 5});
  const Tensor scale = f32({2}, {1, 2});
  OpCase c = microsoft("SkipLayerNormalization", {x, skip, scale, f32({2}, {10, 20})});
  expect_output(c, f32({1, 2}, {9, 22}));
  c.outputs = 4;
  const auto all = evaluate_op(c);
  ASSERT_FALSE(all.ok()) << "mean and deviation are for training";
  EXPECT_EQ(all.error().code(), ErrorCode::kUnsupported);
  // 3 / sqrt(29) and 2 * 7 / sqrt(29): mean of squares (9 + 49) / 2.
  expect_output(microsoft("SkipSimplifiedLayerNormalization", {x, skip, scale}),
                f32({1, 2}, {0.55708601F, 2.5997347F}));
  expect_output({"SimplifiedLayerNormalization", {f32({1, 2}, {3, 7}), scale}},
                f32({1, 2}, {0.5570860F, 2.5997345F}));
}

TEST(QLinearSoftmax, SharesOfARow) {
  const Tensor x = Tensor::of<uint8_t>({1, 2}, {10, 10});
  const Tensor y_scale = Tensor::scalar(1.0F / 256);
  const Tensor zero = Tensor::scalar<uint8_t>(0);
  const OpCase c = microsoft("QLinearSoftmax", {x, Tensor::scalar(0.1F), zero, y_scale, zero},
                             {{"opset", int64_t{13}}});
  expect_output(c, Tensor::of<uint8_t>({1, 2}, {128, 128}));
  const Tensor far = Tensor::of<int8_t>({1, 2}, {-128, 127});
  const Tensor low = Tensor::scalar<int8_t>(-128);
  expect_output(microsoft("QLinearSoftmax", {far, Tensor::scalar(1.0F), low, y_scale, low},
                          {{"opset", int64_t{13}}}),
                Tensor::of<int8_t>({1, 2}, {-128, 127}));  // 256 saturates
}

}  // namespace
}  // namespace octet::ops
