// Elementwise operators of two float32 operands with broadcasting: operands of one layout element by
// element, numbers per channel beside a channel-blocked operand, row-major operands otherwise.
#include <algorithm>
#include <array>

#include "compiler/interpreter/kernels/vector_math.h"
#include "compiler/interpreter/kernel.h"
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

// y = f(x, v) for `blocks` blocks of B channels at `positions` positions each; v has one number per
// channel.
template <typename F, int64_t B>
OCTET_VECTORIZED void blocked_channels(const float* x, const float* v, float* y, int64_t blocks,
                                       int64_t positions) {
  for (int64_t b = 0; b < blocks; ++b) {
    float lane[B];
    for (int64_t l = 0; l < B; ++l) lane[l] = v[b * B + l];
    for (int64_t p = 0; p < positions; ++p) {
      const int64_t at = (b * positions + p) * B;
#pragma omp simd
      for (int64_t l = 0; l < B; ++l) y[at + l] = F::of(x[at + l], lane[l]);
    }
  }
}

using RunLoop = void (*)(const float*, const float*, float*, int64_t);
using ChannelLoop = void (*)(const float*, const float*, float*, int64_t, int64_t);

struct Loops {
  RunLoop vector_vector;
  RunLoop vector_scalar;
  RunLoop scalar_vector;  // operands exchanged
  ChannelLoop channels16;
  ChannelLoop channels8;
  ChannelLoop swapped_channels16;  // v is the first operand
  ChannelLoop swapped_channels8;
};

template <typename F>
constexpr Loops loops_of() {
  return {vector_vector<F>,
          vector_scalar<F>,
          vector_scalar<Swapped<F>>,
          blocked_channels<F, 16>,
          blocked_channels<F, 8>,
          blocked_channels<Swapped<F>, 16>,
          blocked_channels<Swapped<F>, 8>};
}

struct Function {
  std::string_view op;
  Loops loops;
  bool zero_of_zeros;  // f(0, 0) is 0
};

constexpr Function kFunctions[] = {
    {"Add", loops_of<Add>(), true}, {"Sub", loops_of<Sub>(), true},
    {"Mul", loops_of<Mul>(), true}, {"Div", loops_of<Div>(), false},
    {"Max", loops_of<Max>(), true}, {"Min", loops_of<Min>(), true},
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
        const RunLoop loop =
            plan_.run_stride[1] == 0 ? loops_.vector_scalar : loops_.vector_vector;
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

struct BlockedShape {
  int64_t batch = 1;
  int64_t channels = 1;
  int64_t positions = 1;
  int64_t block = 16;
  int64_t blocks() const { return (channels + block - 1) / block; }
};

class ChannelKernel : public Kernel {
 public:
  ChannelKernel(ChannelLoop loop, const BlockedShape& shape, const ChannelOperand& channel,
                float padding)
      : loop_(loop), shape_(shape), channel_(channel), padding_(padding) {
    scratch_bytes = shape.blocks() * shape.block * static_cast<int64_t>(sizeof(float));
  }
  Status execute(const Execution& e) const override {
    const float* x = e.input<float>(1 - channel_.index);
    const float* v = e.input<float>(channel_.index);
    float* y = e.output<float>();
    auto* lanes = reinterpret_cast<float*>(e.scratch);
    const int64_t image = shape_.blocks() * shape_.block * shape_.positions;
    for (int64_t n = 0; n < shape_.batch; ++n) {
      const float* from = v + n * channel_.batch_stride;
      for (int64_t c = 0; c < shape_.channels; ++c) lanes[c] = from[c * channel_.channel_stride];
      std::fill(lanes + shape_.channels, lanes + shape_.blocks() * shape_.block, padding_);
      loop_(x + n * image, lanes, y + n * image, shape_.blocks(), shape_.positions);
    }
    return {};
  }

 private:
  ChannelLoop loop_;
  BlockedShape shape_;
  ChannelOperand channel_;
  float padding_;
};

BlockedShape blocked_shape(const Operand& x) {
  BlockedShape out{x.shape[0], x.shape[1], 1, *x.layout.channel_block()};
  for (size_t i = 2; i < x.shape.size(); ++i) out.positions *= x.shape[i];
  return out;
}

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
    const auto block = x.layout.channel_block();
    if (!block || x.constant != nullptr || (*block != 8 && *block != 16)) continue;
    const auto channel = channel_operand(x, request.input(index), index);
    if (!channel || request.outputs[0].shape != x.shape) continue;
    const bool swapped = index == 0;
    const bool divides = f.op == "Div";
    if (x.layout.has_padding() && divides && swapped) continue;  // zero by zero
    const Loops& l = f.loops;
    const ChannelLoop loop = *block == 16 ? (swapped ? l.swapped_channels16 : l.channels16)
                                          : (swapped ? l.swapped_channels8 : l.channels8);
    auto kernel = std::make_unique<ChannelKernel>(loop, blocked_shape(x), *channel,
                                                  divides ? 1.0F : 0.0F);
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
  if (f == std::end(kFunctions) || request.inputs.size() != 2 || !request.has_input(1)) {
    return KernelPtr();
  }
  const Operand& a = request.input(0);
  const Operand& b = request.input(1);
  const Operand& y = request.outputs[0];
  if (!a.is_float() || !b.is_float() || !y.is_float()) return KernelPtr();
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
