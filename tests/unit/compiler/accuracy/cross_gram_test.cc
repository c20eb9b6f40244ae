#include "compiler/accuracy/cross_gram.h"

#include <gtest/gtest.h>

#include <cmath>

#include "compiler/accuracy/targeted_layer.h"
#include "tests/support/accuracy_network.h"

namespace octet::accuracy {
namespace {

using ir::Tensor;
using testing::must;
using testing::normal_values;

constexpr double kScale = 0.05;

// A convolution in two groups with its float data and what a quantized model has in its place.
struct TwoGroups {
  ir::Graph graph;
  ir::Node node;
  WeightLayout layout;
  std::vector<int64_t> w_shape = {4, 2, 2, 1};
  std::vector<float> w;
  std::vector<Tensor> real;
  std::vector<Tensor> integers;
};

TwoGroups two_groups(size_t samples) {
  TwoGroups out;
  testing::GraphBuilder builder(ops::infer_node);
  out.w = normal_values(16, 3);
  const Tensor w = Tensor::of<float>(out.w_shape, out.w);
  const ir::ValueId y =
      builder.op("Conv", {builder.input("x", {1, 4, 5, 3}), builder.constant("w", w)},
                 {{"group", int64_t{2}}});
  builder.output(y);
  out.graph = builder.finish();
  out.node = out.graph.node(out.graph.order().front());
  out.layout = *weight_layout(out.node, w);
  for (size_t i = 0; i < samples; ++i) {
    std::vector<float> x = normal_values(60, 100 + static_cast<uint32_t>(i));
    std::vector<int8_t> q;
    for (size_t e = 0; e < x.size(); ++e) {
      // Coarse, and off the mark by more than rounding: what earlier layers have lost.
      q.push_back(static_cast<int8_t>(x[e] * 0.8F / kScale + (e % 3 == 0 ? 4.0F : 0.0F)));
    }
    out.real.push_back(Tensor::of<float>({1, 4, 5, 3}, x));
    out.integers.push_back(Tensor::of<int8_t>({1, 4, 5, 3}, q));
  }
  return out;
}

// Columns of one sample and group, position by position.
std::vector<std::vector<double>> columns_of(const Tensor& x, int64_t group) {
  std::vector<std::vector<double>> out;
  for (int64_t row = 0; row < 4; ++row) {
    for (int64_t column = 0; column < 3; ++column) {
      std::vector<double> one;
      for (int64_t c = 0; c < 2; ++c) {
        for (int64_t t = 0; t < 2; ++t) {
          one.push_back(x.at_as_double(((group * 2 + c) * 5 + row + t) * 3 + column));
        }
      }
      out.push_back(one);
    }
  }
  return out;
}

struct Sums {
  GramSums grams;
  CrossSums cross;
  ColumnSums real;
};

Sums gathered(const TwoGroups& layer, size_t threads) {
  Sums out;
  out.grams = must(gather_grams(layer.node, layer.layout, layer.w_shape,
                                layer_inputs(layer.integers, 2), threads, 1 << 20));
  out.cross =
      must(gather_cross(layer.node, layer.layout, layer.w_shape, layer_inputs(layer.real, 0),
                        layer_inputs(layer.integers, 2), threads, 1 << 20));
  for (size_t i = 0; i < layer.real.size(); ++i) {
    const ColumnReader reader =
        must(ColumnReader::make(layer.node, layer.layout, layer.real[i].shape(), layer.w_shape));
    add(must(column_sums(reader, layer.real[i], i)), out.real);
  }
  return out;
}

TEST(CrossGram, SumsAreThoseOfTheDefinition) {
  const TwoGroups layer = two_groups(6);
  const Sums sums = gathered(layer, 1);
  for (int64_t g = 0; g < 2; ++g) {
    std::vector<double> fit(16, 0.0);
    std::vector<double> apart(16, 0.0);
    for (size_t i = 0; i < layer.real.size(); ++i) {
      const auto x = columns_of(layer.real[i], g);
      const auto y = columns_of(layer.integers[i], g);
      for (size_t p = 0; p < x.size(); ++p) {
        std::vector<double>& to = part_of(i, p) == Part::kFit ? fit : apart;
        for (size_t a = 0; a < 4; ++a) {
          for (size_t b = 0; b < 4; ++b) to[a * 4 + b] += x[p][a] * (y[p][b] - 2.0);
        }
      }
    }
    for (size_t i = 0; i < 16; ++i) {
      EXPECT_NEAR(sums.cross.fit[static_cast<size_t>(g) * 16 + i], fit[i], 1e-3);
      EXPECT_NEAR(sums.cross.apart[static_cast<size_t>(g) * 16 + i], apart[i], 1e-3);
    }
  }
}

TEST(CrossGram, SameBytesForAnyNumberOfThreads) {
  const TwoGroups layer = two_groups(5);
  const Sums one = gathered(layer, 1);
  const Sums four = gathered(layer, 4);
  EXPECT_EQ(one.cross.fit, four.cross.fit);
  EXPECT_EQ(one.cross.apart, four.cross.apart);
}

TEST(CrossGram, ShapesThatDifferAreRefused) {
  const TwoGroups layer = two_groups(2);
  const std::vector<Tensor> fewer(layer.real.begin(), layer.real.begin() + 1);
  EXPECT_FALSE(gather_cross(layer.node, layer.layout, layer.w_shape, layer_inputs(fewer, 0),
                            layer_inputs(layer.integers, 0), 1, 1 << 20)
                   .ok());
  EXPECT_EQ(gather_cross(layer.node, layer.layout, layer.w_shape, layer_inputs(layer.real, 0),
                         layer_inputs(layer.integers, 0), 1, 16)
                .error()
                .code(),
            ErrorCode::kResourceLimit);
}

// Mean squared difference of the outputs over one part of the columns, by its definition, with the
// difference of the means left out where asked.
double output_difference(const TwoGroups& layer, int64_t g, const std::vector<double>& z,
                         Means means) {
  double out = 0.0;
  for (size_t r = 0; r < 2; ++r) {
    const size_t row = static_cast<size_t>(g) * 2 + r;
    std::vector<double> differences;
    for (size_t i = 0; i < layer.real.size(); ++i) {
      const auto x = columns_of(layer.real[i], g);
      const auto y = columns_of(layer.integers[i], g);
      for (size_t p = 0; p < x.size(); ++p) {
        double d = 0.0;
        for (size_t a = 0; a < 4; ++a) {
          d += static_cast<double>(layer.w[row * 4 + a]) * x[p][a] -
               z[row * 4 + a] * (y[p][a] - 2.0) * kScale;
        }
        differences.push_back(d);
      }
    }
    double mean = 0.0;
    for (const double d : differences) mean += d / static_cast<double>(differences.size());
    if (means == Means::kKept) mean = 0.0;
    for (const double d : differences) out += (d - mean) * (d - mean);
  }
  return out;
}

TEST(CrossGram, ErrorsDifferAsTheOutputsDo) {
  const TwoGroups layer = two_groups(8);
  const Sums sums = gathered(layer, 2);
  for (const Means means : {Means::kKept, Means::kTakenOut}) {
    for (int64_t g = 0; g < 2; ++g) {
      const GroupMoments moments =
          group_moments(sums.grams, sums.cross, sums.real, kScale, g, Columns::kAll, means);
      std::vector<double> errors;
      std::vector<double> truths;
      for (const int32_t step : {3, 5, 9}) {
        RowIntegers z;
        std::vector<double> values;
        z.scales.assign(4, 0.25F);
        for (const float w : layer.w) {
          z.integers.push_back(static_cast<int32_t>(w * 4.0F) + (step == 5 ? 1 : 0) - step / 9);
          values.push_back(z.integers.back() * 0.25);
        }
        errors.push_back(must(moment_error(moments, layer.layout, g, layer.w, z, 1)));
        truths.push_back(output_difference(layer, g, values, means));
      }
      // Errors are in units of the integers, and lack what does not depend on z.
      EXPECT_NEAR((errors[1] - errors[0]) * kScale * kScale, truths[1] - truths[0],
                  1e-4 * truths[0]);
      EXPECT_NEAR((errors[2] - errors[0]) * kScale * kScale, truths[2] - truths[0],
                  1e-4 * truths[0]);
    }
  }
}

TEST(CrossGram, TargetsAreTheLeastSquaresWeights) {
  const TwoGroups layer = two_groups(8);
  const Sums sums = gathered(layer, 1);
  for (const Means means : {Means::kKept, Means::kTakenOut}) {
    std::vector<double> target;
    for (int64_t g = 0; g < 2; ++g) {
      const GroupMoments moments =
          group_moments(sums.grams, sums.cross, sums.real, kScale, g, Columns::kAll, means);
      const WeightRows rows{std::span(layer.w).subspan(static_cast<size_t>(g) * 8, 8), 2, 4};
      for (const float w : must(target_rows(moments, rows, 1e-9, 1))) target.push_back(w);
    }
    for (int64_t g = 0; g < 2; ++g) {
      const double least = output_difference(layer, g, target, means);
      for (size_t i = 0; i < 8; ++i) {
        for (const double step : {-0.02, 0.02}) {
          std::vector<double> other = target;
          other[static_cast<size_t>(g) * 8 + i] += step;
          EXPECT_GT(output_difference(layer, g, other, means), least);
        }
      }
    }
  }
}

TEST(CrossGram, AStrongRidgeKeepsTheWeights) {
  const TwoGroups layer = two_groups(4);
  const Sums sums = gathered(layer, 1);
  const GroupMoments moments =
      group_moments(sums.grams, sums.cross, sums.real, kScale, 0, Columns::kFit, Means::kKept);
  const WeightRows rows{std::span(layer.w).subspan(0, 8), 2, 4};
  const std::vector<float> kept = must(target_rows(moments, rows, 1e9, 1));
  for (size_t i = 0; i < 8; ++i) EXPECT_NEAR(kept[i], layer.w[i], 1e-5F);
}

// What a ridge asks for: the difference of the outputs plus lambda times the squared distance from
// the weights there were, least.
TEST(CrossGram, TargetsWithARidgeAreTheLeastSquaresWeightsHeldThere) {
  const TwoGroups layer = two_groups(8);
  const Sums sums = gathered(layer, 1);
  for (const double ridge : {0.1, 1.0, 3.0}) {
    std::vector<double> target;
    std::vector<double> lambda;
    for (int64_t g = 0; g < 2; ++g) {
      const GroupMoments moments = group_moments(sums.grams, sums.cross, sums.real, kScale, g,
                                                 Columns::kAll, Means::kTakenOut);
      double mean = 0.0;
      for (size_t i = 0; i < 4; ++i) mean += moments.gram[i * 5] / 4.0;
      lambda.push_back(ridge * mean * kScale * kScale);
      const WeightRows rows{std::span(layer.w).subspan(static_cast<size_t>(g) * 8, 8), 2, 4};
      for (const float w : must(target_rows(moments, rows, ridge, 1))) target.push_back(w);
    }
    for (int64_t g = 0; g < 2; ++g) {
      const auto objective = [&](const std::vector<double>& z) {
        double out = output_difference(layer, g, z, Means::kTakenOut);
        for (size_t i = static_cast<size_t>(g) * 8; i < static_cast<size_t>(g + 1) * 8; ++i) {
          out += lambda[static_cast<size_t>(g)] *
                 std::pow(z[i] - static_cast<double>(layer.w[i]), 2.0);
        }
        return out;
      };
      const double least = objective(target);
      for (size_t i = 0; i < 8; ++i) {
        for (const double step : {-0.02, 0.02}) {
          std::vector<double> other = target;
          other[static_cast<size_t>(g) * 8 + i] += step;
          EXPECT_GT(objective(other), least);
        }
      }
    }
  }
}

TEST(CrossGram, RowsAreWorkedOutAsIfAlone) {
  constexpr size_t kRows = 43;  // more than a panel, and no multiple of what goes side by side
  constexpr size_t kColumns = 5;
  const std::vector<float> x = normal_values(60 * kColumns, 1);
  const std::vector<float> noise = normal_values(60 * kColumns, 2, 0.2F);
  GroupMoments moments{std::vector<double>(25), std::vector<double>(25)};
  for (size_t p = 0; p < 60; ++p) {
    for (size_t a = 0; a < kColumns; ++a) {
      for (size_t b = 0; b < kColumns; ++b) {
        const auto seen = [&](size_t i) {
          return static_cast<double>(x[p * kColumns + i] + noise[p * kColumns + i]);
        };
        moments.gram[a * kColumns + b] += seen(a) * seen(b);
        moments.cross[a * kColumns + b] += static_cast<double>(x[p * kColumns + a]) * seen(b);
      }
    }
  }
  const std::vector<float> w = normal_values(kRows * kColumns, 3);
  const auto all = must(target_rows(moments, {w, kRows, kColumns}, 0.1, 3));
  double sum = 0.0;
  for (size_t r = 0; r < kRows; ++r) {
    const WeightRows row{std::span(w).subspan(r * kColumns, kColumns), 1, kColumns};
    const auto alone = must(target_rows(moments, row, 0.1, 1));
    EXPECT_EQ(alone, std::vector<float>(all.begin() + static_cast<ptrdiff_t>(r * kColumns),
                                        all.begin() + static_cast<ptrdiff_t>((r + 1) * kColumns)));
    sum += must(moment_error(moments, row, alone, 1));
  }
  EXPECT_NEAR(must(moment_error(moments, {w, kRows, kColumns}, all, 2)), sum, 1e-9 * std::abs(sum));
}

// By its definition, on the columns kept apart, from weights learnt on the others.
TEST(TargetedLayer, TheRidgeIsTheOneThatDoesBestOnColumnsKeptApart) {
  const TwoGroups layer = two_groups(8);
  const Sums sums = gathered(layer, 1);
  const TargetedLayer targeted(layer.layout, sums.grams, sums.cross, sums.real, kScale,
                               Means::kKept, 2);
  const auto error = [&](const std::vector<float>& v) {
    double out = 0.0;
    for (size_t i = 0; i < layer.real.size(); ++i) {
      for (size_t row = 0; row < 4; ++row) {
        const auto x = columns_of(layer.real[i], static_cast<int64_t>(row / 2));
        const auto y = columns_of(layer.integers[i], static_cast<int64_t>(row / 2));
        for (size_t p = 0; p < x.size(); ++p) {
          if (part_of(i, p) != Part::kApart) continue;
          double d = 0.0;
          for (size_t a = 0; a < 4; ++a) {
            d += static_cast<double>(layer.w[row * 4 + a]) * x[p][a] -
                 static_cast<double>(v[row * 4 + a]) * (y[p][a] - 2.0) * kScale;
          }
          out += d * d;
        }
      }
    }
    return out;
  };
  const std::optional<double> best = must(targeted.best_ridge(layer.w));
  ASSERT_TRUE(best.has_value());
  const double least = error(must(targeted.targets(layer.w, Columns::kFit, *best)));
  EXPECT_LT(least, 0.9 * error(layer.w));
  for (const double ridge : {3.0, 1.0, 0.3, 0.1, 0.03}) {
    EXPECT_LE(least, error(must(targeted.targets(layer.w, Columns::kFit, ridge))) * (1.0 + 1e-6));
  }
}

TEST(TargetedLayer, WeightsStayWhereNothingIsLost) {
  TwoGroups layer = two_groups(6);
  constexpr double kExact = 0.0625;
  for (size_t i = 0; i < layer.real.size(); ++i) {
    std::vector<float> x;
    for (int64_t e = 0; e < 60; ++e) {
      x.push_back(static_cast<float>((layer.integers[i].at_as_double(e) - 2.0) * kExact));
    }
    layer.real[i] = Tensor::of<float>({1, 4, 5, 3}, x);
  }
  const Sums sums = gathered(layer, 1);
  const TargetedLayer targeted(layer.layout, sums.grams, sums.cross, sums.real, kExact,
                               Means::kKept, 1);
  EXPECT_FALSE(must(targeted.best_ridge(layer.w)).has_value());
}

TEST(CrossGram, ConstantColumnsAreDeadWithoutTheirMean) {
  TwoGroups layer = two_groups(4);
  for (Tensor& x : layer.integers) {
    std::vector<int8_t> q(60);
    for (size_t e = 0; e < 60; ++e) {
      q[e] = e < 15 ? int8_t{7} : static_cast<int8_t>(x.at_as_int64(static_cast<int64_t>(e)));
    }
    x = Tensor::of<int8_t>({1, 4, 5, 3}, q);
  }
  const Sums sums = gathered(layer, 1);
  const GroupMoments moments =
      group_moments(sums.grams, sums.cross, sums.real, kScale, 0, Columns::kAll, Means::kTakenOut);
  for (const size_t column : {0U, 1U}) EXPECT_EQ(moments.gram[column * 5], 0.0);
  EXPECT_GT(moments.gram[2 * 5], 0.0);
}

}  // namespace
}  // namespace octet::accuracy
