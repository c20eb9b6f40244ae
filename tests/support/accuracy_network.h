// Small networks and made-up samples for the tests of compiler/accuracy.
#pragma once

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "compiler/data/dataset.h"
#include "compiler/interpreter/interpreter.h"
#include "compiler/ops/schema.h"
#include "tests/support/graph_builder.h"

namespace octet::testing {

// Samples held in memory.
class HeldSamples : public data::Dataset {
 public:
  explicit HeldSamples(std::vector<data::Sample> samples) : samples_(std::move(samples)) {}
  size_t size() const override { return samples_.size(); }
  Result<data::Sample> get(size_t index) const override { return samples_[index]; }

 private:
  std::vector<data::Sample> samples_;
};

inline std::vector<float> normal_values(size_t count, uint32_t seed, float deviation = 1.0F) {
  std::mt19937 engine(seed);
  std::vector<float> out(count);
  // Twelve uniform numbers: the same on every machine, which std::normal_distribution is not.
  for (float& value : out) {
    double sum = -6.0;
    for (int i = 0; i < 12; ++i) sum += static_cast<double>(engine()) / 4294967296.0;
    value = deviation * static_cast<float>(sum);
  }
  return out;
}

inline HeldSamples normal_samples(size_t count, const std::vector<int64_t>& shape, uint32_t seed) {
  size_t size = 1;
  for (int64_t extent : shape) size *= static_cast<size_t>(extent);
  std::vector<data::Sample> out;
  for (size_t i = 0; i < count; ++i) {
    out.push_back({ir::Tensor::of<float>(
        shape, normal_values(size, seed + static_cast<uint32_t>(i) * 7919U))});
  }
  return HeldSamples(std::move(out));
}

inline std::vector<ir::Tensor> run_graph(const ir::Graph& graph,
                                         const std::vector<ir::Tensor>& inputs) {
  interpreter::Options options;
  options.kernels = interpreter::Kernels::kReference;
  return must(
      must(interpreter::Interpreter::create(std::make_shared<const ir::Graph>(graph), options))
          .run(inputs));
}

// 10 log10 of signal over noise, over all samples and outputs.
inline double sqnr(const ir::Graph& real, const ir::Graph& other, const data::Dataset& samples) {
  double signal = 0.0;
  double noise = 0.0;
  for (size_t i = 0; i < samples.size(); ++i) {
    const data::Sample sample = must(samples.get(i));
    const auto a = run_graph(real, sample);
    const auto b = run_graph(other, sample);
    for (size_t k = 0; k < a.size(); ++k) {
      const std::vector<float> x = a[k].to_floats();
      const std::vector<float> y = b[k].to_floats();
      for (size_t j = 0; j < x.size(); ++j) {
        signal += static_cast<double>(x[j]) * static_cast<double>(x[j]);
        noise += std::pow(static_cast<double>(x[j]) - static_cast<double>(y[j]), 2.0);
      }
    }
  }
  return noise == 0.0 ? 300.0 : 10.0 * std::log10(signal / noise);
}

// Convolutions on [1, 8, 12, 12]. Values go by the names of their nodes.
class ConvNetwork {
 public:
  ConvNetwork() : builder_(ops::infer_node) {}

  GraphBuilder& builder() { return builder_; }
  ir::ValueId input(int64_t channels = 8) { return builder_.input("x", {1, channels, 12, 12}); }

  // Weights of output channel c are `spread`^c times as large as those of channel 0.
  ir::ValueId conv(ir::ValueId x, int64_t in, int64_t out, int64_t kernel, const std::string& name,
                   int64_t group = 1, float spread = 1.0F) {
    const int64_t per_row = in / group * kernel * kernel;
    std::vector<float> w = normal_values(static_cast<size_t>(out * per_row), seed_ += 17,
                                         1.0F / std::sqrt(static_cast<float>(per_row)));
    std::vector<float> b = normal_values(static_cast<size_t>(out), seed_ += 17, 0.3F);
    float factor = 1.0F;
    for (int64_t c = 0; c < out; ++c, factor *= spread) {
      for (int64_t k = 0; k < per_row; ++k) w[static_cast<size_t>(c * per_row + k)] *= factor;
      b[static_cast<size_t>(c)] *= factor;
    }
    const int64_t pad = kernel / 2;
    return named(
        builder_.op("Conv",
                    {x, builder_.constant<float>(name + ".w", {out, in / group, kernel, kernel}, w),
                     builder_.constant<float>(name + ".b", {out}, b)},
                    {{"group", group}, {"pads", std::vector<int64_t>{pad, pad, pad, pad}}}, name),
        name);
  }
  ir::ValueId op(const std::string& type, std::vector<ir::ValueId> inputs, const std::string& name,
                 ir::AttributeMap attributes = {}) {
    return named(builder_.op(type, std::move(inputs), std::move(attributes), name), name);
  }
  ir::ValueId relu6(ir::ValueId x, const std::string& name) {
    return op("Clip",
              {x, builder_.constant<float>(name + ".low", {}, {0.0F}),
               builder_.constant<float>(name + ".high", {}, {6.0F})},
              name);
  }
  ir::Graph finish(const std::vector<ir::ValueId>& outputs) {
    for (ir::ValueId id : outputs) builder_.output(id);
    return builder_.finish();
  }

 private:
  ir::ValueId named(ir::ValueId id, const std::string& name) {
    must(builder_.graph().rename_value(id, name));
    return id;
  }

  GraphBuilder builder_;
  uint32_t seed_ = 1;
};

}  // namespace octet::testing
