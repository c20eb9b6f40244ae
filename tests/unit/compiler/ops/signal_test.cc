// Transforms, windows, regions and others whose edges ONNX's node tests do not reach.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "tests/support/op_expect.h"

namespace octet::ops {
namespace {

using ir::DType;
using ir::Tensor;
using octet::testing::counting;
using octet::testing::evaluate_op;
using octet::testing::expect_evaluation_error;
using octet::testing::expect_output;
using octet::testing::f32;
using octet::testing::i64;
using octet::testing::inferred_shape;
using octet::testing::known;
using octet::testing::OpCase;
using octet::testing::Operand;

// By the definition.
Tensor spectrum(const std::vector<float>& x) {
  const auto n = static_cast<int64_t>(x.size());
  std::vector<float> out;
  for (int64_t k = 0; k < n; ++k) {
    double real = 0;
    double imaginary = 0;
    for (int64_t i = 0; i < n; ++i) {
      const double angle =
          -2 * std::numbers::pi * static_cast<double>(i * k % n) / static_cast<double>(n);
      real += static_cast<double>(x[static_cast<size_t>(i)]) * std::cos(angle);
      imaginary += static_cast<double>(x[static_cast<size_t>(i)]) * std::sin(angle);
    }
    out.push_back(static_cast<float>(real));
    out.push_back(static_cast<float>(imaginary));
  }
  return f32({1, n, 2}, out);
}

TEST(Dft, IsTheDefinitionForEveryLength) {
  for (int64_t n = 1; n <= 40; ++n) {
    std::vector<float> x;
    for (int64_t i = 0; i < n; ++i) x.push_back(static_cast<float>((i * 7 + 3) % 11) - 5);
    expect_output({"DFT", {f32({1, n, 1}, x)}, {{"axis", int64_t{1}}}, 17}, spectrum(x));
  }
}

TEST(Dft, OfHalfASpectrumIsReal) {
  const std::vector<float> x = {1, -2, 4, 0.5F, 3, 3};
  const auto outputs = evaluate_op(
      {"DFT", {f32({1, 6, 1}, x), Operand(), i64({}, {1})}, {{"onesided", int64_t{1}}}, 20});
  ASSERT_TRUE(outputs.ok());
  EXPECT_EQ((*outputs)[0].shape(), std::vector<int64_t>({1, 4, 2}));
  expect_output({"DFT",
                 {(*outputs)[0], Operand(), known(i64({}, {1}))},
                 {{"onesided", int64_t{1}}, {"inverse", int64_t{1}}},
                 20},
                f32({1, 6, 1}, x));
}

TEST(Dft, LengthsOfTheModelAreLimited) {
  expect_evaluation_error({"DFT", {counting({1, 2, 1}), i64({}, {int64_t{1} << 40})}, {}, 20},
                          ErrorCode::kResourceLimit, "");
  expect_evaluation_error({"DFT", {counting({1, 2, 1}), i64({}, {0})}, {}, 20},
                          ErrorCode::kMalformed, "length 0");
  expect_evaluation_error({"DFT", {counting({1, 2, 1}), Operand(), i64({}, {2})}, {}, 20},
                          ErrorCode::kMalformed, "complex");
}

TEST(Stft, RefusesFramesLongerThanTheSignal) {
  expect_evaluation_error({"STFT", {counting({1, 4, 1}), i64({}, {1}), Operand(), i64({}, {5})}},
                          ErrorCode::kMalformed, "frames of 5");
  expect_evaluation_error({"STFT", {counting({1, 4, 1}), i64({}, {0}), Operand(), i64({}, {2})}},
                          ErrorCode::kMalformed, "every 0");
}

TEST(Windows, OfOneElementAreOne) {
  for (const char* name : {"HannWindow", "HammingWindow", "BlackmanWindow"}) {
    expect_output({name, {known(i64({}, {1}))}, {{"periodic", int64_t{0}}}}, f32({1}, {1}));
  }
  expect_evaluation_error({"HannWindow", {i64({}, {int64_t{1} << 40})}}, ErrorCode::kResourceLimit,
                          "");
}

TEST(NonMaxSuppression, TakesEqualScoresInOrderAndNaNLast) {
  const Tensor boxes = f32({1, 4, 4}, {0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7});
  const OpCase c = {
      "NonMaxSuppression", {boxes, f32({1, 1, 4}, {NAN, 0.5F, 0.5F, 0.9F}), i64({}, {9})}, {}, 11};
  expect_output(c, i64({4, 3}, {0, 0, 3, 0, 0, 1, 0, 0, 2, 0, 0, 0}));
  OpCase none = c;
  none.operands.pop_back();
  expect_output(none, i64({0, 3}, {}));
}

TEST(Unique, OfNaNAndOfNothing) {
  OpCase c = {"Unique", {f32({4}, {NAN, 1, NAN, 1})}};
  const auto outputs = evaluate_op(c);
  ASSERT_TRUE(outputs.ok());
  EXPECT_EQ((*outputs)[0].shape(), std::vector<int64_t>({2}));
  EXPECT_EQ((*outputs)[3].to_int64s(), std::vector<int64_t>({2, 2}));
  expect_output({"Unique", {f32({0}, {})}}, f32({0}, {}));
  expect_output({"Unique", {f32({2, 0, 3}, {})}, {{"axis", int64_t{0}}}}, f32({1, 0, 3}, {}));
}

TEST(RoiAlign, RefusesRegionsWithoutMeasure) {
  for (float bad : {NAN, INFINITY, 1e30F}) {
    expect_evaluation_error(
        {"RoiAlign", {counting({1, 1, 2, 2}), f32({1, 4}, {0, 0, bad, 1}), i64({1}, {0})}},
        ErrorCode::kResourceLimit, "samples");
  }
  expect_evaluation_error(
      {"RoiAlign", {counting({1, 1, 2, 2}), f32({1, 4}, {0, 0, 1, 1}), i64({1}, {1})}},
      ErrorCode::kMalformed, "index 1 for an extent of 1");
}

TEST(MaxRoiPool, TakesTheMaximumOfEachBin) {
  expect_output({"MaxRoiPool",
                 {counting({1, 1, 4, 4}), f32({1, 5}, {0, 0, 0, 3, 3})},
                 {{"pooled_shape", std::vector<int64_t>{2, 2}}}},
                f32({1, 1, 2, 2}, {5, 7, 13, 15}));
  expect_evaluation_error({"MaxRoiPool",
                           {counting({1, 1, 4, 4}), f32({1, 5}, {1, 0, 0, 3, 3})},
                           {{"pooled_shape", std::vector<int64_t>{2, 2}}}},
                          ErrorCode::kMalformed, "sample 1 of 1");
}

TEST(MaxUnpool, RefusesIndicesOutside) {
  expect_evaluation_error({"MaxUnpool",
                           {counting({1, 1, 1, 1}), i64({1, 1, 1, 1}, {4})},
                           {{"kernel_shape", std::vector<int64_t>{2, 2}}}},
                          ErrorCode::kMalformed, "index 4 for an extent of 4");
}

TEST(Col2Im, RefusesBlocksThatDoNotFit) {
  expect_evaluation_error(
      {"Col2Im", {counting({1, 4, 3}), i64({2}, {3, 3}), i64({2}, {2, 2})}, {}, 18},
      ErrorCode::kMalformed, "blocks");
}

TEST(Det, OfASingularMatrixIsZero) {
  expect_output({"Det", {f32({2, 2, 2}, {1, 2, 2, 4, 0, 1, 1, 0})}}, f32({2}, {0, -1}));
}

TEST(AffineGrid, SizesAreLimited) {
  expect_evaluation_error(
      {"AffineGrid", {counting({1, 2, 3}), i64({4}, {1, 1, int64_t{1} << 31, 1 << 30})}, {}, 20},
      ErrorCode::kResourceLimit, "");
}

TEST(CenterCropPad, CropsAndPads) {
  expect_output({"CenterCropPad", {counting({3}), known(i64({1}, {6}))}, {}, 18},
                f32({6}, {0, 0, 1, 2, 0, 0}));
  expect_output({"CenterCropPad", {counting({5}), known(i64({1}, {2}))}, {}, 18}, f32({2}, {1, 2}));
}

TEST(TensorScatter, WrapsAroundWhenCircular) {
  const OpCase c = {"TensorScatter",
                    {f32({1, 3, 1}, {1, 2, 3}), f32({1, 2, 1}, {8, 9}), i64({1}, {2})},
                    {{"mode", std::string("circular")}},
                    24};
  expect_output(c, f32({1, 3, 1}, {9, 2, 8}));
  OpCase linear = c;
  linear.attributes.clear();
  expect_evaluation_error(linear, ErrorCode::kMalformed, "2 steps at 2 of 3");
}

TEST(Random, IsTheSameForTheSameSeed) {
  const OpCase c = {
      "RandomNormal", {}, {{"seed", 3.0F}, {"shape", std::vector<int64_t>{1000}}, {"scale", 2.0F}}};
  const auto a = evaluate_op(c);
  const auto b = evaluate_op(c);
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_TRUE((*a)[0] == (*b)[0]);
  double sum = 0;
  double squares = 0;
  for (float x : (*a)[0].to_floats()) {
    sum += static_cast<double>(x);
    squares += static_cast<double>(x) * static_cast<double>(x);
  }
  EXPECT_NEAR(sum / 1000, 0, 0.3);
  EXPECT_NEAR(squares / 1000, 4, 0.8);
  OpCase unseeded = c;
  unseeded.attributes.erase("seed");
  expect_evaluation_error(unseeded, ErrorCode::kUnsupported, "seed");
}

TEST(Bernoulli, DrawsByProbability) {
  expect_output({"Bernoulli", {f32({4}, {0, 1, 0, 1})}, {{"seed", 1.0F}}}, f32({4}, {0, 1, 0, 1}));
}

TEST(Losses, RefuseLabelsOutsideOfTheClasses) {
  expect_evaluation_error({"NegativeLogLikelihoodLoss", {counting({1, 3}), i64({1}, {3})}},
                          ErrorCode::kMalformed, "label 3 for 3 classes");
  expect_output({"NegativeLogLikelihoodLoss",
                 {counting({2, 3}), i64({2}, {7, 1})},
                 {{"ignore_index", int64_t{7}}}},
                f32({}, {-4}));
}

TEST(BitCast, WantsTypesOfOneWidth) {
  expect_output({"BitCast", {f32({1}, {1})}, {{"to", int64_t{6}}}, 26},
                Tensor::of<int32_t>({1}, {0x3F800000}));
  expect_evaluation_error({"BitCast", {f32({1}, {1})}, {{"to", int64_t{7}}}, 26},
                          ErrorCode::kMalformed, "int64 for elements of float32");
}

}  // namespace
}  // namespace octet::ops
