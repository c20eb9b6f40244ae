// Without data: what the rounding of a layer's weights does to the mean of its output, from batch
// norms alone, held against the closed form and against sampling.
#include "compiler/accuracy/data_free.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "backends/backends.h"
#include "compiler/plan/formats.h"
#include "tests/support/accuracy_network.h"

namespace octet::accuracy {
namespace {

using ir::Graph;
using ir::ValueId;
using ::testing::AllOf;
using testing::ConvNetwork;
using ::testing::HasSubstr;
using testing::must;
using testing::normal_values;

constexpr size_t kChannels = 6;
constexpr size_t kOutputs = 5;
constexpr size_t kTaps = 9;

// What a batch norm of these parameters says, worked out by hand.
struct Norm {
  std::vector<float> gamma = {1.0F, 0.5F, -2.0F, 1.5F, 0.8F, 1.2F};
  std::vector<float> beta = {0.5F, -0.3F, 1.0F, 2.0F, -1.0F, 0.0F};
  std::vector<float> variance = {1.0F, 4.0F, 0.25F, 2.0F, 9.0F, 0.01F};
  float epsilon = 0.01F;

  double deviation(size_t c) const {
    const auto v = static_cast<double>(variance[c]);
    return std::abs(static_cast<double>(gamma[c])) *
           std::sqrt(v / (v + static_cast<double>(epsilon)));
  }
  double mean(size_t c) const { return static_cast<double>(beta[c]); }
  // E[max(x, 0)] = s phi(m/s) + m Phi(m/s).
  double relu_mean(size_t c) const {
    const double m = mean(c);
    const double s = deviation(c);
    return s * std::exp(-m * m / (2.0 * s * s)) / std::sqrt(2.0 * M_PI) +
           m * 0.5 * std::erfc(-m / s / std::sqrt(2.0));
  }
};

// first (its result normed) -> Relu -> second, as it is behind folding: the norm's name stays.
Graph folded() {
  ConvNetwork net;
  const ValueId a = net.conv(net.input(), 8, kChannels, 3, "norm");
  const ValueId r = net.op("Relu", {a}, "relu");
  return net.finish({net.conv(r, kChannels, kOutputs, 3, "second")});
}

// The facts of the model as loaded, where the batch norm still stands.
NormFacts facts_of(const Norm& norm) {
  ConvNetwork net;
  auto& builder = net.builder();
  const ValueId a = net.conv(net.input(), 8, kChannels, 3, "first");
  const auto c = [&](const std::string& name, const std::vector<float>& values) {
    return builder.constant<float>(name, {kChannels}, values);
  };
  const ValueId n = net.op("BatchNormalization",
                           {a, c("gamma", norm.gamma), c("beta", norm.beta),
                            c("mean", normal_values(kChannels, 9)), c("variance", norm.variance)},
                           "norm", {{"epsilon", norm.epsilon}});
  return gather_norm_facts(net.finish({n}));
}

// The second layer before and behind its rounding, and what equalization made of its inputs.
struct Rounded {
  std::vector<float> weight;     // equalized, float
  std::vector<double> integers;  // times scale
  std::vector<float> bias;
  std::vector<float> corrected;
  std::vector<double> factor;  // of each input channel

  double error(size_t row, size_t channel, size_t tap) const {
    const size_t i = (row * kChannels + channel) * kTaps + tap;
    return integers[i] - static_cast<double>(weight[i]);
  }
};

Rounded rounded_second_layer(const Norm& norm) {
  const auto canonical = std::make_shared<const Graph>(folded());
  plan::Formats formats;  // few bits, so that rounding does something
  formats.weights = plan::WeightWidth::kInt4;
  formats.narrow_layers = plan::NarrowLayers::kAll;
  const auto spec = plan::with_formats(must(backends::load_backend("openvino")), formats);
  plan::Recipe recipe;
  recipe.formats = formats;
  DataFreeOptions options;
  options.facts = facts_of(norm);
  options.inputs["x"] = {{normal_channel(0.0, 1.0)}, 1};
  const RecipeResult result = must(plan_without_data(canonical, spec, recipe, options));
  EXPECT_TRUE(result.plan.data_free);
  EXPECT_EQ(result.report.corrected, 2U);
  const auto number = [&](const Graph& graph, const std::string& name) {
    return graph.constant(graph.find_value(name))->to_floats();
  };
  Rounded out;
  out.weight = number(*result.equalized, "second.w");
  out.bias = number(*result.equalized, "second.b");
  for (const plan::ReplacedConstant& replaced : result.plan.replaced) {
    if (replaced.value == "second.b") out.corrected = replaced.tensor.to_floats();
  }
  for (const plan::ConstantQuantizer& constant : result.plan.constants) {
    if (constant.value != "second.w") continue;
    for (size_t i = 0; i < out.weight.size(); ++i) {
      const auto scale = static_cast<double>(constant.params.scales()[i / (kChannels * kTaps)]);
      out.integers.push_back(
          scale * static_cast<double>(constant.integers->at_as_int64(static_cast<int64_t>(i))));
    }
  }
  const std::vector<float> before = number(*canonical, "norm.b");
  const std::vector<float> behind = number(*result.equalized, "norm.b");
  for (size_t c = 0; c < kChannels; ++c) {
    out.factor.push_back(static_cast<double>(behind[c]) / static_cast<double>(before[c]));
  }
  return out;
}

TEST(DataFree, BiasesTakeUpWhatRoundingDoesToTheMean) {
  const Norm norm;
  const Rounded layer = rounded_second_layer(norm);
  ASSERT_EQ(layer.corrected.size(), kOutputs);
  ASSERT_EQ(layer.integers.size(), layer.weight.size());
  double largest = 0.0;
  for (size_t r = 0; r < kOutputs; ++r) {
    double shift = 0.0;
    for (size_t c = 0; c < kChannels; ++c) {
      for (size_t t = 0; t < kTaps; ++t) {
        shift += layer.error(r, c, t) * layer.factor[c] * norm.relu_mean(c);
      }
    }
    EXPECT_NEAR(layer.corrected[r], static_cast<double>(layer.bias[r]) - shift,
                5e-3 * (std::abs(shift) + 0.1))
        << r;
    largest = std::max(largest, std::abs(shift));
  }
  EXPECT_GT(largest, 0.02);  // there was something to correct
}

TEST(DataFree, SampledInputsHaveTheMeanOfTheFloatLayer) {
  const Norm norm;
  const Rounded layer = rounded_second_layer(norm);
  ASSERT_EQ(layer.corrected.size(), kOutputs);
  constexpr size_t kSamples = 40000;
  // Any two taps of a channel have the same mean, so one number per channel and sample will do.
  std::vector<double> with(kOutputs, 0.0);
  std::vector<double> without(kOutputs, 0.0);
  const std::vector<float> normal = normal_values(kSamples * kChannels, 77);
  for (size_t i = 0; i < kSamples; ++i) {
    for (size_t r = 0; r < kOutputs; ++r) {
      double change = 0.0;
      for (size_t c = 0; c < kChannels; ++c) {
        const auto z = static_cast<double>(normal[i * kChannels + c]);
        const double x = layer.factor[c] * std::max(0.0, norm.mean(c) + norm.deviation(c) * z);
        for (size_t t = 0; t < kTaps; ++t) change += layer.error(r, c, t) * x;
      }
      without[r] += change / kSamples;
      with[r] +=
          (change + static_cast<double>(layer.corrected[r]) - static_cast<double>(layer.bias[r])) /
          kSamples;
    }
  }
  double before = 0.0;
  double after = 0.0;
  for (size_t r = 0; r < kOutputs; ++r) {
    before += without[r] * without[r];
    after += with[r] * with[r];
  }
  EXPECT_LT(std::sqrt(after), 0.1 * std::sqrt(before));
}

TEST(DataFree, WithoutBatchNormsTheReasonIsSaid) {
  const auto canonical = std::make_shared<const Graph>(folded());
  const auto none =
      plan_without_data(canonical, must(backends::load_backend("x86")), plan::Recipe(), {});
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().code(), ErrorCode::kUnsupported);
  EXPECT_THAT(none.error().message(), AllOf(HasSubstr("batch norms"), HasSubstr("--data")));
}

}  // namespace
}  // namespace octet::accuracy
