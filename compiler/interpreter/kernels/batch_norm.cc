// BatchNormalization of inference: a factor and a summand per channel, row-major or
// channel-blocked.
#include <algorithm>
#include <array>
#include <cmath>

#include "compiler/interpreter/kernel.h"
#include "compiler/interpreter/kernels/vector_math.h"

namespace octet::interpreter {
namespace {

OCTET_VECTORIZED void scale_plane(const float* x, float factor, float summand, float* y,
                                  int64_t count) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) y[i] = x[i] * factor + summand;
}

// `block` channels at each of `positions` positions.
OCTET_VECTORIZED void scale_block(const float* x, const float* factors, const float* summands,
                                  float* y, int64_t positions, int64_t block) {
  for (int64_t p = 0; p < positions; ++p, x += block, y += block) {
#pragma omp simd
    for (int64_t l = 0; l < block; ++l) y[l] = x[l] * factors[l] + summands[l];
  }
}

struct Planes {
  int64_t batch = 1;
  int64_t channels = 1;
  int64_t stored_channels = 1;  // padding included
  int64_t positions = 1;
  int64_t block = 1;
};

class BatchNormKernel : public Kernel {
 public:
  // `numbers`: factors, then summands, each as many as stored channels.
  BatchNormKernel(const Planes& planes, ChargedMemoryPtr numbers)
      : planes_(planes), numbers_(std::move(numbers)) {
    in_place = {0};
  }
  Status execute(const Execution& e) const override {
    const float* factors = numbers_->floats();
    const float* summands = factors + planes_.stored_channels;
    const int64_t size = planes_.positions * planes_.block;
    const float* x = e.input<float>(0);
    float* y = e.output<float>();
    for (int64_t n = 0; n < planes_.batch; ++n) {
      for (int64_t c = 0; c < planes_.stored_channels; c += planes_.block) {
        if (planes_.block > 1) {
          scale_block(x, factors + c, summands + c, y, planes_.positions, planes_.block);
        } else {
          scale_plane(x, factors[c], summands[c], y, size);
        }
        x += size;
        y += size;
      }
    }
    return {};
  }

 private:
  Planes planes_;
  ChargedMemoryPtr numbers_;
};

bool fits(const KernelRequest& request) {
  const Operand& x = request.input(0);
  if (request.inputs.size() != 5 || !x.is_float() || x.shape.size() < 2 ||
      ir::int_attribute(request.node, "training_mode", 0) != 0 ||
      ir::int_attribute(request.node, "spatial", 1) != 1) {
    return false;
  }
  for (size_t i = 1; i < 5; ++i) {
    const Operand& numbers = request.input(i);
    if (!numbers.is_float() || numbers.constant == nullptr || numbers.count() != x.shape[1]) {
      return false;
    }
  }
  for (size_t i = 1; i < request.outputs.size(); ++i) {
    if (request.outputs[i].present()) return false;
  }
  return request.outputs[0].is_float() && request.outputs[0].shape == x.shape;
}

}  // namespace

Result<KernelPtr> make_batch_norm(const KernelRequest& request) {
  if (!fits(request)) return KernelPtr();
  const Operand& x = request.input(0);
  const auto block = x.layout.channel_block();
  const Layout layout = block ? x.layout : Layout();
  Planes planes{x.shape[0], x.shape[1], x.shape[1], 1, block.value_or(1)};
  planes.stored_channels = (planes.channels + planes.block - 1) / planes.block * planes.block;
  for (size_t i = 2; i < x.shape.size(); ++i) planes.positions *= x.shape[i];

  const double epsilon = ir::float_attribute(request.node, "epsilon", 1e-5F);
  std::array<std::span<const float>, 5> numbers;
  for (size_t i = 1; i < 5; ++i) numbers[i] = request.input(i).constant->data<float>();
  const auto scale = numbers[1], bias = numbers[2], mean = numbers[3], variance = numbers[4];
  Operand own = request.input(1);
  own.same_in_all_plans = false;  // it depends on five operands, and is short
  OCTET_ASSIGN(ChargedMemoryPtr packed,
               request.weights.derive(own, "", 2 * planes.stored_channels, [&](float* to) {
                 std::fill(to, to + 2 * planes.stored_channels, 0.0F);
                 for (size_t c = 0; c < scale.size(); ++c) {
                   const double factor = scale[c] / std::sqrt(variance[c] + epsilon);
                   to[c] = static_cast<float>(factor);
                   to[planes.stored_channels + static_cast<int64_t>(c)] =
                       static_cast<float>(bias[c] - mean[c] * factor);
                 }
               }));
  auto kernel = std::make_unique<BatchNormKernel>(planes, std::move(packed));
  kernel->needs.assign(5, InputNeed::nothing());
  kernel->needs[0] = InputNeed::in(layout);
  kernel->output_layouts.assign(request.outputs.size(), layout);
  return KernelPtr(std::move(kernel));
}

}  // namespace octet::interpreter
