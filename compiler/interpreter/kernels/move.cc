// Operators that move elements: Transpose, Concat and Split, into memory of the plan.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "compiler/interpreter/kernels/channel_move.h"
#include "compiler/interpreter/kernels/integer_operands.h"
#include "compiler/ops/broadcast.h"
#include "compiler/ops/strided.h"

namespace octet::interpreter {
namespace {

int64_t product(const std::vector<int64_t>& shape, size_t first, size_t last) {
  int64_t out = 1;
  for (size_t i = first; i < last; ++i) out *= shape[i];
  return out;
}

size_t width_of(ir::DType dtype) { return static_cast<size_t>(numerics::bit_width(dtype)) / 8; }

class StridedKernel : public Kernel {
 public:
  StridedKernel(ops::StridedCopy copy, size_t width) : copy_(std::move(copy)), width_(width) {}
  Status execute(const Execution& e) const override {
    ops::copy_strided(copy_, width_, e.inputs[0], e.outputs[0]);
    return {};
  }

 private:
  ops::StridedCopy copy_;
  size_t width_;
};

// Many matrices of 4-byte elements, each transposed, in tiles that stay in the cache.
class MatrixTransposeKernel : public Kernel {
 public:
  MatrixTransposeKernel(int64_t count, int64_t rows, int64_t columns)
      : count_(count), rows_(rows), columns_(columns) {}
  Status execute(const Execution& e) const override {
    const auto* from = e.input<uint32_t>(0);
    auto* to = e.output<uint32_t>();
    for (int64_t m = 0; m < count_; ++m) {
      transpose(from + m * rows_ * columns_, to + m * rows_ * columns_);
    }
    return {};
  }

 private:
  void transpose(const uint32_t* from, uint32_t* to) const {
    constexpr int64_t kTile = 16;
    for (int64_t r = 0; r < rows_; r += kTile) {
      const int64_t r_end = std::min(r + kTile, rows_);
      for (int64_t c = 0; c < columns_; c += kTile) {
        const int64_t c_end = std::min(c + kTile, columns_);
        for (int64_t j = c; j < c_end; ++j) {
          for (int64_t i = r; i < r_end; ++i) to[j * rows_ + i] = from[i * columns_ + j];
        }
      }
    }
  }

  int64_t count_;
  int64_t rows_;
  int64_t columns_;
};

// Pieces of one value side by side: for each of `rows`, all pieces in order. `sizes` in bytes.
struct Pieces {
  int64_t rows = 1;
  std::vector<size_t> sizes;
};

class ConcatKernel : public Kernel {
 public:
  explicit ConcatKernel(Pieces pieces) : pieces_(std::move(pieces)) {}
  Status execute(const Execution& e) const override {
    std::byte* to = e.outputs[0];
    for (int64_t r = 0; r < pieces_.rows; ++r) {
      for (size_t i = 0; i < pieces_.sizes.size(); ++i) {
        const size_t size = pieces_.sizes[i];
        if (size == 0) continue;
        std::memcpy(to, e.inputs[i] + static_cast<size_t>(r) * size, size);
        to += size;
      }
    }
    return {};
  }

 private:
  Pieces pieces_;
};

class SplitKernel : public Kernel {
 public:
  explicit SplitKernel(Pieces pieces) : pieces_(std::move(pieces)) {}
  Status execute(const Execution& e) const override {
    const std::byte* from = e.inputs[0];
    for (int64_t r = 0; r < pieces_.rows; ++r) {
      for (size_t i = 0; i < pieces_.sizes.size(); ++i) {
        const size_t size = pieces_.sizes[i];
        if (e.outputs[i] != nullptr) {
          std::memcpy(e.outputs[i] + static_cast<size_t>(r) * size, from, size);
        }
        from += size;
      }
    }
    return {};
  }

 private:
  Pieces pieces_;
};

// The axis that values side by side are joined along: the only one where extents may differ.
std::optional<size_t> axis_of(const ir::Node& node, size_t rank, int64_t fallback) {
  const auto signed_rank = static_cast<int64_t>(rank);
  const int64_t axis = ir::int_attribute(node, "axis", fallback);
  if (axis < -signed_rank || axis >= signed_rank) return std::nullopt;
  return static_cast<size_t>(axis < 0 ? axis + signed_rank : axis);
}

// Pieces of a whole, row-major or in blocks of channels.
struct Joint {
  Pieces pieces;
  Layout whole;
  std::vector<Layout> parts;
};

Joint plain_joint(const Operand& whole, const std::vector<Operand>& parts, size_t axis) {
  Joint out;
  out.pieces.rows = product(whole.shape, 0, axis);
  for (const Operand& part : parts) {
    const int64_t count = product(part.shape, axis, part.shape.size());
    out.pieces.sizes.push_back(static_cast<size_t>(count) * width_of(whole.dtype));
    out.parts.emplace_back();
  }
  return out;
}

bool can_block(const Operand& whole, size_t axis) {
  const size_t rank = whole.shape.size();
  return axis == 1 && rank >= 3 && rank <= 5 && (whole.is_float() || is_byte(whole.dtype));
}

// Along channels, which come last.
Joint channels_last_joint(const Operand& whole, const std::vector<Operand>& parts) {
  Joint out;
  out.pieces.rows = whole.shape[0] * product(whole.shape, 2, whole.shape.size());
  out.whole = channel_blocked(whole.shape, whole.shape[1]);
  for (const Operand& part : parts) {
    out.pieces.sizes.push_back(static_cast<size_t>(part.shape[1]) * width_of(whole.dtype));
    out.parts.push_back(channel_blocked(part.shape, part.shape[1]));
  }
  return out;
}

// Along channels, in blocks of `block`: possible when every part but the last has whole blocks.
std::optional<Joint> blocked_joint(const Operand& whole, const std::vector<Operand>& parts,
                                   int64_t block) {
  if ((block != 8 && block != 16) || !whole.is_float()) return std::nullopt;
  Joint out;
  out.pieces.rows = whole.shape[0];
  out.whole = channel_blocked(whole.shape, block);
  for (size_t i = 0; i < parts.size(); ++i) {
    const int64_t channels = parts[i].shape[1];
    if (channels % block != 0 && i + 1 < parts.size()) return std::nullopt;
    const int64_t stored = (channels + block - 1) / block * block;
    const int64_t count = stored * product(whole.shape, 2, whole.shape.size());
    out.pieces.sizes.push_back(static_cast<size_t>(count) * sizeof(float));
    out.parts.push_back(channel_blocked(parts[i].shape, block));
  }
  return out;
}

// In the layout of `like`, an operand or the whole that is to be cut.
Joint joint_of(const Operand& whole, const std::vector<Operand>& parts, size_t axis,
               const Operand* like) {
  if (like != nullptr && can_block(whole, axis)) {
    const int64_t block = *like->layout.channel_block();
    if (block == like->shape[1]) return channels_last_joint(whole, parts);
    if (auto joint = blocked_joint(whole, parts, block)) return std::move(*joint);
  }
  return plain_joint(whole, parts, axis);
}

// The block of a layout in which parts that do not fill their blocks are moved lane by lane.
std::optional<int64_t> ragged_block(const Operand& whole, const std::vector<Operand>& parts,
                                    size_t axis, const Operand* like) {
  if (like == nullptr || !can_block(whole, axis) || !whole.is_float()) return std::nullopt;
  const int64_t block = *like->layout.channel_block();
  const bool fits = (block == 8 || block == 16) && block != like->shape[1];
  const bool ragged = fits && !blocked_joint(whole, parts, block);
  return ragged ? std::optional(block) : std::nullopt;
}

ChannelMove move_over(const Operand& whole) {
  ChannelMove out;
  out.batch = whole.shape[0];
  out.positions = product(whole.shape, 2, whole.shape.size());
  return out;
}

KernelPtr ragged_concat(const Operand& whole, const std::vector<Operand>& parts, int64_t block) {
  ChannelMove move = move_over(whole);
  move.outputs.emplace_back();
  for (size_t i = 0; i < parts.size(); ++i) {
    move.channels.push_back(parts[i].shape[1]);
    for (int64_t c = 0; c < parts[i].shape[1]; ++c) move.outputs[0].push_back({i, c});
  }
  KernelPtr kernel = make_blocked_channel_move(std::move(move), block);
  for (const Operand& part : parts) {
    kernel->needs.push_back(InputNeed::in(channel_blocked(part.shape, block)));
  }
  kernel->output_layouts = {channel_blocked(whole.shape, block)};
  return kernel;
}

KernelPtr ragged_split(const KernelRequest& request, int64_t block) {
  ChannelMove move = move_over(request.input(0));
  move.channels.push_back(request.input(0).shape[1]);
  int64_t channel = 0;
  std::vector<Layout> layouts;
  for (const Operand& part : request.outputs) {
    auto& sources = move.outputs.emplace_back();
    for (int64_t c = 0; c < part.shape[1]; ++c) sources.push_back({0, channel++});
    layouts.push_back(channel_blocked(part.shape, block));
  }
  KernelPtr kernel = make_blocked_channel_move(std::move(move), block);
  kernel->needs.assign(request.inputs.size(), InputNeed::nothing());
  kernel->needs[0] = InputNeed::as_is();
  kernel->output_layouts = std::move(layouts);
  return kernel;
}

// The first operand in blocks of channels.
const Operand* blocked_operand(const std::vector<Operand>& operands) {
  for (const Operand& operand : operands) {
    if (operand.layout.channel_block()) return &operand;
  }
  return nullptr;
}

}  // namespace

Result<KernelPtr> make_transpose(const KernelRequest& request) {
  const Operand& x = request.input(0);
  const size_t rank = x.shape.size();
  if (rank == 0 || request.outputs[0].dtype != x.dtype) return KernelPtr();
  std::vector<int64_t> order(rank);
  std::iota(order.rbegin(), order.rend(), 0);
  order = ir::ints_attribute(request.node, "perm", order);
  const std::vector<int64_t> strides = ops::row_major_strides(x.shape);
  ops::StridedCopy copy;
  if (order.size() != rank) return KernelPtr();
  for (int64_t axis : order) {
    if (axis < 0 || axis >= static_cast<int64_t>(rank)) return KernelPtr();
    copy.shape.push_back(x.shape[static_cast<size_t>(axis)]);
    copy.from_strides.push_back(strides[static_cast<size_t>(axis)]);
  }
  if (copy.shape != request.outputs[0].shape) return KernelPtr();
  copy.to_strides = ops::row_major_strides(copy.shape);

  // Axes 0..k stay, and the rest is rotated by some number of axes: matrices, transposed.
  size_t stay = 0;
  while (stay < rank && order[stay] == static_cast<int64_t>(stay)) ++stay;
  bool rotated = stay < rank && width_of(x.dtype) == 4;
  for (size_t i = stay; rotated && i < rank; ++i) {
    const auto expected = (static_cast<size_t>(order[stay]) - stay + i - stay) % (rank - stay);
    rotated = order[i] == static_cast<int64_t>(expected + stay);
  }
  KernelPtr kernel;
  if (rotated) {
    const auto middle = static_cast<size_t>(order[stay]);
    kernel = std::make_unique<MatrixTransposeKernel>(
        product(x.shape, 0, stay), product(x.shape, stay, middle), product(x.shape, middle, rank));
  } else {
    kernel = std::make_unique<StridedKernel>(std::move(copy), width_of(x.dtype));
  }
  kernel->needs = {InputNeed::plain()};
  kernel->output_layouts = {Layout()};
  return kernel;
}

namespace {

// The extents of parts along `axis` add up to that of the whole; all others are the same.
bool fit_together(const Operand& whole, const std::vector<Operand>& parts, size_t axis) {
  int64_t sum = 0;
  for (const Operand& part : parts) {
    if (!part.present() || part.dtype != whole.dtype || part.shape.size() != whole.shape.size()) {
      return false;
    }
    sum += part.shape[axis];
    std::vector<int64_t> shape = part.shape;
    shape[axis] = whole.shape[axis];
    if (shape != whole.shape) return false;
  }
  return sum == whole.shape[axis];
}

}  // namespace

Result<KernelPtr> make_concat(const KernelRequest& request) {
  const Operand& whole = request.outputs[0];
  const auto axis = axis_of(request.node, whole.shape.size(), 0);
  if (!axis || !fit_together(whole, request.inputs, *axis)) return KernelPtr();
  const Operand* const like = blocked_operand(request.inputs);
  if (const auto block = ragged_block(whole, request.inputs, *axis, like)) {
    return ragged_concat(whole, request.inputs, *block);
  }
  Joint joint = joint_of(whole, request.inputs, *axis, like);
  auto kernel = std::make_unique<ConcatKernel>(std::move(joint.pieces));
  for (const Layout& layout : joint.parts) kernel->needs.push_back(InputNeed::in(layout));
  kernel->output_layouts = {joint.whole};
  return KernelPtr(std::move(kernel));
}

Result<KernelPtr> make_split(const KernelRequest& request) {
  const Operand& whole = request.input(0);
  const auto axis = axis_of(request.node, whole.shape.size(), 0);
  if (!axis || !fit_together(whole, request.outputs, *axis)) return KernelPtr();
  const Operand* const like = whole.layout.channel_block() ? &whole : nullptr;
  if (const auto block = ragged_block(whole, request.outputs, *axis, like)) {
    return ragged_split(request, *block);
  }
  Joint joint = joint_of(whole, request.outputs, *axis, like);
  auto kernel = std::make_unique<SplitKernel>(std::move(joint.pieces));
  kernel->needs.assign(request.inputs.size(), InputNeed::nothing());
  kernel->needs[0] = InputNeed::in(joint.whole);
  kernel->output_layouts = std::move(joint.parts);
  return KernelPtr(std::move(kernel));
}

}  // namespace octet::interpreter
