// Slice by positive steps and Pad with zeros, in the layout of the operand where its channels stay
// whole.
#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "compiler/interpreter/kernels/channel_move.h"
#include "compiler/interpreter/kernels/integer_operands.h"
#include "compiler/ops/broadcast.h"
#include "compiler/ops/strided.h"

namespace octet::interpreter {
namespace {

using Extents = std::vector<int64_t>;

size_t width_of(ir::DType dtype) { return static_cast<size_t>(numerics::bit_width(dtype)) / 8; }

// The extents of a value as it lies: [batch, blocks, spatial..., block], or itself.
Extents stored_extents(const Extents& shape, const std::optional<int64_t>& block) {
  if (!block) return shape;
  Extents out = shape;
  out[1] = (shape[1] + *block - 1) / *block;
  out.push_back(*block);
  return out;
}

class WindowKernel : public Kernel {
 public:
  // `zeroed`: bytes of the output that are zero where nothing is copied to; 0 when all is.
  WindowKernel(ops::StridedCopy copy, size_t width, size_t zeroed)
      : copy_(std::move(copy)), width_(width), zeroed_(zeroed) {}
  Status execute(const Execution& e) const override {
    if (zeroed_ > 0) std::memset(e.outputs[0], 0, zeroed_);
    ops::copy_strided(copy_, width_, e.inputs[0], e.outputs[0]);
    return {};
  }

 private:
  ops::StridedCopy copy_;
  size_t width_;
  size_t zeroed_;
};

// A list that a node has as attribute before `since`, as constant operand from then on; nothing
// when a run decides it. `fallback` where it is absent.
std::optional<Extents> list_of(const KernelRequest& request, int64_t since, const char* attribute,
                               size_t operand, const Extents& fallback) {
  if (request.opset < since) return ir::ints_attribute(request.node, attribute, fallback);
  if (!request.has_input(operand)) return fallback;
  const Operand& given = request.input(operand);
  if (given.constant == nullptr || !numerics::is_integer(given.dtype)) return std::nullopt;
  return given.constant->to_int64s();
}

bool normalize(Extents& axes, size_t rank) {
  for (int64_t& axis : axes) {
    axis = axis < 0 ? axis + static_cast<int64_t>(rank) : axis;
    if (axis < 0 || axis >= static_cast<int64_t>(rank)) return false;
  }
  return true;
}

// The block of a layout that a change along these axes leaves as it is.
std::optional<int64_t> kept_block(const Operand& x, bool changes_channels) {
  const auto block = x.layout.channel_block();
  const bool known = x.is_float() || is_byte(x.dtype);
  return block && known && !changes_channels ? block : std::nullopt;
}

KernelPtr finish(KernelPtr kernel, const KernelRequest& request,
                 const std::optional<int64_t>& block) {
  const Layout layout = block ? request.input(0).layout : Layout();
  kernel->needs.assign(request.inputs.size(), InputNeed::nothing());
  kernel->needs[0] = InputNeed::in(layout);
  kernel->output_layouts = {block ? channel_blocked(request.outputs[0].shape, *block) : Layout()};
  return kernel;
}

int64_t product(const Extents& extents) {
  int64_t out = 1;
  for (int64_t extent : extents) out *= extent;
  return out;
}

// Zeros around the channels of a value in blocks of 8 or 16.
KernelPtr blocked_channel_pad(const KernelRequest& request, int64_t before, int64_t block) {
  const Operand& x = request.input(0);
  ChannelMove move;
  move.batch = x.shape[0];
  move.positions = x.count() / (x.shape[0] * x.shape[1]);
  move.channels = {x.shape[1]};
  auto& sources = move.outputs.emplace_back();
  for (int64_t c = 0; c < request.outputs[0].shape[1]; ++c) {
    const int64_t from = c - before;
    const bool inside = from >= 0 && from < x.shape[1];
    sources.push_back(inside ? ChannelSource{0, from} : ChannelSource{ChannelSource::kZero, 0});
  }
  return finish(make_blocked_channel_move(std::move(move), block), request, block);
}

}  // namespace

Result<KernelPtr> make_slice(const KernelRequest& request) {
  const Operand& x = request.input(0);
  const Operand& y = request.outputs[0];
  const size_t rank = x.shape.size();
  const auto starts = list_of(request, 10, "starts", 1, {});
  if (!starts || y.shape.size() != rank || x.dtype != y.dtype) return KernelPtr();
  Extents all(starts->size());
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int64_t>(i);
  auto axes = list_of(request, 10, "axes", 3, all);
  const auto steps = request.opset < 10 ? std::optional(Extents(all.size(), 1))
                                        : list_of(request, 10, "", 4, Extents(all.size(), 1));
  if (!axes || !steps || !normalize(*axes, rank) || axes->size() != starts->size() ||
      steps->size() != starts->size()) {
    return KernelPtr();
  }
  const bool channels = std::find(axes->begin(), axes->end(), 1) != axes->end();
  const auto block = kept_block(x, channels);
  ops::StridedCopy copy;
  copy.from_strides = ops::row_major_strides(stored_extents(x.shape, block));
  copy.shape = stored_extents(y.shape, block);
  copy.to_strides = ops::row_major_strides(copy.shape);
  for (size_t i = 0; i < axes->size(); ++i) {
    const auto axis = static_cast<size_t>((*axes)[i]);
    const int64_t extent = x.shape[axis];
    const int64_t step = (*steps)[i];
    const int64_t start = (*starts)[i] < 0 ? (*starts)[i] + extent : (*starts)[i];
    const int64_t first = std::clamp<int64_t>(start, 0, extent);
    // The output's extent is that of inference, which has resolved the same numbers.
    if (step < 1 || step > extent || first + (y.shape[axis] - 1) * step >= extent) {
      return KernelPtr();
    }
    copy.from_offset += first * copy.from_strides[axis];
    copy.from_strides[axis] *= step;
  }
  for (size_t a = 0; a < rank; ++a) {
    const bool sliced =
        std::find(axes->begin(), axes->end(), static_cast<int64_t>(a)) != axes->end();
    if (!sliced && x.shape[a] != y.shape[a]) return KernelPtr();
  }
  Extents sorted = *axes;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) return KernelPtr();
  return finish(std::make_unique<WindowKernel>(std::move(copy), width_of(x.dtype), 0), request,
                block);
}

Result<KernelPtr> make_zero_pad(const KernelRequest& request) {
  const Operand& x = request.input(0);
  const Operand& y = request.outputs[0];
  const size_t rank = x.shape.size();
  const auto pads = list_of(request, 11, "pads", 1, {});
  const bool zeros = ir::string_attribute(request.node, "mode", "constant") == "constant" &&
                     !request.has_input(3) && ir::float_attribute(request.node, "value", 0.0F) == 0;
  if (!pads || !zeros || !x.is_float() || pads->size() != 2 * rank || y.shape.size() != rank ||
      x.dtype != y.dtype) {
    return KernelPtr();
  }
  if (request.has_input(2)) {
    const Operand& value = request.input(2);
    const bool zero = value.constant != nullptr && value.is_float() && value.count() == 1 &&
                      value.constant->data<float>()[0] == 0.0F;
    if (!zero) return KernelPtr();
  }
  size_t padded_axes = 0;
  for (size_t a = 0; a < rank; ++a) {
    const int64_t before = (*pads)[a];
    const int64_t after = (*pads)[rank + a];
    if (before < 0 || after < 0 || x.shape[a] + before + after != y.shape[a]) return KernelPtr();
    padded_axes += before + after > 0 ? 1 : 0;
  }
  const bool channels = rank > 1 && x.shape[1] != y.shape[1];
  const auto in_blocks = x.layout.channel_block();
  if (channels && padded_axes == 1 && in_blocks && (*in_blocks == 8 || *in_blocks == 16)) {
    return blocked_channel_pad(request, (*pads)[1], *in_blocks);
  }
  const auto block = kept_block(x, channels);
  ops::StridedCopy copy;
  copy.shape = stored_extents(x.shape, block);
  copy.from_strides = ops::row_major_strides(copy.shape);
  const Extents to = stored_extents(y.shape, block);
  copy.to_strides = ops::row_major_strides(to);
  for (size_t a = 0; a < rank; ++a) copy.to_offset += (*pads)[a] * copy.to_strides[a];
  const size_t width = width_of(x.dtype);
  const size_t bytes = static_cast<size_t>(product(to)) * width;
  return finish(std::make_unique<WindowKernel>(std::move(copy), width, bytes), request, block);
}

}  // namespace octet::interpreter
