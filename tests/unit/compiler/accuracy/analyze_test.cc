#include "compiler/accuracy/analyze.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "backends/backends.h"
#include "compiler/accuracy/output_noise.h"
#include "compiler/accuracy/recipe.h"
#include "compiler/base/files.h"
#include "compiler/plan/apply.h"
#include "compiler/plan/planner.h"
#include "tests/support/accuracy_network.h"
#include "tests/support/toy_backend.h"

namespace octet::accuracy {
namespace {

using ir::Graph;
using ir::ValueId;
using testing::ConvNetwork;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::HeldSamples;
using testing::must;
using testing::normal_values;

// A model, its samples, and the plan of ranges alone.
struct Subject {
  Subject(Graph built, HeldSamples data, const plan::BackendSpec& backend,
          const plan::Recipe& chosen = {})
      : graph(std::make_shared<const Graph>(std::move(built))),
        samples(std::move(data)),
        spec(backend),
        recipe(chosen) {
    const plan::NeededStatistics needed = plan::needed_statistics(*graph, spec, recipe);
    calibration::CalibrateOptions options;
    options.values = needed.values;
    options.histograms = needed.histograms;
    plan = must(plan::make_plan(*graph, must(calibration::calibrate(graph, samples, options)), spec,
                                recipe));
  }

  AnalyzeResult analyzed(size_t threads = 2) const {
    AnalyzeOptions options;
    options.threads = threads;
    return must(analyze({graph, plan, spec}, samples, options));
  }

  // What the outputs have with this plan.
  double decibels_of(const plan::QuantPlan& with) const {
    Graph quantized = *graph;
    must(plan::apply_plan(quantized, with));
    return testing::sqnr(*graph, quantized, samples);
  }

  std::shared_ptr<const Graph> graph;
  HeldSamples samples;
  plan::BackendSpec spec;
  plan::Recipe recipe;
  plan::QuantPlan plan;
};

plan::BackendSpec x86() { return must(backends::load_backend("x86")); }

const Cure* find_cure(const Analysis& analysis, const std::string& name) {
  const auto it = std::find_if(analysis.cures.begin(), analysis.cures.end(),
                               [&](const Cure& cure) { return cure.name == name; });
  return it == analysis.cures.end() ? nullptr : &*it;
}

const TensorReport& tensor_named(const Analysis& analysis, const std::string& name) {
  return *std::find_if(analysis.tensors.begin(), analysis.tensors.end(),
                       [&](const TensorReport& tensor) { return tensor.name == name; });
}

// Multiplies what `constant` has at the indices that `chosen` picks.
template <typename Chosen>
void scale_elements(Graph& graph, const std::string& constant, float factor, Chosen&& chosen) {
  const ValueId id = graph.find_value(constant);
  std::vector<float> values = graph.constant(id)->to_floats();
  for (size_t i = 0; i < values.size(); ++i) {
    if (chosen(i)) values[i] *= factor;
  }
  const auto shape = graph.constant(id)->shape();
  graph.set_constant(id, std::make_shared<const ir::Tensor>(ir::Tensor::of<float>(shape, values)));
}

Graph three_convolutions() {
  ConvNetwork net;
  const ValueId a = net.op("Relu", {net.conv(net.input(), 8, 16, 3, "first")}, "first.relu");
  const ValueId b = net.op("Relu", {net.conv(a, 16, 16, 3, "second")}, "second.relu");
  return net.finish({net.conv(b, 16, 8, 1, "third")});
}

TEST(Analyze, SharesAddUpAndPartsAreNoLouderThanTheWhole) {
  const Subject subject(three_convolutions(), testing::normal_samples(20, {1, 8, 12, 12}, 5),
                        x86());
  const Analysis found = subject.analyzed().analysis;
  EXPECT_EQ(found.samples, 16U);
  ASSERT_EQ(found.layers.size(), 3U);
  double layers = 0.0;
  for (const LayerReport& layer : found.layers) {
    layers += layer.share;
    EXPECT_NEAR(layer.share, layer.weight_share + layer.input_share, 1e-12);
    ASSERT_TRUE(layer.local_db && layer.local_weight_db && layer.local_input_db);
    EXPECT_LT(*layer.local_db, *layer.local_weight_db);
    EXPECT_LT(*layer.local_db, *layer.local_input_db);
    EXPECT_GT(*layer.local_db, 25.0);
  }
  // The quantizer of the output is in front of no layer.
  EXPECT_NEAR(layers + tensor_named(found, "third").share, 1.0, 1e-9);
  EXPECT_TRUE(std::is_sorted(found.layers.begin(), found.layers.end(),
                             [](const auto& a, const auto& b) { return a.share > b.share; }));
  // Small noise adds up: weights and activations apart, and the two together.
  const double whole = found.weights + found.tensors_noise;
  EXPECT_NEAR(found.sum / whole, 1.0, 0.2);
  const double measured = subject.decibels_of(subject.plan);
  EXPECT_NEAR(-10.0 * std::log10(found.sum), measured, 1.0);
}

TEST(Analyze, TheSameForAnyNumberOfThreads) {
  const Subject subject(three_convolutions(), testing::normal_samples(9, {1, 8, 12, 12}, 5), x86());
  const Analysis one = subject.analyzed(1).analysis;
  for (const size_t threads : {2, 4, 8}) {
    const Analysis other = subject.analyzed(threads).analysis;
    EXPECT_EQ(one.sum, other.sum);
    EXPECT_EQ(one.weights, other.weights);
    EXPECT_EQ(one.tensors_noise, other.tensors_noise);
    ASSERT_EQ(one.layers.size(), other.layers.size());
    for (size_t i = 0; i < one.layers.size(); ++i) {
      EXPECT_EQ(one.layers[i].node, other.layers[i].node);
      EXPECT_EQ(one.layers[i].share, other.layers[i].share);
      EXPECT_EQ(one.layers[i].local_db, other.layers[i].local_db);
    }
    ASSERT_EQ(one.cures.size(), other.cures.size());
    for (size_t i = 0; i < one.cures.size(); ++i) {
      EXPECT_EQ(one.cures[i].of, other.cures[i].of);
      EXPECT_EQ(one.cures[i].gain_db, other.cures[i].gain_db);
    }
  }
}

// Channel 3 of first.relu is 60 times as large, and its reader has weights to match.
Graph with_an_outlier_channel() {
  Graph graph = three_convolutions();
  scale_elements(graph, "first.w", 60.0F, [](size_t i) { return i / 72 == 3; });
  scale_elements(graph, "first.b", 60.0F, [](size_t i) { return i == 3; });
  scale_elements(graph, "second.w", 1.0F / 60.0F, [](size_t i) { return i / 9 % 16 == 3; });
  return graph;
}

TEST(Analyze, AnOutlierChannelIsFoundAndEqualizingCuresIt) {
  const Subject subject(with_an_outlier_channel(), testing::normal_samples(20, {1, 8, 12, 12}, 5),
                        x86());
  const Analysis found = subject.analyzed().analysis;
  EXPECT_EQ(found.tensors.front().name, "first.relu");
  const ChannelFacts& channels = tensor_named(found, "first.relu").channels;
  ASSERT_EQ(channels.outliers.size(), 1U);
  EXPECT_EQ(channels.outliers.front().channel, 3);
  EXPECT_NEAR(channels.outliers.front().times_median, 60.0, 30.0);
  const Subject even(three_convolutions(), testing::normal_samples(20, {1, 8, 12, 12}, 5), x86());
  EXPECT_LT(tensor_named(found, "first.relu").use,
            tensor_named(even.analyzed().analysis, "first.relu").use - 0.1);
  const Cure* cure = find_cure(found, "equalize its channels");
  ASSERT_NE(cure, nullptr);
  EXPECT_EQ(cure->of, "first.relu");
  EXPECT_GT(cure->gain_db, 6.0);
  // Done, it gives that and more: the default recipe rounds by second order, too.
  RecipeOptions options;
  const RecipeResult made =
      must(plan_with_recipe(subject.graph, subject.samples, subject.spec, {}, options));
  EXPECT_GT(subject.decibels_of(made.plan),
            subject.decibels_of(subject.plan) + cure->gain_db - 1.5);
}

// Channel 5 is dead, and what reads it has weights 40 times as large as the others.
TEST(Analyze, WeightsOfADeadChannelAreFoundAndZerosCureThem) {
  Graph graph = three_convolutions();
  scale_elements(graph, "first.w", 0.0F, [](size_t i) { return i / 72 == 5; });
  scale_elements(graph, "first.b", 0.0F, [](size_t i) { return i == 5; });
  scale_elements(graph, "second.w", 40.0F, [](size_t i) { return i / 9 % 16 == 5; });
  const HeldSamples samples = testing::normal_samples(20, {1, 8, 12, 12}, 5);
  const Subject subject(graph, samples, x86());
  const Analysis found = subject.analyzed().analysis;
  EXPECT_THAT(tensor_named(found, "first.relu").channels.dead, ElementsAre(5));
  const Cure* cure = find_cure(found, "set weights of dead channels to zero");
  ASSERT_NE(cure, nullptr);
  EXPECT_EQ(cure->of, "second");
  EXPECT_THAT(cure->how, HasSubstr("\"second.w\" has for input channels 5"));
  EXPECT_GT(cure->gain_db, 3.0);
  scale_elements(graph, "second.w", 0.0F, [](size_t i) { return i / 9 % 16 == 5; });
  const Subject cured(graph, samples, x86());
  EXPECT_NEAR(cured.decibels_of(cured.plan), subject.decibels_of(subject.plan) + cure->gain_db,
              1.0);
}

// One element in 300 of the input is 60 times as large, but a Clip lets little of it through.
TEST(Analyze, AClippedTailIsFoundAndClippingTheRangeCuresIt) {
  ConvNetwork net;
  const ValueId a = net.op(
      "Clip",
      {net.conv(net.input(), 8, 16, 1, "first"), net.builder().constant<float>("low", {}, {-1.5F}),
       net.builder().constant<float>("high", {}, {1.5F})},
      "clip");
  const Graph graph = net.finish({net.conv(a, 16, 8, 1, "second")});
  std::vector<data::Sample> data;
  for (uint32_t i = 0; i < 20; ++i) {
    std::vector<float> values = normal_values(8 * 144, 900 + i);
    for (size_t k = 7 * i; k < values.size(); k += 301) values[k] *= 60.0F;
    data.push_back({ir::Tensor::of<float>({1, 8, 12, 12}, values)});
  }
  const Subject subject(graph, HeldSamples(data), x86());
  const Analysis found = subject.analyzed().analysis;
  EXPECT_EQ(found.tensors.front().name, "x");
  EXPECT_EQ(found.tensors.front().saturated, 0.0);
  const Cure* cure = find_cure(found, "clip the range");
  ASSERT_NE(cure, nullptr);
  EXPECT_EQ(cure->of, "x");
  EXPECT_GT(cure->gain_db, 3.0);
  EXPECT_THAT(cure->how, HasSubstr("recipe: override { select { node: \"first\" } range: \""));
  // The line of the recipe does it, and the analysis then tells what is saturated.
  const std::string line = cure->how.substr(cure->how.find("override"));
  const Subject cured(graph, HeldSamples(data), x86(), must(plan::parse_recipe(line, "cure")));
  EXPECT_NEAR(cured.decibels_of(cured.plan), subject.decibels_of(subject.plan) + cure->gain_db,
              1.0);
  EXPECT_GT(tensor_named(cured.analyzed().analysis, "x").saturated, 0.0);
}

// One scale for all weights of a depthwise convolution whose rows differ by a factor of 200.
TEST(Analyze, WildScalesOfADepthwiseLayerAreFoundAndAScalePerChannelCuresThem) {
  ConvNetwork net;
  const ValueId a = net.op("Relu", {net.conv(net.input(), 8, 16, 3, "first")}, "first.relu");
  const ValueId b = net.conv(a, 16, 16, 3, "depthwise", 16, 0.7F);
  Graph graph = net.finish({net.conv(b, 16, 8, 1, "last")});
  // Readers bring the small channels back.
  float factor = 1.0F;
  for (size_t c = 0; c < 16; ++c, factor /= 0.7F) {
    scale_elements(graph, "last.w", factor, [&](size_t i) { return i % 16 == c; });
  }
  const HeldSamples samples = testing::normal_samples(20, {1, 8, 12, 12}, 5);
  std::string text =
      must(read_file(std::string(OCTET_SOURCE_DIR) + "/backends/toy/backend.textproto"));
  text = testing::replaced_once(text, "name: \"toy\"", "name: \"per_tensor\"");
  const std::string per_channel = "per_channel: true";
  text.erase(text.find(per_channel), per_channel.size());
  const Subject subject(graph, samples, must(backends::parse_backend(text, "per_tensor")));
  const Analysis found = subject.analyzed().analysis;
  const auto weight =
      std::find_if(found.weight_sources.begin(), found.weight_sources.end(),
                   [](const WeightReport& report) { return report.name == "depthwise.w"; });
  ASSERT_NE(weight, found.weight_sources.end());
  EXPECT_FALSE(weight->per_channel);
  EXPECT_GT(weight->spread, 50.0);
  const Cure* cure = find_cure(found, "a scale per channel");
  ASSERT_NE(cure, nullptr);
  EXPECT_EQ(cure->of, "depthwise");
  EXPECT_GT(cure->gain_db, 1.0);
  const Subject cured(graph, samples, must(backends::load_backend("toy")));
  EXPECT_GT(cured.decibels_of(cured.plan), subject.decibels_of(subject.plan) + cure->gain_db - 1.0);
}

// As above; the reader of the outlier channel gets 16 bits where the backend has them.
TEST(Analyze, SixteenBitsAreOfferedWhereTheBackendHasThemAndDoWhatWasExpected) {
  const Graph graph = with_an_outlier_channel();
  const HeldSamples samples = testing::normal_samples(20, {1, 8, 12, 12}, 5);
  const Subject without(graph, samples, must(backends::load_backend("toy")));
  EXPECT_EQ(find_cure(without.analyzed().analysis, "16 bits"), nullptr);
  const plan::BackendSpec chip = testing::toy_with_wide_data();
  const Subject subject(graph, samples, chip);
  const Analysis found = subject.analyzed().analysis;
  const Cure* cure = find_cure(found, "16 bits");
  ASSERT_NE(cure, nullptr);
  EXPECT_EQ(cure->of, "first.relu");
  EXPECT_GT(cure->gain_db, 6.0);
  EXPECT_EQ(cure->how, "recipe: override { select { node: \"second\" } activations: \"int16\" }");
  const std::string line = cure->how.substr(cure->how.find("override"));
  const Subject cured(graph, samples, chip, must(plan::parse_recipe(line, "cure")));
  EXPECT_NEAR(cured.decibels_of(cured.plan), subject.decibels_of(subject.plan) + cure->gain_db,
              1.0);
}

TEST(Analyze, FloatLayersAndSecondOrderGiveWhatIsExpected) {
  const Graph graph = three_convolutions();
  const HeldSamples samples = testing::normal_samples(20, {1, 8, 12, 12}, 5);
  const Subject subject(graph, samples, x86());
  const Analysis found = subject.analyzed().analysis;
  const Cure* cure = find_cure(found, "keep the layer float");
  ASSERT_NE(cure, nullptr);
  const std::string line = cure->how.substr(cure->how.find("override"));
  const Subject cured(graph, samples, x86(), must(plan::parse_recipe(line, "cure")));
  EXPECT_NEAR(cured.decibels_of(cured.plan), subject.decibels_of(subject.plan) + cure->gain_db,
              1.0);
  const Cure* rounding = find_cure(found, "round by second order");
  ASSERT_NE(rounding, nullptr);
  EXPECT_EQ(rounding->how, "--effort default");
}

TEST(Analyze, ANaNIsNamedWithItsSample) {
  const Subject subject(three_convolutions(), testing::normal_samples(3, {1, 8, 12, 12}, 5), x86());
  std::vector<data::Sample> data(3);
  for (size_t i = 0; i < 3; ++i) data[i] = must(subject.samples.get(i));
  std::vector<float> values = data[1][0].to_floats();
  values[7] = NAN;
  data[1][0] = ir::Tensor::of<float>({1, 8, 12, 12}, values);
  const auto found = analyze({subject.graph, subject.plan, subject.spec}, HeldSamples(data), {});
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().code(), ErrorCode::kBadData);
  EXPECT_THAT(found.error().message(), HasSubstr("sample 1"));
}

}  // namespace
}  // namespace octet::accuracy
