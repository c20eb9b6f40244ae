// Statistics that follow from those of other values are the ones that looking gives.
#include "compiler/calibration/derived.h"

#include <gmock/gmock.h>

#include "compiler/calibration/calibrate.h"
#include "compiler/ir/parse.h"
#include "tests/support/graph_builder.h"
#include "tests/support/random_graph.h"

namespace octet::calibration {
namespace {

using ir::Graph;
using ir::Tensor;
using ir::ValueId;
using octet::testing::must;
using octet::testing::Random;

constexpr const char* kMoves = R"(graph "g" {
  input %x: float32[1,6,2,2]
  %a: float32[1,6,2,2] = Relu(%x)
  %b: float32[1,6,2,2] = Neg(%x)
  %c: float32[1,18,2,2] = Concat(%a, %b, %a) {axis = 1}
  %t: float32[1,2,2,18] = Transpose(%c) {perm = [0, 2, 3, 1]}
  %f: float32[1,72] = Flatten(%t)
  %s: float32[1,72] = Sigmoid(%f)
  %m: float32[1,6,1,1] = MaxPool(%x) {kernel_shape = [2, 2]}
  output %s
  output %m
})";

std::shared_ptr<const Graph> moves() {
  return std::make_shared<const Graph>(must(ir::parse(kMoves)));
}

// Sample i is between -(i + 1) and 2 (i + 1).
class RandomSamples : public data::Dataset {
 public:
  RandomSamples(size_t count, std::vector<int64_t> shape)
      : count_(count), shape_(std::move(shape)) {}
  size_t size() const override { return count_; }
  Result<data::Sample> get(size_t index) const override {
    Random random(index + 1);
    OCTET_ASSIGN(Tensor tensor, Tensor::zeros(ir::DType::kFloat32, shape_));
    const float reach = static_cast<float>(index + 1);
    for (float& x : tensor.mutable_data<float>()) x = random.between(-reach, 2.0F * reach);
    return data::Sample{std::move(tensor)};
  }

 private:
  size_t count_;
  std::vector<int64_t> shape_;
};

std::vector<std::string> derived_names(const Graph& graph, const std::set<ValueId>& values,
                                       const std::set<ValueId>& histograms) {
  std::vector<std::string> out;
  for (const Derivation& d : derivations(graph, values, histograms)) {
    out.push_back(graph.value(d.value).name);
  }
  return out;
}

TEST(Derivations, AreMovesAndConcatsOfWhatIsObserved) {
  const auto graph = moves();
  const auto all = observable_values(*graph);
  EXPECT_THAT(derived_names(*graph, all, all), ::testing::ElementsAre("a", "c", "t", "f"));
  std::set<ValueId> some = all;
  some.erase(graph->find_value("b"));
  EXPECT_THAT(derived_names(*graph, some, some), ::testing::ElementsAre("a", "t", "f"));
  EXPECT_THAT(derived_names(*graph, all, {graph->find_value("f")}),
              ::testing::ElementsAre("a", "c", "t"));
}

TEST(Derivations, GiveWhatLookingGives) {
  const auto graph = moves();
  const RandomSamples samples(7, {1, 6, 2, 2});
  CalibrateOptions options;
  options.values = options.histograms = observable_values(*graph);
  for (const size_t threads : {size_t{1}, size_t{3}}) {
    options.threads = threads;
    const Statistics together = must(calibrate(graph, samples, options));
    for (const ValueId id : options.values) {
      CalibrateOptions alone;
      alone.values = alone.histograms = {id};
      const std::string& name = graph->value(id).name;
      const Statistics looked = must(calibrate(graph, samples, alone));
      EXPECT_TRUE(together.tensors.at(name) == looked.tensors.at(name)) << name;
    }
  }
}

// Large enough that histograms count some elements only: which ones must not hang on what else is
// observed.
constexpr const char* kLargeMoves = R"(graph "g" {
  input %x: float32[1,6,64,60]
  %n: float32[1,6,64,60] = Neg(%x)
  %r: float32[1,6,64,60] = Relu(%n)
  %c: float32[1,12,64,60] = Concat(%r, %x) {axis = 1}
  %t: float32[1,60,64,12] = Transpose(%c) {perm = [0, 3, 2, 1]}
  %u: float32[1,60,64,12] = Relu(%t)
  output %u
})";

TEST(Derivations, OfPartlyCountedTensorsDoNotHangOnWhatElseIsObserved) {
  const auto graph = std::make_shared<const Graph>(must(ir::parse(kLargeMoves)));
  const RandomSamples samples(3, {1, 6, 64, 60});
  CalibrateOptions options;
  options.values = options.histograms = observable_values(*graph);
  const Statistics together = must(calibrate(graph, samples, options));
  for (const ValueId id : options.values) {
    CalibrateOptions alone;
    alone.values = alone.histograms = {id};
    const std::string& name = graph->value(id).name;
    const Statistics looked = must(calibrate(graph, samples, alone));
    EXPECT_EQ(looked.tensors.size(), 1U);
    EXPECT_TRUE(together.tensors.at(name) == looked.tensors.at(name)) << name;
  }
}

}  // namespace
}  // namespace octet::calibration
