// QuantizeLinear and DequantizeLinear between float32 and 8-bit integers, and both behind each
// other as one. Per tensor they keep their operand's layout. Constant parameters only; all rounding
// is that of compiler/numerics.
#include "compiler/numerics/quantize.h"

#include <algorithm>
#include <array>

#include "compiler/interpreter/kernels/integer_operands.h"
#include "compiler/ops/quant_layout.h"

namespace octet::interpreter {
namespace {

using ir::DType;

struct Parameters {
  ops::QuantLayout layout;
  std::vector<int64_t> shape;  // that the layout is over
  std::vector<float> scales;
  std::vector<int32_t> zero_points;
};

// Scales and zero points of operands 1 and 2.
std::optional<Parameters> parameters_of(const KernelRequest& request) {
  const Operand& scale = request.input(1);
  const Operand& x = request.input(0);
  if (!scale.is_float() || scale.constant == nullptr) return std::nullopt;
  auto layout = ops::quant_layout(request.node, request.opset, ir::Shape::of(x.shape),
                                  ir::Shape::of(scale.shape));
  if (!layout.ok() || !*layout) return std::nullopt;
  Parameters out{**layout, x.shape, scale.constant->to_floats(), {}};
  out.zero_points.assign(out.scales.size(), 0);
  if (!request.has_input(2)) return out;
  const Operand& zero_point = request.input(2);
  if (zero_point.constant == nullptr || !is_byte(zero_point.dtype) ||
      zero_point.count() != scale.count()) {
    return std::nullopt;
  }
  for (size_t i = 0; i < out.scales.size(); ++i) {
    out.zero_points[i] =
        static_cast<int32_t>(zero_point.constant->at_as_int64(static_cast<int64_t>(i)));
  }
  return out;
}

template <typename Q>
void quantize_run(const float* x, const Parameters& p, size_t s, int64_t step, int64_t count,
                  Q* q) {
  if (step == 0) {
    numerics::quantize({x, static_cast<size_t>(count)}, p.scales[s], p.zero_points[s],
                       std::span<Q>(q, static_cast<size_t>(count)));
    return;
  }
  constexpr int32_t kLow = std::numeric_limits<Q>::min();
  constexpr int32_t kHigh = std::numeric_limits<Q>::max();
  for (int64_t i = 0; i < count; ++i, ++s) {
    q[i] = static_cast<Q>(numerics::quantize(x[i], p.scales[s], p.zero_points[s], kLow, kHigh));
  }
}

template <typename Q>
void dequantize_run(const Q* q, const Parameters& p, size_t s, int64_t step, int64_t count,
                    float* x) {
  if (step == 0) {
    numerics::dequantize(std::span<const Q>(q, static_cast<size_t>(count)), p.scales[s],
                         p.zero_points[s], {x, static_cast<size_t>(count)});
    return;
  }
  for (int64_t i = 0; i < count; ++i, ++s) {
    x[i] = numerics::dequantize(q[i], p.scales[s], p.zero_points[s]);
  }
}

// Calls visit(first element, count, first scale, its step) over `stored` elements.
template <typename Visit>
void for_each_run(const Parameters& p, int64_t stored, Visit visit) {
  if (p.layout.granularity == ir::Granularity::kPerTensor) {
    visit(int64_t{0}, stored, int64_t{0}, int64_t{0});  // padding too
  } else {
    ops::for_each_scale_run(p.layout, p.shape, visit);
  }
}

template <typename Q>
class QuantizeKernel : public Kernel {
 public:
  QuantizeKernel(Parameters p, int64_t stored) : p_(std::move(p)), stored_(stored) {}
  Status execute(const Execution& e) const override {
    const float* x = e.input<float>(0);
    Q* q = e.output<Q>();
    for_each_run(p_, stored_, [&](int64_t at, int64_t count, int64_t s, int64_t step) {
      quantize_run<Q>(x + at, p_, static_cast<size_t>(s), step, count, q + at);
    });
    return {};
  }

 private:
  Parameters p_;
  int64_t stored_;
};

template <typename Q>
class DequantizeKernel : public Kernel {
 public:
  DequantizeKernel(Parameters p, int64_t stored) : p_(std::move(p)), stored_(stored) {}
  Status execute(const Execution& e) const override {
    const Q* q = e.input<Q>(0);
    float* x = e.output<float>();
    for_each_run(p_, stored_, [&](int64_t at, int64_t count, int64_t s, int64_t step) {
      dequantize_run<Q>(q + at, p_, static_cast<size_t>(s), step, count, x + at);
    });
    return {};
  }

 private:
  Parameters p_;
  int64_t stored_;
};

// Quantized and dequantized with the same parameters, through a piece of memory that stays in the
// cache.
template <typename Q>
class FakeQuantizeKernel : public Kernel {
 public:
  FakeQuantizeKernel(Parameters p, int64_t stored) : p_(std::move(p)), stored_(stored) {
    in_place = {0};
  }
  Status execute(const Execution& e) const override {
    constexpr int64_t kPiece = 2048;
    const float* x = e.input<float>(0);
    float* y = e.output<float>();
    for_each_run(p_, stored_, [&](int64_t at, int64_t count, int64_t s, int64_t step) {
      std::array<Q, kPiece> q;
      for (int64_t i = 0; i < count; i += kPiece) {
        const int64_t n = std::min(kPiece, count - i);
        const auto scale = static_cast<size_t>(s + i * step);
        quantize_run<Q>(x + at + i, p_, scale, step, n, q.data());
        dequantize_run<Q>(q.data(), p_, scale, step, n, y + at + i);
      }
    });
    return {};
  }

 private:
  Parameters p_;
  int64_t stored_;
};

// The layout to work in: the operand's when every element has the same scale.
Layout layout_for(const Operand& x, const Parameters& p) {
  const bool any = p.layout.granularity == ir::Granularity::kPerTensor;
  return any && x.layout.channel_block() ? x.layout : Layout();
}

template <template <typename> typename KernelOf>
KernelPtr make(const KernelRequest& request, DType storage, Parameters p) {
  const Operand& x = request.input(0);
  const Layout layout = layout_for(x, p);
  const int64_t stored = layout.stored_elements(x.count());
  KernelPtr kernel;
  if (storage == DType::kInt8) {
    kernel = std::make_unique<KernelOf<int8_t>>(std::move(p), stored);
  } else {
    kernel = std::make_unique<KernelOf<uint8_t>>(std::move(p), stored);
  }
  kernel->needs.assign(request.inputs.size(), InputNeed::nothing());
  kernel->needs[0] = InputNeed::in(layout);
  kernel->output_layouts = {layout};
  return kernel;
}

}  // namespace

Result<KernelPtr> make_quantize(const KernelRequest& request) {
  const bool both = !request.post_ops.empty();
  if (!request.input(0).is_float() || ir::int_attribute(request.node, "precision", 0) != 0) {
    return KernelPtr();
  }
  auto p = parameters_of(request);
  if (!p || request.outputs[0].shape != request.input(0).shape) return KernelPtr();
  if (!both) {
    const DType storage = request.outputs[0].dtype;
    if (!is_byte(storage)) return KernelPtr();
    return make<QuantizeKernel>(request, storage, std::move(*p));
  }
  if (!request.outputs[0].is_float() || !request.has_input(2)) return KernelPtr();
  return make<FakeQuantizeKernel>(request, request.input(2).dtype, std::move(*p));
}

Result<KernelPtr> make_dequantize(const KernelRequest& request) {
  const DType storage = request.input(0).dtype;
  if (!is_byte(storage) || !request.outputs[0].is_float()) return KernelPtr();
  auto p = parameters_of(request);
  if (!p || request.outputs[0].shape != request.input(0).shape) return KernelPtr();
  return make<DequantizeKernel>(request, storage, std::move(*p));
}

}  // namespace octet::interpreter
