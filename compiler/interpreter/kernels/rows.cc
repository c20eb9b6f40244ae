// Operators over rows of contiguous elements: Softmax, LayerNormalization, RMSNormalization, and
// sums and means over the last axes. Sums run in a fixed number of lanes, so that they are the same
// on every instruction set.
#include <algorithm>
#include <cmath>
#include <limits>

#include "compiler/interpreter/kernel.h"
#include "compiler/interpreter/kernels/vector_math.h"

namespace octet::interpreter {
namespace {

constexpr int64_t kLanes = 16;

struct Rows {
  int64_t count = 0;   // rows
  int64_t length = 0;  // elements in each
};

OCTET_INLINE float total(const float* lanes) {
  float sum = 0.0F;
  for (int64_t l = 0; l < kLanes; ++l) sum += lanes[l];
  return sum;
}

// The sum of f(x[i]).
template <typename F>
OCTET_INLINE float sum_of(const float* x, int64_t length, F f) {
  float lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= length; i += kLanes) {
#pragma omp simd
    for (int64_t l = 0; l < kLanes; ++l) lanes[l] += f(x[i + l]);
  }
  for (int64_t l = 0; i + l < length; ++l) lanes[l] += f(x[i + l]);
  return total(lanes);
}

OCTET_INLINE float greatest(const float* x, int64_t length) {
  float lanes[kLanes];
  for (float& lane : lanes) lane = -std::numeric_limits<float>::infinity();
  int64_t i = 0;
  for (; i + kLanes <= length; i += kLanes) {
#pragma omp simd
    for (int64_t l = 0; l < kLanes; ++l) lanes[l] = x[i + l] > lanes[l] ? x[i + l] : lanes[l];
  }
  for (int64_t l = 0; i + l < length; ++l) lanes[l] = x[i + l] > lanes[l] ? x[i + l] : lanes[l];
  return *std::max_element(lanes, lanes + kLanes);
}

OCTET_VECTORIZED void softmax_rows(const float* x, float* y, Rows rows) {
  for (int64_t r = 0; r < rows.count; ++r, x += rows.length, y += rows.length) {
    const float top = greatest(x, rows.length);
#pragma omp simd
    for (int64_t i = 0; i < rows.length; ++i) y[i] = exp_of(x[i] - top);
    const float sum = sum_of(y, rows.length, [](float e) { return e; });
#pragma omp simd
    for (int64_t i = 0; i < rows.length; ++i) y[i] /= sum;
  }
}

// Rows of at most kLanes elements, many at a time: the same sums in the same order.
OCTET_VECTORIZED void softmax_short_rows(const float* x, float* y, Rows rows) {
  constexpr int64_t kPiece = 512;
  const int64_t n = rows.length;
  const int64_t at_a_time = kPiece / n;
  float sums[kPiece];
  for (int64_t first = 0; first < rows.count; first += at_a_time) {
    const int64_t count = rows.count - first < at_a_time ? rows.count - first : at_a_time;
    const float* from = x + first * n;
    float* to = y + first * n;
    for (int64_t r = 0; r < count; ++r) {
      float top = from[r * n];
      for (int64_t i = 1; i < n; ++i) top = from[r * n + i] > top ? from[r * n + i] : top;
      for (int64_t i = 0; i < n; ++i) to[r * n + i] = from[r * n + i] - top;
    }
#pragma omp simd
    for (int64_t i = 0; i < count * n; ++i) to[i] = exp_of(to[i]);
    for (int64_t r = 0; r < count; ++r) {
      float sum = 0.0F;
      for (int64_t i = 0; i < n; ++i) sum += to[r * n + i];
      for (int64_t i = 0; i < n; ++i) sums[r * n + i] = sum;
    }
#pragma omp simd
    for (int64_t i = 0; i < count * n; ++i) to[i] /= sums[i];
  }
}

enum class Center { kMean, kZero };

struct Norm {
  Rows rows;
  Center center = Center::kMean;
  float epsilon = 1e-5F;
};

OCTET_VECTORIZED void normalize_rows(const float* x, const float* scale, const float* bias,
                                     float* y, Norm norm) {
  const int64_t n = norm.rows.length;
  const auto count = static_cast<float>(n);
  for (int64_t r = 0; r < norm.rows.count; ++r, x += n, y += n) {
    float mean = 0.0F;
    if (norm.center == Center::kMean) {
      mean = sum_of(x, n, [](float v) { return v; }) / count;
      // A second pass over the differences takes back what the first lost.
      mean += sum_of(x, n, [mean](float v) { return v - mean; }) / count;
    }
    const float squares = sum_of(x, n, [mean](float v) { return (v - mean) * (v - mean); });
    const float inverse = 1.0F / std::sqrt(squares / count + norm.epsilon);
    if (bias != nullptr) {
#pragma omp simd
      for (int64_t i = 0; i < n; ++i) y[i] = (x[i] - mean) * inverse * scale[i] + bias[i];
    } else {
#pragma omp simd
      for (int64_t i = 0; i < n; ++i) y[i] = (x[i] - mean) * inverse * scale[i];
    }
  }
}

OCTET_VECTORIZED void sum_rows(const float* x, float* y, Rows rows, float divisor) {
  for (int64_t r = 0; r < rows.count; ++r, x += rows.length) {
    y[r] = sum_of(x, rows.length, [](float v) { return v; }) / divisor;
  }
}

class SoftmaxKernel : public Kernel {
 public:
  explicit SoftmaxKernel(Rows rows) : rows_(rows) { in_place = {0}; }
  Status execute(const Execution& e) const override {
    const auto softmax = rows_.length <= kLanes ? softmax_short_rows : softmax_rows;
    softmax(e.input<float>(0), e.output<float>(), rows_);
    return {};
  }

 private:
  Rows rows_;
};

class NormKernel : public Kernel {
 public:
  explicit NormKernel(const Norm& norm) : norm_(norm) { in_place = {0}; }
  Status execute(const Execution& e) const override {
    const float* bias = e.inputs.size() > 2 ? e.input<float>(2) : nullptr;
    normalize_rows(e.input<float>(0), e.input<float>(1), bias, e.output<float>(), norm_);
    return {};
  }

 private:
  Norm norm_;
};

class SumKernel : public Kernel {
 public:
  SumKernel(Rows rows, float divisor) : rows_(rows), divisor_(divisor) {}
  Status execute(const Execution& e) const override {
    sum_rows(e.input<float>(0), e.output<float>(), rows_, divisor_);
    return {};
  }

 private:
  Rows rows_;
  float divisor_;
};

KernelPtr plain_kernel(KernelPtr kernel, const KernelRequest& request) {
  kernel->needs.assign(request.inputs.size(), InputNeed::plain());
  kernel->output_layouts.assign(request.outputs.size(), Layout());
  return kernel;
}

int64_t product(const std::vector<int64_t>& shape, size_t first, size_t last) {
  int64_t out = 1;
  for (size_t i = first; i < last; ++i) out *= shape[i];
  return out;
}

// Rows of a value from `axis` on; negative axes count from the end. Nothing when it has no such
// axis.
std::optional<Rows> rows_from(const std::vector<int64_t>& shape, int64_t axis) {
  const auto rank = static_cast<int64_t>(shape.size());
  if (axis < -rank || axis >= rank) return std::nullopt;
  const auto first = static_cast<size_t>(axis < 0 ? axis + rank : axis);
  return Rows{product(shape, 0, first), product(shape, first, shape.size())};
}

// One output, like the operand.
bool only_first_output(const KernelRequest& request) {
  return request.outputs[0].is_float() && request.outputs[0].shape == request.input(0).shape &&
         std::none_of(request.outputs.begin() + 1, request.outputs.end(),
                      [](const Operand& o) { return o.present(); });
}

}  // namespace

Result<KernelPtr> make_softmax(const KernelRequest& request) {
  const Operand& x = request.input(0);
  if (!x.is_float() || !only_first_output(request)) return KernelPtr();
  const bool one_axis = request.opset >= 13;
  const int64_t axis = ir::int_attribute(request.node, "axis", one_axis ? -1 : 1);
  auto rows = rows_from(x.shape, axis);
  if (!rows) return KernelPtr();
  const auto rank = static_cast<int64_t>(x.shape.size());
  if (one_axis && rows->length != x.shape[static_cast<size_t>(axis < 0 ? axis + rank : axis)]) {
    return KernelPtr();
  }
  return plain_kernel(std::make_unique<SoftmaxKernel>(*rows), request);
}

namespace {

Result<KernelPtr> make_norm(const KernelRequest& request, Center center) {
  const Operand& x = request.input(0);
  if (!x.is_float() || !only_first_output(request)) return KernelPtr();
  const int64_t axis = ir::int_attribute(request.node, "axis", -1);
  const auto rows = rows_from(x.shape, axis);
  if (!rows) return KernelPtr();
  for (size_t i = 1; i < request.inputs.size(); ++i) {  // one number per element of a row
    const Operand& numbers = request.input(i);
    if (!numbers.present()) continue;
    if (!numbers.is_float() || numbers.count() != rows->length ||
        numbers.shape.size() > x.shape.size() ||
        !std::equal(numbers.shape.rbegin(), numbers.shape.rend(), x.shape.rbegin())) {
      return KernelPtr();
    }
  }
  const float epsilon = ir::float_attribute(request.node, "epsilon", 1e-5F);
  return plain_kernel(std::make_unique<NormKernel>(Norm{*rows, center, epsilon}), request);
}

}  // namespace

Result<KernelPtr> make_layer_norm(const KernelRequest& request) {
  return make_norm(request, Center::kMean);
}

Result<KernelPtr> make_rms_norm(const KernelRequest& request) {
  return make_norm(request, Center::kZero);
}

// Reductions whose axes are the last ones: what is left is a prefix of the shape.
Result<KernelPtr> make_row_sum(const KernelRequest& request) {
  const Operand& x = request.input(0);
  const std::vector<int64_t>& to = request.outputs[0].shape;
  if (!x.is_float() || !request.outputs[0].is_float()) return KernelPtr();
  std::vector<int64_t> axes = ir::ints_attribute(request.node, "axes");
  if (request.has_input(1)) {
    if (request.input(1).constant == nullptr) return KernelPtr();
    axes = request.input(1).constant->to_int64s();
  }
  const auto rank = static_cast<int64_t>(x.shape.size());
  int64_t first = rank;
  std::vector<bool> reduced(x.shape.size(), false);
  for (int64_t axis : axes) {
    if (axis < -rank || axis >= rank) return KernelPtr();
    const int64_t a = axis < 0 ? axis + rank : axis;
    reduced[static_cast<size_t>(a)] = true;
    first = std::min(first, a);
  }
  if (axes.empty() || std::count(reduced.begin(), reduced.end(), true) != rank - first) {
    return KernelPtr();
  }
  const auto rows = rows_from(x.shape, first);
  if (!rows || rows->count != product(to, 0, to.size())) return KernelPtr();
  const float divisor = request.node.is("ReduceMean") ? static_cast<float>(rows->length) : 1.0F;
  auto kernel = plain_kernel(std::make_unique<SumKernel>(*rows, divisor), request);
  for (size_t i = 1; i < kernel->needs.size(); ++i) kernel->needs[i] = InputNeed::nothing();
  return kernel;
}

}  // namespace octet::interpreter
