// Elementwise operators of two float32 operands with broadcasting: operands of one layout element
// by element, numbers per channel beside a channel-blocked operand, row-major operands otherwise.
#include <algorithm>
#include <array>

#include "compiler/interpreter/kernel.h"
#include "compiler/interpreter/kernels/vector_math.h"
#include "compiler/ops/broadcast.h"

namespace octet::interpreter {
namespace {

struct Add {
  static float of(float a, float b) { return a + b; }
};
struct Sub {
  static float of(float a, float b) { return a - b; }
};
struct Mul {
  static float of(float a, float b) { return a * b; }
};
struct Div {
  static float of(float a, float b) { return a / b; }
};
// Not a number if either is.
struct Max {
  static float of(float a, float b) { return a > b || a != a ? a : b; }
};
struct Min {
  static float of(float a, float b) { return a < b || a != a ? a : b; }
};
struct PRelu {
  static float of(float x, float slope) { return x < 0.0F ? x * slope : x; }
};
template <typename F>
struct Swapped {
  static float of(float a, float b) { return F::of(b, a); }
};

template <typename F>
OCTET_VECTORIZED void vector_vector(const float* a, const float* b, float* y, int64_t count) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) y[i] = F::of(a[i], b[i]);
}

template <typename F>
OCTET_VECTORIZED void vector_scalar(const float* a, const float* b, float* y, int64_t count) {
  const float fixed = *b;
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) y[i] = F::of(a[i], fixed);
}

// Channel blocks: `blocks` of them, `positions` positions each, `block` channels at each position.
struct Blocks {
  int64_t blocks = 0;
  int64_t positions = 0;
  int64_t block = 0;
};

template <typename F, int64_t B>
OCTET_INLINE void short_blocks(const float* x, const float* v, float* y, const Blocks& shape) {
  for (int64_t b = 0; b < shape.blocks; ++b) {
    float lane[B];
    for (int64_t l = 0; l < B; ++l) lane[l] = v[b * B + l];
    for (int64_t p = 0; p < shape.positions; ++p) {
      const int64_t at = (b * shape.positions + p) * B;
#pragma omp simd
      for (int64_t l = 0; l < B; ++l) y[at + l] = F::of(x[at + l], lane[l]);
    }
  }
}

// y = f(x, v), where v has one number per channel.
template <typename F>
OCTET_VECTORIZED void blocked_channels(const float* x, const float* v, float* y,
                                       const Blocks& shape) {
  if (shape.block == 16) return short_blocks<F, 16>(x, v, y, shape);
  if (shape.block == 8) return short_blocks<F, 8>(x, v, y, shape);
  const int64_t n = shape.block;
  for (int64_t b = 0; b < shape.blocks; ++b, v += n) {
    for (int64_t p = 0; p < shape.positions; ++p, x += n, y += n) {
#pragma omp simd
      for (int64_t l = 0; l < n; ++l) y[l] = F::of(x[l], v[l]);
    }
  }
}

using RunLoop = void (*)(const float*, const float*, float*, int64_t);
using ChannelLoop = void (*)(const float*, const float*, float*, const Blocks&);

struct Loops {
  RunLoop vector_vector;
  RunLoop vector_scalar;
  RunLoop scalar_vector;  // operands exchanged
  ChannelLoop channels;
  ChannelLoop swapped_channels;  // v is the first operand
};

template <typename F>
constexpr Loops loops_of() {
  return {vector_vector<F>, vector_scalar<F>, vector_scalar<Swapped<F>>, blocked_channels<F>,
          blocked_channels<Swapped<F>>};
}

struct Function {
  std::string_view op;
  Loops loops;
  bool zero_of_zeros;  // f(0, 0) is 0
};

constexpr Function kFunctions[] = {
    {"Add", loops_of<Add>(), true},     {"Sub", loops_of<Sub>(), true},
    {"Mul", loops_of<Mul>(), true},     {"Div", loops_of<Div>(), false},
    {"Max", loops_of<Max>(), true},     {"Min", loops_of<Min>(), true},
    {"PRelu", loops_of<PRelu>(), true},
};

// Operands of one layout, element by element.
class FlatKernel : public Kernel {
 public:
  FlatKernel(const Loops& loops, int64_t count) : loops_(loops), count_(count) {}
  Status execute(const Execution& e) const override {
    loops_.vector_vector(e.input<float>(0), e.input<float>(1), e.output<float>(), count_);
    return {};
  }

 private:
  Loops loops_;
  int64_t count_;
};

// Row-major operands that broadcast.
class BroadcastKernel : public Kernel {
 public:
  BroadcastKernel(const Loops& loops, ops::BroadcastPlan<2> plan)
      : loops_(loops), plan_(std::move(plan)) {}
  Status execute(const Execution& e) const override {
    const float* a = e.input<float>(0);
    const float* b = e.input<float>(1);
    float* y = e.output<float>();
    ops::for_each_run(plan_, [&](int64_t to, const std::array<int64_t, 2>& from) {
      if (plan_.run_stride[0] == 0) {
        loops_.scalar_vector(b + from[1], a + from[0], y + to, plan_.run);
      } else {
        const RunLoop loop = plan_.run_stride[1] == 0 ? loops_.vector_scalar : loops_.vector_vector;
        loop(a + from[0], b + from[1], y + to, plan_.run);
      }
    });
    return {};
  }

 private:
  Loops loops_;
  ops::BroadcastPlan<2> plan_;
};

// How a value with one number per channel (or image and channel, or in all) is read beside a value
// in a channel-blocked layout.
struct ChannelOperand {
  size_t index = 1;  // the operand
  int64_t batch_stride = 0;
  int64_t channel_stride = 0;
};

class ChannelKernel : public Kernel {
 public:
  ChannelKernel(ChannelLoop loop, const Operand& x, const ChannelOperand& channel, float padding)
      : loop_(loop),
        batch_(x.shape[0]),
        channels_(x.shape[1]),
        channel_(channel),
        padding_(padding) {
    shape_.block = *x.layout.channel_block();
    shape_.blocks = (channels_ + shape_.block - 1) / shape_.block;
    shape_.positions = 1;
    for (size_t i = 2; i < x.shape.size(); ++i) shape_.positions *= x.shape[i];
    scratch_bytes = shape_.blocks * shape_.block * static_cast<int64_t>(sizeof(float));
  }
  Status execute(const Execution& e) const override {
    const float* x = e.input<float>(1 - channel_.index);
    const float* v = e.input<float>(channel_.index);
    float* y = e.output<float>();
    auto* numbers = reinterpret_cast<float*>(e.scratch);
    const int64_t stored = shape_.blocks * shape_.block;
    for (int64_t n = 0; n < batch_; ++n) {
      const float* from = v + n * channel_.batch_stride;
      for (int64_t c = 0; c < channels_; ++c) numbers[c] = from[c * channel_.channel_stride];
      std::fill(numbers + channels_, numbers + stored, padding_);
      loop_(x + n * stored * shape_.positions, numbers, y + n * stored * shape_.positions, shape_);
    }
    return {};
  }

 private:
  ChannelLoop loop_;
  int64_t batch_;
  int64_t channels_;
  ChannelOperand channel_;
  float padding_;
  Blocks shape_;
};

std::optional<ChannelOperand> channel_operand(const Operand& x, const Operand& v, size_t index) {
  if (v.shape.size() > x.shape.size()) return std::nullopt;
  std::vector<int64_t> shape(x.shape.size() - v.shape.size(), 1);
  shape.insert(shape.end(), v.shape.begin(), v.shape.end());
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] != 1 && (i > 1 || shape[i] != x.shape[i])) return std::nullopt;
  }
  return ChannelOperand{index, shape[0] > 1 ? shape[1] : 0, shape[1] > 1 ? 1 : 0};
}

// One operand channel-blocked, the other with a number per channel.
KernelPtr make_channel_kernel(const KernelRequest& request, const Function& f) {
  for (size_t index : {1, 0}) {
    const Operand& x = request.input(1 - index);
    if (!x.layout.channel_block() || x.constant != nullptr) continue;
    const auto channel = channel_operand(x, request.input(index), index);
    if (!channel || request.outputs[0].shape != x.shape) continue;
    const bool swapped = index == 0;
    const bool divides = f.op == "Div";
    if (x.layout.has_padding() && divides && swapped) continue;  // zero by zero
    auto kernel = std::make_unique<ChannelKernel>(
        swapped ? f.loops.swapped_channels : f.loops.channels, x, *channel, divides ? 1.0F : 0.0F);
    kernel->needs.assign(2, InputNeed::plain());
    kernel->needs[1 - index] = InputNeed::as_is();
    kernel->output_layouts = {x.layout};
    kernel->in_place = {1 - index};
    return kernel;
  }
  return nullptr;
}

// The layout for two operands of one shape: that of one of them, blocked where there is a choice.
Layout common_layout(const Operand& a, const Operand& b, const Function& f) {
  for (const Operand* x : {&a, &b}) {
    const bool keeps_padding = !x->layout.has_padding() || f.zero_of_zeros;
    if (!x->layout.is_plain() && keeps_padding) return x->layout;
  }
  return {};
}

}  // namespace

Result<KernelPtr> make_binary(const KernelRequest& request) {
  const auto* f = std::find_if(std::begin(kFunctions), std::end(kFunctions),
                               [&](const Function& g) { return request.node.is(g.op); });
  if (f == std::end(kFunctions) || request.inputs.size() != 2 || !request.has_input(1) ||
      !request.post_ops.empty()) {
    return KernelPtr();
  }
  const Operand& a = request.input(0);
  const Operand& b = request.input(1);
  const Operand& y = request.outputs[0];
  if (!a.is_float() || !b.is_float() || !y.is_float()) return KernelPtr();
  OCTET_ASSIGN(const auto broadcast, ops::broadcast_extents(a.shape, b.shape));
  if (broadcast != y.shape) return KernelPtr();
  if (a.shape == b.shape) {
    const Layout layout = common_layout(a, b, *f);
    auto kernel = std::make_unique<FlatKernel>(f->loops, layout.stored_elements(a.count()));
    kernel->needs.assign(2, InputNeed::in(layout));
    kernel->output_layouts = {layout};
    kernel->in_place = {0, 1};
    return KernelPtr(std::move(kernel));
  }
  if (KernelPtr kernel = make_channel_kernel(request, *f)) return kernel;
  if (request.node.is("PRelu") && y.shape != a.shape) return KernelPtr();
  auto kernel = std::make_unique<BroadcastKernel>(
      f->loops, ops::make_broadcast_plan<2>(y.shape, {a.shape, b.shape}));
  kernel->needs.assign(2, InputNeed::plain());
  kernel->output_layouts = {Layout()};
  if (a.shape == y.shape) kernel->in_place.push_back(0);
  if (b.shape == y.shape) kernel->in_place.push_back(1);
  return KernelPtr(std::move(kernel));
}

}  // namespace octet::interpreter
