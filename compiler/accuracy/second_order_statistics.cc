#include "compiler/accuracy/second_order_statistics.h"

#include <algorithm>
#include <cmath>

#include "compiler/accuracy/channels.h"
#include "compiler/accuracy/layers.h"
#include "compiler/accuracy/product.h"
#include "compiler/base/checked.h"
#include "compiler/calibration/extremes.h"
#include "compiler/numerics/quantize.h"

namespace octet::accuracy {

using calibration::ColumnProducts;
using calibration::LayerStatistics;
using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::Tensor;
using ir::ValueId;

namespace {

bool same_columns(const Graph& graph, const ColumnLayer& layer, NodeId id,
                  const WeightLayout& layout) {
  const Node& a = graph.node(layer.node);
  const Node& b = graph.node(id);
  if (layer.x != b.input(0) || layer.layout.groups != 1 || layout.groups != 1 ||
      layer.layout.columns != layout.columns || a.op_type != b.op_type) {
    return false;
  }
  if (!a.is("Conv")) return true;
  const auto& u = graph.constant(a.input(1))->shape();
  const auto& v = graph.constant(b.input(1))->shape();
  if (!std::equal(u.begin() + 1, u.end(), v.begin() + 1, v.end())) return false;
  return a.attributes.size() == b.attributes.size() &&
         std::equal(a.attributes.begin(), a.attributes.end(), b.attributes.begin(),
                    [](const auto& x, const auto& y) {
                      return x.first == y.first && ir::attributes_equal(x.second, y.second);
                    });
}

// Bytes of a layer's sums, with two buckets for both parts; nothing where that overflows.
std::optional<int64_t> bytes_of(const WeightLayout& layout, int64_t block) {
  const auto products = LayerStatistics::product_count(layout.groups, layout.columns, block);
  const auto all = products ? checked_add(*products, layout.groups * layout.columns) : std::nullopt;
  return all ? checked_mul(*all, 4 * static_cast<int64_t>(sizeof(int64_t))) : std::nullopt;
}

std::optional<int64_t> bytes_of(const std::vector<ColumnLayer>& layers, int64_t block) {
  int64_t out = 0;
  for (const ColumnLayer& layer : layers) {
    const auto bytes = bytes_of(layer.layout, block);
    const auto sum = bytes ? checked_add(out, *bytes) : std::nullopt;
    if (!sum) return std::nullopt;
    out = *sum;
  }
  return out;
}

// The exponent of the least power of 16 above `magnitude`, which is positive.
int bucket_exponent(float magnitude) {
  constexpr int kStep = LayerStatistics::kStep;
  const int above = std::ilogb(magnitude) + 1;  // magnitude < 2^above
  const int raised = above + (kStep - 1);
  const int multiple = (raised >= 0 ? raised / kStep : -((-raised + kStep - 1) / kStep)) * kStep;
  return std::clamp(multiple, LayerStatistics::kLeastExponent, LayerStatistics::kGreatestExponent);
}

// Columns x count: products of integers of 16 bits, whose sums doubles hold without rounding.
class Products {
 public:
  Products(std::vector<double> columns, size_t k) : columns_(std::move(columns)), k_(k) {}

  void add_to(size_t block, std::vector<int64_t>& sums, std::vector<int64_t>& products) const {
    const size_t count = columns_.size() / k_;
    for (size_t a = 0; a < k_; ++a) {
      double sum = 0.0;
      for (size_t i = 0; i < count; ++i) sum += columns_[i * k_ + a];
      sums.push_back(static_cast<int64_t>(sum));
    }
    for (size_t first = 0; first < k_; first += block) {
      const size_t extent = std::min(block, k_ - first);
      add_block(first, extent, count, products);
    }
  }

 private:
  // A panel of rows at a time, so that little is computed below the diagonal.
  void add_block(size_t first, size_t extent, size_t count, std::vector<int64_t>& out) const {
    constexpr size_t kPanel = 64;
    for (size_t from = 0; from < extent; from += kPanel) {
      const size_t rows = std::min(kPanel, extent - from);
      const size_t width = extent - from;
      std::vector<double> turned(rows * count);
      for (size_t i = 0; i < count; ++i) {
        for (size_t r = 0; r < rows; ++r) {
          turned[r * count + i] = columns_[i * k_ + first + from + r];
        }
      }
      std::vector<double> panel(rows * width, 0.0);
      add_product({turned.data(), count}, {columns_.data() + first + from, k_}, panel.data(), width,
                  rows, width, count);
      for (size_t r = 0; r < rows; ++r) {
        for (size_t b = r; b < width; ++b)
          out.push_back(static_cast<int64_t>(panel[r * width + b]));
      }
    }
  }

  std::vector<double> columns_;
  size_t k_;
};

}  // namespace

std::vector<ColumnLayer> find_column_layers(const Graph& graph) {
  std::vector<ColumnLayer> out;
  for (const NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    if (!node.is("Conv") && !node.is("Gemm") && !node.is("MatMul")) continue;
    const ValueId weight = node.input(1);
    if (!weight.valid() || !is_own_constant(graph, weight) || !node.input(0).valid() ||
        graph.constant(node.input(0)) != nullptr) {
      continue;
    }
    const auto layout = weight_layout(node, *graph.constant(weight));
    if (!layout || layout->columns <= 0 || layout->groups <= 0) continue;
    const auto it = std::find_if(out.begin(), out.end(), [&](const ColumnLayer& layer) {
      return same_columns(graph, layer, id, *layout);
    });
    if (it != out.end()) {
      it->sharing.push_back(id);
    } else {
      out.push_back({id, node.input(0), *layout, {id}});
    }
  }
  return out;
}

int64_t second_order_limit(int64_t max_memory) {
  return std::min(int64_t{256} << 20, max_memory / 4);
}

Result<std::unique_ptr<SecondOrderGatherer>> SecondOrderGatherer::make(const Graph& graph,
                                                                       int64_t limit) {
  constexpr int64_t kGreatestBlock = 8192;
  constexpr int64_t kLeastBlock = 32;
  std::unique_ptr<SecondOrderGatherer> out(new SecondOrderGatherer(graph));
  const std::vector<ColumnLayer> layers = find_column_layers(graph);
  int64_t block = kGreatestBlock;
  const auto fits = [&] {
    const auto bytes = bytes_of(layers, block);
    return bytes && *bytes <= limit;
  };
  while (block > kLeastBlock && !fits()) block /= 2;
  if (!fits()) {
    const int64_t mebibyte = int64_t{1} << 20;
    return resource_limit("second-order statistics take ",
                          bytes_of(layers, block).value_or(INT64_MAX) / mebibyte,
                          " MiB even in blocks of ", block, " columns, and ", limit / mebibyte,
                          " MiB are allowed (a quarter of --max-memory, at most 256 MiB)");
  }
  out->block_ = block;
  for (const ColumnLayer& layer : layers) {
    out->layers_of_[layer.x].push_back(out->layers_.size());
    auto& gathered = *out->layers_.emplace_back(std::make_unique<Gathered>());
    gathered.layer = layer;
    gathered.sums.groups = layer.layout.groups;
    gathered.sums.columns = layer.layout.columns;
    gathered.sums.block = block;
  }
  constexpr auto kForgotten = TensorSurvey::Watched::Samples::kForgotten;
  const ChannelClasses classes(graph);
  std::set<ValueId> watched;
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const ValueId id(i);
    const ir::Value& value = graph.value(id);
    if (!value.alive || value.is_constant() || classes.of(id).first < 0) continue;
    if (value.type.storage != ir::DType::kFloat32) continue;
    if (!value.producer.valid() && !value.is_input) continue;
    watched.insert(id);
    out->watched_.push_back({id, classes.of(id).axis, std::nullopt, kForgotten});
  }
  for (const ColumnLayer& layer : layers) {
    const ir::Shape& shape = graph.value(layer.x).type.shape;
    if (!graph.node(layer.node).is("MatMul") || !shape.has_rank() || shape.rank() < 2) continue;
    if (watched.insert(layer.x).second) {
      out->watched_.push_back({layer.x, shape.rank() - 1, std::nullopt, kForgotten});
    }
  }
  out->channels_ = std::make_unique<TensorSurvey>(out->watched_);
  return out;
}

std::set<ValueId> SecondOrderGatherer::values() const {
  std::set<ValueId> out;
  for (const auto& [value, layers] : layers_of_) out.insert(value);
  for (const TensorSurvey::Watched& watched : watched_) out.insert(watched.value);
  return out;
}

void SecondOrderGatherer::starts(size_t sample, uint64_t digest) {
  const std::lock_guard lock(mutex_);
  digests_[sample] = digest;
}

Status SecondOrderGatherer::observe(size_t sample, ValueId value, const Tensor& tensor) {
  if (tensor.dtype() != ir::DType::kFloat32) return {};
  channels_->observe(sample, value, tensor);
  const auto it = layers_of_.find(value);
  if (it == layers_of_.end()) return {};
  uint64_t digest = 0;
  {
    const std::lock_guard lock(mutex_);
    digest = digests_[sample];
  }
  for (const size_t index : it->second) {
    OCTET_TRY(
        add_columns(index, tensor, digest).in(ir::describe(graph_, layers_[index]->layer.node)));
  }
  return {};
}

Status SecondOrderGatherer::add_columns(size_t index, const Tensor& tensor, uint64_t digest) {
  Gathered& gathered = *layers_[index];
  const ColumnLayer& layer = gathered.layer;
  const auto values = tensor.data<float>();
  const auto extremes = values.empty() ? std::nullopt : calibration::finite_extremes(values);
  if (!extremes) return {};
  const float magnitude = std::max(-extremes->min, extremes->max);
  // Nothing but zeros adds nothing to a direction.
  if (!(magnitude > 0.0F)) return {};
  const int exponent = bucket_exponent(magnitude);
  LayerStatistics::Buckets& buckets = digest % 4 == 3 ? gathered.sums.apart : gathered.sums.fit;
  {
    const std::lock_guard lock(gathered.mutex);
    if (!LayerStatistics::wanted(buckets, exponent)) return {};
  }
  OCTET_ASSIGN(const ColumnReader reader,
               ColumnReader::make(graph_.node(layer.node), layer.layout, tensor.shape(),
                                  graph_.constant(graph_.node(layer.node).input(1))->shape()));
  const auto positions =
      sampled_positions(reader.positions(), positions_per_sample(layer.layout), digest);
  if (positions.empty()) return {};
  const std::vector<int64_t> places = reader.places(positions);
  const auto k = static_cast<size_t>(layer.layout.columns);
  const float unit = std::ldexp(1.0F, exponent - LayerStatistics::kBits);
  constexpr int32_t kGreatest = (1 << LayerStatistics::kBits) - 1;
  ColumnProducts own;
  own.count = static_cast<int64_t>(positions.size());
  std::vector<float> columns(positions.size() * k);
  for (int64_t group = 0; group < layer.layout.groups; ++group) {
    reader.read(tensor, 0, group, places, columns);
    std::vector<double> integers(columns.size());
    for (size_t i = 0; i < columns.size(); ++i) {
      integers[i] = numerics::quantize(columns[i], unit, 0, -kGreatest, kGreatest);
    }
    Products(std::move(integers), k)
        .add_to(static_cast<size_t>(gathered.sums.block), own.sums, own.products);
  }
  const std::lock_guard lock(gathered.mutex);
  return LayerStatistics::add(buckets, exponent, own);
}

void SecondOrderGatherer::finish(calibration::Statistics& statistics) {
  for (const auto& gathered : layers_) {
    const ValueId output = graph_.node(gathered->layer.node).output();
    statistics.layers[graph_.value(output).name] = std::move(gathered->sums);
  }
  for (const TensorSurvey::Watched& watched : watched_) {
    const TensorSurvey::Seen* seen = channels_->of(watched.value);
    if (seen == nullptr) continue;
    calibration::ChannelStatistics& to = statistics.channels[graph_.value(watched.value).name];
    to = {static_cast<int64_t>(watched.axis), seen->low, seen->high};
    // Which zero was met first hangs on the order of the samples.
    for (float& x : to.low) x += 0.0F;
    for (float& x : to.high) x += 0.0F;
  }
}

}  // namespace octet::accuracy
