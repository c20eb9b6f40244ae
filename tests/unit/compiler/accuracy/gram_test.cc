#include "compiler/accuracy/gram.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/support/accuracy_network.h"

namespace octet::accuracy {
namespace {

using ir::Tensor;
using testing::must;
using testing::normal_values;

std::vector<int64_t> all_of(int64_t positions) {
  return sampled_positions(positions, positions, 0);
}

// A graph of one linear node without bias, and its data.
struct OneLayer {
  ir::Graph graph;
  ir::Node node;
  Tensor weight;
  Tensor x;
};

OneLayer one_layer(const std::string& type, std::vector<int64_t> x_shape,
                   std::vector<int64_t> w_shape, const ir::AttributeMap& attributes) {
  testing::GraphBuilder builder(ops::infer_node);
  const Tensor x = Tensor::of<float>(
      x_shape,
      normal_values(static_cast<size_t>(ir::Shape::of(x_shape).element_count().value()), 5));
  const Tensor w = Tensor::of<float>(
      w_shape,
      normal_values(static_cast<size_t>(ir::Shape::of(w_shape).element_count().value()), 9));
  const ir::ValueId y =
      builder.op(type, {builder.input("x", x_shape), builder.constant("w", w)}, attributes);
  builder.output(y);
  ir::Graph graph = builder.finish();
  const ir::Node node = graph.node(graph.order().front());
  return {std::move(graph), node, w, x};
}

// The layer's output from its columns and weight rows must be what the operator computes.
void expect_columns_compute(const OneLayer& layer) {
  const auto layout = weight_layout(layer.node, layer.weight);
  ASSERT_TRUE(layout.has_value());
  const ColumnReader reader =
      must(ColumnReader::make(layer.node, *layout, layer.x.shape(), layer.weight.shape()));
  const std::vector<float> rows = weight_rows(*layout, layer.weight.data<float>());
  const std::vector<float> expected =
      testing::run_graph(layer.graph, {layer.x}).front().to_floats();
  const auto places = reader.places(all_of(reader.positions()));
  const auto k = static_cast<size_t>(layout->columns);
  const auto n = static_cast<size_t>(reader.positions());
  ASSERT_EQ(expected.size(), n * static_cast<size_t>(layout->channels()));
  for (int64_t group = 0; group < layout->groups; ++group) {
    std::vector<float> columns(n * k);
    reader.read(layer.x, 0, group, places, columns);
    for (size_t p = 0; p < n; ++p) {
      for (int64_t r = 0; r < layout->rows; ++r) {
        const auto m = static_cast<size_t>(group * layout->rows + r);
        double sum = 0.0;
        for (size_t i = 0; i < k; ++i) {
          sum += static_cast<double>(rows[m * k + i]) * static_cast<double>(columns[p * k + i]);
        }
        const bool channels_last = layer.node.op_type != "Conv";
        const auto all = static_cast<size_t>(layout->channels());
        ASSERT_NEAR(expected[channels_last ? p * all + m : m * n + p], sum, 1e-4);
      }
    }
  }
}

TEST(Columns, TimesWeightsAreWhatTheOperatorComputes) {
  using Ints = std::vector<int64_t>;
  expect_columns_compute(one_layer("Conv", {1, 3, 9, 7}, {4, 3, 3, 3},
                                   {{"pads", Ints{1, 0, 2, 1}}, {"strides", Ints{2, 1}}}));
  expect_columns_compute(one_layer("Conv", {1, 6, 8, 8}, {6, 1, 3, 3},
                                   {{"group", int64_t{6}}, {"dilations", Ints{2, 2}}}));
  expect_columns_compute(one_layer("Conv", {1, 4, 5, 5}, {6, 2, 1, 3},
                                   {{"group", int64_t{2}}, {"pads", Ints{0, 1, 0, 1}}}));
  expect_columns_compute(one_layer("Conv", {1, 2, 11}, {3, 2, 4}, {{"pads", Ints{2, 1}}}));
  expect_columns_compute(one_layer("MatMul", {2, 3, 5}, {5, 4}, {}));
  expect_columns_compute(one_layer("Gemm", {3, 5}, {5, 4}, {}));
  expect_columns_compute(one_layer("Gemm", {3, 5}, {4, 5}, {{"transB", int64_t{1}}}));
}

// What a layer reads may be stored in any type that a backend has for activations.
TEST(Columns, AreTheSameForEveryStorageType) {
  const OneLayer layer = one_layer("Gemm", {3, 5}, {5, 4}, {});
  const auto layout = weight_layout(layer.node, layer.weight);
  ASSERT_TRUE(layout.has_value());
  const ColumnReader reader =
      must(ColumnReader::make(layer.node, *layout, layer.x.shape(), layer.weight.shape()));
  const auto places = reader.places(all_of(reader.positions()));
  using ir::DType;
  for (const DType dtype : {DType::kUint8, DType::kInt8, DType::kUint16, DType::kInt16,
                            DType::kInt32, DType::kFloat32, DType::kFloat16}) {
    Tensor x = must(Tensor::zeros(dtype, {3, 5}));
    for (int64_t i = 0; i < x.element_count(); ++i) {
      if (numerics::is_integer(dtype)) {
        x.set_from_int64(i, 3 * i);
      } else {
        x.set_from_double(i, static_cast<double>(3 * i));
      }
    }
    std::vector<float> columns(15);
    reader.read(x, 7, 0, places, columns);
    for (size_t i = 0; i < columns.size(); ++i) {
      EXPECT_EQ(columns[i], static_cast<float>(3 * i) - 7.0F) << numerics::dtype_name(dtype);
    }
  }
}

TEST(Columns, NoLayoutWhereTheFormulaIsAnother) {
  const Tensor weight = Tensor::of<float>({2, 2}, {1, 2, 3, 4});
  ir::Node gemm;
  gemm.op_type = "Gemm";
  EXPECT_TRUE(weight_layout(gemm, weight).has_value());
  gemm.attributes["alpha"] = 0.5F;
  EXPECT_FALSE(weight_layout(gemm, weight).has_value());
  gemm.attributes = {{"transA", int64_t{1}}};
  EXPECT_FALSE(weight_layout(gemm, weight).has_value());
  gemm.op_type = "ConvTranspose";
  EXPECT_FALSE(weight_layout(gemm, weight).has_value());
  gemm.op_type = "MatMul";
  EXPECT_FALSE(weight_layout(gemm, Tensor::of<float>({1, 2, 2}, {1, 2, 3, 4})).has_value());
}

TEST(SampledPositions, AreDistinctSpreadAndAllWhereThereAreFew) {
  EXPECT_EQ(sampled_positions(5, 8, 3), (std::vector<int64_t>{0, 1, 2, 3, 4}));
  EXPECT_TRUE(sampled_positions(0, 8, 3).empty());
  std::set<int64_t> seen;
  for (size_t sample = 0; sample < 50; ++sample) {
    const auto positions = sampled_positions(1000, 64, sample);
    ASSERT_EQ(positions.size(), 64U);
    for (size_t i = 0; i < positions.size(); ++i) {
      ASSERT_GE(positions[i], static_cast<int64_t>(i * 1000 / 64));
      ASSERT_LT(positions[i], static_cast<int64_t>((i + 1) * 1000 / 64 + 1));
      ASSERT_TRUE(i == 0 || positions[i] > positions[i - 1]);
    }
    seen.insert(positions.begin(), positions.end());
  }
  EXPECT_GT(seen.size(), 900U);  // no position is out of reach
}

// The definition: over the sampled columns, one at a time.
void expect_grams(const OneLayer& layer, size_t samples) {
  const WeightLayout layout = *weight_layout(layer.node, layer.weight);
  std::vector<Tensor> tensors;
  for (size_t i = 0; i < samples; ++i) {
    Tensor x = must(Tensor::zeros(ir::DType::kUint8, layer.x.shape()));
    auto values = x.mutable_data<uint8_t>();
    std::mt19937 engine(static_cast<uint32_t>(i));
    for (uint8_t& v : values) v = static_cast<uint8_t>(engine() >> 24);
    tensors.push_back(std::move(x));
  }
  const auto gather = [&](size_t threads) {
    return must(gather_grams(layer.node, layout, layer.weight.shape(), layer_inputs(tensors, 100),
                             threads, int64_t{1} << 30));
  };
  const GramSums grams = gather(1);
  for (size_t threads : {2, 4}) {
    const GramSums other = gather(threads);
    EXPECT_EQ(other.fit, grams.fit);
    EXPECT_EQ(other.apart, grams.apart);
    EXPECT_EQ(other.sums.fit, grams.sums.fit);
  }
  const ColumnReader reader =
      must(ColumnReader::make(layer.node, layout, layer.x.shape(), layer.weight.shape()));
  const auto k = static_cast<size_t>(layout.columns);
  for (int64_t group = 0; group < layout.groups; ++group) {
    std::vector<double> fit(k * k);
    std::vector<double> apart(k * k);
    std::vector<double> sum(k);
    for (size_t i = 0; i < samples; ++i) {
      const auto positions = sampled_positions(reader.positions(), positions_per_sample(layout), i);
      std::vector<float> columns(positions.size() * k);
      reader.read(tensors[i], 100, group, reader.places(positions), columns);
      for (size_t p = 0; p < positions.size(); ++p) {
        const bool is_fit = part_of(i, p) == Part::kFit;
        for (size_t a = 0; a < k; ++a) {
          if (is_fit) sum[a] += columns[p * k + a];
          for (size_t b = 0; b < k; ++b) {
            (is_fit ? fit : apart)[a * k + b] += columns[p * k + a] * columns[p * k + b];
          }
        }
      }
    }
    const auto got_fit = grams.fit_gram(group).values;
    const auto got_apart = grams.apart_gram(group).values;
    // Integers: exact.
    EXPECT_TRUE(std::equal(fit.begin(), fit.end(), got_fit.begin()));
    EXPECT_TRUE(std::equal(apart.begin(), apart.end(), got_apart.begin()));
    EXPECT_TRUE(std::equal(
        sum.begin(), sum.end(),
        grams.sums.fit.begin() + static_cast<ptrdiff_t>(group) * static_cast<ptrdiff_t>(k)));
  }
}

TEST(GatherGrams, IsTheSumOverSampledColumnsForAnyThreads) {
  using Ints = std::vector<int64_t>;
  expect_grams(one_layer("Conv", {1, 6, 12, 12}, {6, 1, 3, 3},
                         {{"group", int64_t{6}}, {"pads", Ints{1, 1, 1, 1}}}),
               9);
  expect_grams(one_layer("Conv", {1, 16, 10, 10}, {4, 16, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}}), 9);
  expect_grams(one_layer("MatMul", {1, 7, 100}, {100, 3}, {}), 3);
}

TEST(GatherGrams, RefusesWhatDoesNotFitTheMemory) {
  const OneLayer layer = one_layer("MatMul", {1, 7, 100}, {100, 3}, {});
  const std::vector<Tensor> tensors = {layer.x};
  const auto refused =
      gather_grams(layer.node, *weight_layout(layer.node, layer.weight), layer.weight.shape(),
                   layer_inputs(tensors, 0), 1, 100 * 100 * 16 - 1);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::kResourceLimit);
}

TEST(ColumnSums, OfFloatsAreThoseOfTheGram) {
  const OneLayer layer = one_layer("Conv", {1, 5, 14, 14}, {4, 5, 3, 3}, {});
  const WeightLayout layout = *weight_layout(layer.node, layer.weight);
  const std::vector<Tensor> tensors(6, layer.x);
  const GramSums grams = must(gather_grams(layer.node, layout, layer.weight.shape(),
                                           layer_inputs(tensors, 0), 2, int64_t{1} << 30));
  const ColumnReader reader =
      must(ColumnReader::make(layer.node, layout, layer.x.shape(), layer.weight.shape()));
  ColumnSums total;
  for (size_t i = 0; i < tensors.size(); ++i) add(must(column_sums(reader, layer.x, i)), total);
  EXPECT_EQ(total.fit_count, grams.sums.fit_count);
  EXPECT_EQ(total.apart_count, grams.sums.apart_count);
  EXPECT_GT(total.apart_count, 0);
  for (size_t i = 0; i < total.fit.size(); ++i) EXPECT_NEAR(total.fit[i], grams.sums.fit[i], 1e-6);
}

}  // namespace
}  // namespace octet::accuracy
