// Reshape, Transpose and Reshape that interleave groups of channels, as one: channel c of group g
// becomes channel c * groups + g. In the layout of the operand.
#include <cstring>
#include <utility>

#include "compiler/base/vectorized.h"
#include "compiler/interpreter/kernels/channel_move.h"
#include "compiler/interpreter/kernels/integer_operands.h"

namespace octet::interpreter {
namespace {

struct Shuffle {
  int64_t batch = 1;
  int64_t positions = 1;
  int64_t groups = 1;
  int64_t per_group = 1;
  int64_t channels() const { return groups * per_group; }
};

// Row-major: channels are planes.
class PlaneShuffleKernel : public Kernel {
 public:
  PlaneShuffleKernel(const Shuffle& shuffle, int64_t width)
      : shuffle_(shuffle), plane_(static_cast<size_t>(shuffle.positions * width)) {}
  Status execute(const Execution& e) const override {
    const std::byte* from = e.inputs[0];
    std::byte* to = e.outputs[0];
    for (int64_t n = 0; n < shuffle_.batch; ++n) {
      for (int64_t c = 0; c < shuffle_.per_group; ++c) {
        for (int64_t g = 0; g < shuffle_.groups; ++g, to += plane_) {
          const auto at = static_cast<size_t>(g * shuffle_.per_group + c);
          std::memcpy(to, from + at * plane_, plane_);
        }
      }
      from += static_cast<size_t>(shuffle_.channels()) * plane_;
    }
    return {};
  }

 private:
  Shuffle shuffle_;
  size_t plane_;
};

template <typename T>
OCTET_VECTORIZED void interleave_two(const T* from, T* to, int64_t rows, int64_t half) {
  for (int64_t r = 0; r < rows; ++r, from += 2 * half, to += 2 * half) {
    const T* const second = from + half;
#pragma omp simd
    for (int64_t c = 0; c < half; ++c) {
      to[2 * c] = from[c];
      to[2 * c + 1] = second[c];
    }
  }
}

template <typename T>
void interleave(const T* from, T* to, int64_t rows, const Shuffle& s) {
  if (s.groups == 2) return interleave_two(from, to, rows, s.per_group);
  for (int64_t r = 0; r < rows; ++r, from += s.channels(), to += s.channels()) {
    for (int64_t g = 0; g < s.groups; ++g) {
      for (int64_t c = 0; c < s.per_group; ++c) to[c * s.groups + g] = from[g * s.per_group + c];
    }
  }
}

// Channels last.
template <typename T>
class RowShuffleKernel : public Kernel {
 public:
  explicit RowShuffleKernel(const Shuffle& shuffle) : shuffle_(shuffle) {}
  Status execute(const Execution& e) const override {
    const int64_t rows = shuffle_.batch * shuffle_.positions;
    interleave(e.input<T>(0), e.output<T>(), rows, shuffle_);
    return {};
  }

 private:
  Shuffle shuffle_;
};

KernelPtr blocked_shuffle(const Shuffle& s, int64_t block) {
  ChannelMove move{s.batch, s.positions, {s.channels()}, {{}}};
  for (int64_t k = 0; k < s.channels(); ++k) {
    move.outputs[0].push_back({0, k % s.groups * s.per_group + k / s.groups});
  }
  return make_blocked_channel_move(std::move(move), block);
}

}  // namespace

Result<KernelPtr> make_channel_shuffle(const KernelRequest& request) {
  const bool fused =
      !request.post_ops.empty() && request.post_ops[0].kind == PostOp::Kind::kShuffle;
  if (!fused) return KernelPtr();
  const Operand& x = request.input(0);
  const int64_t width = numerics::bit_width(x.dtype) / 8;
  Shuffle shuffle;
  shuffle.batch = x.shape[0];
  shuffle.groups = static_cast<int64_t>(request.post_ops[0].alpha);
  shuffle.per_group = x.shape[1] / shuffle.groups;
  shuffle.positions = x.count() / (x.shape[0] * x.shape[1]);
  const auto block = x.layout.channel_block();
  KernelPtr kernel;
  Layout layout = x.layout;
  if (block && *block == x.shape[1] && x.is_float()) {
    kernel = std::make_unique<RowShuffleKernel<float>>(shuffle);
  } else if (block && *block == x.shape[1] && is_byte(x.dtype)) {
    kernel = std::make_unique<RowShuffleKernel<uint8_t>>(shuffle);
  } else if (block && x.is_float() && (*block == 8 || *block == 16)) {
    kernel = blocked_shuffle(shuffle, *block);
  } else {
    layout = Layout();
    kernel = std::make_unique<PlaneShuffleKernel>(shuffle, width);
  }
  kernel->needs.assign(request.inputs.size(), InputNeed::nothing());
  kernel->needs[0] = InputNeed::in(layout);
  kernel->output_layouts = {layout};
  return KernelPtr(std::move(kernel));
}

}  // namespace octet::interpreter
