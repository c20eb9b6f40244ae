// AveragePool, MaxPool, LpPool and their Global forms.
#include <algorithm>
#include <cmath>
#include <limits>

#include "compiler/ops/evaluate_helpers.h"
#include "compiler/ops/infer_helpers.h"
#include "compiler/ops/pool_windows.h"

namespace octet::ops {
namespace {

template <typename T>
struct MaxVisitor {
  const PoolAttributes& pool;
  T* values;         // of the current plane
  int64_t* indices;  // null when not wanted
  int64_t plane_at;  // offset of the current plane in the input
  T best = T();
  int64_t best_at = 0;

  // A NaN gives way to any number; a window with nothing but padding gives the lowest value.
  void begin() {
    best = std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity()
                                                : std::numeric_limits<T>::lowest();
    best_at = -1;
  }
  void add(T value, int64_t at) {
    if (value > best || best_at < 0 || best != best) {
      best = value;
      best_at = at;
    }
  }
  void end(int64_t out, int64_t) {
    values[out] = best;
    if (indices != nullptr)
      indices[out] = plane_at + in_storage_order(std::max<int64_t>(0, best_at));
  }
  int64_t in_storage_order(int64_t at) const {
    if (pool.index_order == PoolAttributes::IndexOrder::kRowMajor) return at;
    int64_t out = 0;
    int64_t below = plane_size(pool, &WindowAxis::input);
    for (size_t a = pool.axes.size(); a-- > 0;) {
      below /= pool.axes[a].input;
      out += at % pool.axes[a].input * below;
      at /= pool.axes[a].input;
    }
    return out;
  }
};

template <typename T>
struct AverageVisitor {
  const PoolAttributes& pool;
  T* values;
  double sum = 0;
  int64_t inside = 0;

  void begin() {
    sum = 0;
    inside = 0;
  }
  void add(T value, int64_t) {
    sum += static_cast<double>(value);
    ++inside;
  }
  // A window without elements gives 0.
  void end(int64_t out, int64_t counted) {
    const int64_t divisor = pool.padding == PoolAttributes::Padding::kCounted ? counted : inside;
    values[out] = static_cast<T>(divisor == 0 ? 0.0 : sum / static_cast<double>(divisor));
  }
};

template <typename T>
struct LpVisitor {
  const PoolAttributes& pool;
  T* values;
  double sum = 0;

  void begin() { sum = 0; }
  void add(T value, int64_t) {
    const double x = std::abs(static_cast<double>(value));
    sum += pool.p == 1 ? x : pool.p == 2 ? x * x : std::pow(x, static_cast<double>(pool.p));
  }
  void end(int64_t out, int64_t) {
    values[out] = static_cast<T>(pool.p == 1   ? sum
                                 : pool.p == 2 ? std::sqrt(sum)
                                               : std::pow(sum, 1.0 / static_cast<double>(pool.p)));
  }
};

template <typename T>
Result<Tensors> max_pool(const EvaluateContext& context, const PoolAttributes& pool) {
  const ir::Tensor& x = context.input(0);
  Tensors outputs(1);
  OCTET_ASSIGN(outputs[0], context.allocate(x.dtype(), pool.output_shape()));
  int64_t* indices = nullptr;
  if (context.node.output(1).valid()) {
    outputs.emplace_back();
    OCTET_ASSIGN(outputs[1], context.allocate(DType::kInt64, pool.output_shape()));
    indices = outputs[1].mutable_data<int64_t>().data();
  }
  if (outputs[0].element_count() == 0) return outputs;
  if (x.element_count() == 0) return malformed("input 0: no elements to take a maximum of");
  const Windows windows(pool);
  const int64_t in_plane = plane_size(pool, &WindowAxis::input);
  const int64_t out_plane = plane_size(pool, &WindowAxis::output);
  MaxVisitor<T> visitor{pool, outputs[0].mutable_data<T>().data(), indices, 0};
  for (int64_t i = 0; i < pool.batch * pool.channels; ++i) {
    windows.visit(x.data<T>().data() + i * in_plane, visitor);
    visitor.values += out_plane;
    visitor.plane_at += in_plane;
    if (indices != nullptr) visitor.indices += out_plane;
  }
  return outputs;
}

template <template <typename> class Visitor, typename T>
Result<Tensors> float_pool(const EvaluateContext& context, const PoolAttributes& pool) {
  const ir::Tensor& x = context.input(0);
  Tensors outputs(1);
  OCTET_ASSIGN(outputs[0], context.allocate(x.dtype(), pool.output_shape()));
  if (outputs[0].element_count() == 0 || x.element_count() == 0) return outputs;
  const Windows windows(pool);
  const int64_t in_plane = plane_size(pool, &WindowAxis::input);
  const int64_t out_plane = plane_size(pool, &WindowAxis::output);
  Visitor<T> visitor{pool, outputs[0].mutable_data<T>().data()};
  for (int64_t i = 0; i < pool.batch * pool.channels; ++i) {
    windows.visit(x.data<T>().data() + i * in_plane, visitor);
    visitor.values += out_plane;
  }
  return outputs;
}

// One window over all spatial elements.
Result<PoolAttributes> global_attributes(const ir::Node& node, const ir::Tensor& x) {
  if (x.rank() < 2) return malformed("input 0: rank ", x.rank(), "; at least 2 is needed");
  PoolAttributes out;
  out.batch = x.shape()[0];
  out.channels = x.shape()[1];
  for (size_t a = 2; a < x.rank(); ++a) {
    WindowAxis axis;
    axis.input = x.shape()[a];
    axis.kernel = x.shape()[a];
    out.axes.push_back(axis);
  }
  if (out.axes.empty()) out.axes.emplace_back();
  out.p = ir::int_attribute(node, "p", 2);
  if (out.p < 1) return malformed("attribute p is ", out.p, "; it must be at least 1");
  return out;
}

Result<Tensors> of_rank(Result<Tensors> outputs, size_t rank) {
  if (!outputs.ok() || rank != 2) return outputs;
  outputs.value()[0] =
      outputs.value()[0].reshaped({outputs.value()[0].shape()[0], outputs.value()[0].shape()[1]});
  return outputs;
}

enum class Extent { kWindow, kGlobal };

template <Extent kExtent>
Result<Tensors> evaluate_max(const EvaluateContext& context) {
  const ir::Tensor& x = context.input(0);
  if (is_half(x.dtype())) return through_float32(context, evaluate_max<kExtent>);
  OCTET_ASSIGN(const PoolAttributes pool, kExtent == Extent::kGlobal
                                              ? global_attributes(context.node, x)
                                              : PoolAttributes::from(context.node, x.shape()));
  const size_t rank = x.rank();
  switch (x.dtype()) {
    case DType::kFloat32:
      return of_rank(max_pool<float>(context, pool), rank);
    case DType::kFloat64:
      return of_rank(max_pool<double>(context, pool), rank);
    case DType::kInt8:
      return of_rank(max_pool<int8_t>(context, pool), rank);
    case DType::kUint8:
      return of_rank(max_pool<uint8_t>(context, pool), rank);
    default:
      return unsupported_dtype(context, x.dtype());
  }
}

template <template <typename> class Visitor, Extent kExtent>
Result<Tensors> evaluate_float(const EvaluateContext& context) {
  const ir::Tensor& x = context.input(0);
  if (is_half(x.dtype())) {
    return through_float32(context, evaluate_float<Visitor, kExtent>);
  }
  OCTET_ASSIGN(const PoolAttributes pool, kExtent == Extent::kGlobal
                                              ? global_attributes(context.node, x)
                                              : PoolAttributes::from(context.node, x.shape()));
  if (x.dtype() == DType::kFloat32) {
    return of_rank(float_pool<Visitor, float>(context, pool), x.rank());
  }
  if (x.dtype() == DType::kFloat64) {
    return of_rank(float_pool<Visitor, double>(context, pool), x.rank());
  }
  return unsupported_dtype(context, x.dtype());
}

// The second output of MaxPool is its Indices.
Facts with_indices(const InferContext& context, const ir::Shape& shape) {
  return {passed_through(context, shape), fact(DType::kInt64, shape)};
}

Result<ir::Shape> pool_shape(const InferContext& context) {
  const ir::Shape& x = context.shape(0);
  if (x.has_rank() && x.rank() < 3) {
    return malformed("input 0: rank ", x.rank(), "; at least 3 is needed");
  }
  const size_t kernel_rank = ir::ints_attribute(context.node, "kernel_shape").size();
  OCTET_ASSIGN(const auto window, WindowAttributes::from_pool(
                                      context.node, x.has_rank() ? x.rank() - 2 : kernel_rank));
  if (!x.has_rank()) return ir::Shape();
  std::vector<ir::Dim> dims = {x[0], x[1]};
  for (size_t a = 0; a < window.rank(); ++a) {
    OCTET_ASSIGN(const ir::Dim dim, window_output(window, a, x[a + 2]));
    dims.push_back(dim);
  }
  return ir::Shape(std::move(dims));
}

Result<ir::Shape> global_shape(const InferContext& context) {
  const ir::Shape& x = context.shape(0);
  if (!x.has_rank()) return ir::Shape();
  if (x.rank() < 2) return malformed("input 0: rank ", x.rank(), "; at least 2 is needed");
  std::vector<ir::Dim> dims(x.rank(), ir::Dim(1));
  dims[0] = x[0];
  dims[1] = x[1];
  return ir::Shape(std::move(dims));
}

Result<Facts> infer_max_pool(const InferContext& context) {
  OCTET_ASSIGN(const ir::Shape shape, pool_shape(context));
  return with_indices(context, shape);
}

Result<Facts> infer_global_max_pool(const InferContext& context) {
  OCTET_ASSIGN(const ir::Shape shape, global_shape(context));
  return Facts{passed_through(context, shape)};
}

Result<Facts> infer_float_pool(const InferContext& context) {
  OCTET_ASSIGN(const ir::Shape shape, pool_shape(context));
  return one_fact(context.type(0).storage, shape);
}

Result<Facts> infer_global_float_pool(const InferContext& context) {
  OCTET_ASSIGN(const ir::Shape shape, global_shape(context));
  return one_fact(context.type(0).storage, shape);
}

}  // namespace

OpSchema AveragePool_schema() {
  return {.name = "AveragePool",
          .behaviour = QuantBehaviour::kComputes,
          .infer = infer_float_pool,
          .evaluate = evaluate_float<AverageVisitor, Extent::kWindow>};
}

OpSchema GlobalAveragePool_schema() {
  return {.name = "GlobalAveragePool",
          .behaviour = QuantBehaviour::kComputes,
          .infer = infer_global_float_pool,
          .evaluate = evaluate_float<AverageVisitor, Extent::kGlobal>};
}

OpSchema MaxPool_schema() {
  return {.name = "MaxPool",
          .behaviour = QuantBehaviour::kPassesThrough,
          .infer = infer_max_pool,
          .evaluate = evaluate_max<Extent::kWindow>};
}

OpSchema GlobalMaxPool_schema() {
  return {.name = "GlobalMaxPool",
          .behaviour = QuantBehaviour::kPassesThrough,
          .infer = infer_global_max_pool,
          .evaluate = evaluate_max<Extent::kGlobal>};
}

OpSchema LpPool_schema() {
  return {.name = "LpPool",
          .infer = infer_float_pool,
          .evaluate = evaluate_float<LpVisitor, Extent::kWindow>};
}

OpSchema GlobalLpPool_schema() {
  return {.name = "GlobalLpPool",
          .infer = infer_global_float_pool,
          .evaluate = evaluate_float<LpVisitor, Extent::kGlobal>};
}

}  // namespace octet::ops
