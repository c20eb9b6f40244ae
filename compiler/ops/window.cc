#include "compiler/ops/window.h"

#include <algorithm>
#include <string>
#include <string_view>

namespace octet::ops {
namespace {

constexpr int64_t kMaxAttribute = int64_t{1} << 30;
constexpr int64_t kMaxExtent = int64_t{1} << 32;

// A list attribute with `count` entries from `least` to 2^30, or `fallback` when it is absent.
Result<std::vector<int64_t>> checked_list(const ir::Node& node, std::string_view name, size_t count,
                                          int64_t least, int64_t fallback) {
  std::vector<int64_t> list = ir::ints_attribute(node, name);
  if (list.empty()) return std::vector<int64_t>(count, fallback);
  if (list.size() != count) {
    return malformed("attribute ", name, ": ", list.size(), " numbers where ", count,
                     " are needed");
  }
  for (size_t i = 0; i < list.size(); ++i) {
    if (list[i] < least || list[i] > kMaxAttribute) {
      return malformed("attribute ", name, "[", i, "] is ", list[i], "; it must be ", least, " to ",
                       kMaxAttribute);
    }
  }
  return list;
}

Result<AutoPad> auto_pad_of(const ir::Node& node) {
  const std::string text = ir::string_attribute(node, "auto_pad", "NOTSET");
  if (text == "NOTSET" || text.empty()) return AutoPad::kNotSet;
  if (text == "SAME_UPPER") return AutoPad::kSameUpper;
  if (text == "SAME_LOWER") return AutoPad::kSameLower;
  if (text == "VALID") return AutoPad::kValid;
  return malformed("attribute auto_pad: not one of NOTSET, SAME_UPPER, SAME_LOWER, VALID");
}

// Everything but the kernel, which is in `out` already.
Status read_common(const ir::Node& node, WindowAttributes& out) {
  const size_t rank = out.rank();
  OCTET_ASSIGN(out.auto_pad, auto_pad_of(node));
  OCTET_ASSIGN(out.strides, checked_list(node, "strides", rank, 1, 1));
  OCTET_ASSIGN(out.dilations, checked_list(node, "dilations", rank, 1, 1));
  OCTET_ASSIGN(std::vector<int64_t> pads, checked_list(node, "pads", 2 * rank, 0, 0));
  if (out.auto_pad != AutoPad::kNotSet) std::fill(pads.begin(), pads.end(), 0);
  const auto middle = pads.begin() + static_cast<std::ptrdiff_t>(rank);
  out.pads_begin.assign(pads.begin(), middle);
  out.pads_end.assign(middle, pads.end());
  return {};
}

bool is_same(AutoPad pad) { return pad == AutoPad::kSameUpper || pad == AutoPad::kSameLower; }

WindowAxis axis_of(const WindowAttributes& attributes, size_t axis, int64_t input) {
  WindowAxis out;
  out.input = input;
  out.kernel = attributes.kernel[axis];
  out.stride = attributes.strides[axis];
  out.dilation = attributes.dilations[axis];
  out.pad_begin = attributes.pads_begin[axis];
  out.pad_end = attributes.pads_end[axis];
  return out;
}

Status check_extent(size_t axis, int64_t input) {
  if (input < 0 || input > kMaxExtent) {
    return malformed("spatial axis ", axis, ": an extent of ", input, " is out of range");
  }
  return {};
}

}  // namespace

Result<WindowAttributes> WindowAttributes::from_pool(const ir::Node& node, size_t spatial_rank) {
  WindowAttributes out;
  if (!ir::has_attribute(node, "kernel_shape")) return malformed("attribute kernel_shape: missing");
  OCTET_ASSIGN(out.kernel, checked_list(node, "kernel_shape", spatial_rank, 1, 0));
  if (ir::ints_attribute(node, "kernel_shape").size() != spatial_rank) {
    return malformed("attribute kernel_shape: 0 numbers where ", spatial_rank, " are needed");
  }
  OCTET_TRY(read_common(node, out));
  if (ir::int_attribute(node, "ceil_mode", 0) != 0) out.rounding = Rounding::kCeil;
  return out;
}

Result<WindowAttributes> WindowAttributes::from_conv(const ir::Node& node,
                                                     std::span<const int64_t> kernel_shape) {
  WindowAttributes out;
  out.kernel.assign(kernel_shape.begin(), kernel_shape.end());
  for (size_t i = 0; i < out.rank(); ++i) {
    if (out.kernel[i] < 1 || out.kernel[i] > kMaxAttribute) {
      return malformed("input 1: a kernel extent of ", out.kernel[i], " on spatial axis ", i);
    }
  }
  OCTET_ASSIGN(const std::vector<int64_t> declared,
               checked_list(node, "kernel_shape", out.rank(), 1, 1));
  if (!ir::ints_attribute(node, "kernel_shape").empty() && declared != out.kernel) {
    return malformed("attribute kernel_shape differs from the shape of the weight");
  }
  OCTET_TRY(read_common(node, out));
  OCTET_ASSIGN(out.output_padding, checked_list(node, "output_padding", out.rank(), 0, 0));
  if (!ir::ints_attribute(node, "output_shape").empty()) {
    // A few old exporters list batch and channels too.
    std::vector<int64_t> shape = ir::ints_attribute(node, "output_shape");
    const size_t extra = shape.size() == out.rank() + 2 ? 2 : 0;
    if (shape.size() != out.rank() + extra) {
      return malformed("attribute output_shape: ", shape.size(), " numbers where ", out.rank(),
                       " are needed");
    }
    shape.erase(shape.begin(), shape.begin() + static_cast<std::ptrdiff_t>(extra));
    for (int64_t extent : shape) {
      if (extent < 1 || extent > kMaxAttribute) {
        return malformed("attribute output_shape: ", extent, " is out of range");
      }
    }
    out.output_shape = std::move(shape);
  }
  return out;
}

Result<WindowAxis> resolve_window(const WindowAttributes& attributes, size_t axis, int64_t input) {
  OCTET_TRY(check_extent(axis, input));
  WindowAxis out = axis_of(attributes, axis, input);
  const int64_t extent = attributes.kernel_extent(axis);
  if (is_same(attributes.auto_pad)) {
    out.output = (input + out.stride - 1) / out.stride;
    const int64_t total = std::max<int64_t>(0, (out.output - 1) * out.stride + extent - input);
    out.pad_begin = attributes.auto_pad == AutoPad::kSameUpper ? total / 2 : total - total / 2;
    out.pad_end = total - out.pad_begin;
    return out;
  }
  const int64_t room = input + out.pad_begin + out.pad_end - extent;
  const bool rounds_up = attributes.rounding == Rounding::kCeil;
  // Rounded up, one window may reach beyond the padding, be it the first.
  if (room < 0 && (!rounds_up || room + out.stride <= 0)) {
    return malformed("spatial axis ", axis, ": a window of ", extent,
                     " is larger than the padded input of ", input + out.pad_begin + out.pad_end);
  }
  out.output = room / out.stride + 1;
  if (rounds_up) {
    out.output = (room + out.stride - 1) / out.stride + 1;
    // A window that starts beyond the input and its leading padding holds no element.
    if ((out.output - 1) * out.stride >= input + out.pad_begin) --out.output;
  }
  return out;
}

Result<WindowAxis> resolve_transposed_window(const WindowAttributes& attributes, size_t axis,
                                             int64_t input) {
  OCTET_TRY(check_extent(axis, input));
  WindowAxis out = axis_of(attributes, axis, input);
  const int64_t full = std::max<int64_t>(0, input - 1) * out.stride +
                       attributes.output_padding[axis] + attributes.kernel_extent(axis);
  const bool given = !attributes.output_shape.empty();
  if (given || is_same(attributes.auto_pad)) {
    const int64_t wanted = given ? attributes.output_shape[axis] : input * out.stride;
    const int64_t total = std::max<int64_t>(0, full - wanted);
    out.pad_begin = attributes.auto_pad == AutoPad::kSameUpper ? total / 2 : total - total / 2;
    out.pad_end = total - out.pad_begin;
    out.output = given ? wanted : full - total;
    return out;
  }
  out.output = full - out.pad_begin - out.pad_end;
  if (out.output < 0) {
    return malformed("spatial axis ", axis, ": pads of ", out.pad_begin, " and ", out.pad_end,
                     " are larger than the output of ", full);
  }
  return out;
}

Result<ir::Dim> window_output(const WindowAttributes& attributes, size_t axis,
                              const ir::Dim& input) {
  if (input.is_static()) {
    OCTET_ASSIGN(const WindowAxis resolved, resolve_window(attributes, axis, input.extent()));
    return ir::Dim(resolved.output);
  }
  const bool keeps =
      is_same(attributes.auto_pad) ||
      attributes.pads_begin[axis] + attributes.pads_end[axis] == attributes.kernel_extent(axis) - 1;
  return attributes.strides[axis] == 1 && keeps ? input : ir::Dim();
}

Result<ir::Dim> transposed_window_output(const WindowAttributes& attributes, size_t axis,
                                         const ir::Dim& input) {
  if (!attributes.output_shape.empty()) return ir::Dim(attributes.output_shape[axis]);
  if (!input.is_static()) return ir::Dim();
  OCTET_ASSIGN(const WindowAxis resolved,
               resolve_transposed_window(attributes, axis, input.extent()));
  return ir::Dim(resolved.output);
}

Status check_conv_channels(int64_t group, int64_t in_channels, int64_t weight_in_per_group,
                           int64_t out_channels) {
  if (group < 1) return malformed("attribute group is ", group, "; it must be at least 1");
  if (in_channels >= 0 && in_channels % group != 0) {
    return malformed("input 0: ", in_channels, " channels do not divide into ", group, " groups");
  }
  if (out_channels >= 0 && out_channels % group != 0) {
    return malformed("input 1: ", out_channels, " output channels do not divide into ", group,
                     " groups");
  }
  if (in_channels >= 0 && weight_in_per_group >= 0 && in_channels / group != weight_in_per_group) {
    return malformed("input 1: ", weight_in_per_group,
                     " input channels per group where input 0 has ", in_channels, " channels in ",
                     group, " groups");
  }
  return {};
}

namespace {

Status check_conv_ranks(std::span<const int64_t> input_shape,
                        std::span<const int64_t> weight_shape) {
  if (input_shape.size() < 3) {
    return malformed("input 0: rank ", input_shape.size(), "; at least 3 is needed");
  }
  if (weight_shape.size() != input_shape.size()) {
    return malformed("input 1: rank ", weight_shape.size(), " for a data rank of ",
                     input_shape.size());
  }
  return {};
}

}  // namespace

Result<ConvAttributes> ConvAttributes::from(const ir::Node& node,
                                            std::span<const int64_t> input_shape,
                                            std::span<const int64_t> weight_shape) {
  OCTET_TRY(check_conv_ranks(input_shape, weight_shape));
  ConvAttributes out;
  out.group = ir::int_attribute(node, "group", 1);
  out.batch = input_shape[0];
  out.in_channels = input_shape[1];
  out.out_channels = weight_shape[0];
  OCTET_TRY(check_conv_channels(out.group, out.in_channels, weight_shape[1], out.out_channels));
  OCTET_ASSIGN(const WindowAttributes window,
               WindowAttributes::from_conv(node, weight_shape.subspan(2)));
  for (size_t i = 0; i < window.rank(); ++i) {
    OCTET_ASSIGN(const WindowAxis axis, resolve_window(window, i, input_shape[i + 2]));
    out.axes.push_back(axis);
  }
  return out;
}

Result<ConvAttributes> ConvAttributes::from_transposed(const ir::Node& node,
                                                       std::span<const int64_t> input_shape,
                                                       std::span<const int64_t> weight_shape) {
  OCTET_TRY(check_conv_ranks(input_shape, weight_shape));
  ConvAttributes out;
  out.group = ir::int_attribute(node, "group", 1);
  out.batch = input_shape[0];
  out.in_channels = input_shape[1];
  if (weight_shape[0] != out.in_channels) {
    return malformed("input 1: ", weight_shape[0], " input channels where input 0 has ",
                     out.in_channels);
  }
  OCTET_TRY(check_conv_channels(out.group, out.in_channels, -1, -1));
  if (weight_shape[1] > kMaxExtent / out.group) {
    return malformed("input 1: ", weight_shape[1], " output channels in each of ", out.group,
                     " groups");
  }
  out.out_channels = weight_shape[1] * out.group;
  OCTET_ASSIGN(const WindowAttributes window,
               WindowAttributes::from_conv(node, weight_shape.subspan(2)));
  for (size_t i = 0; i < window.rank(); ++i) {
    OCTET_ASSIGN(const WindowAxis axis, resolve_transposed_window(window, i, input_shape[i + 2]));
    out.axes.push_back(axis);
  }
  return out;
}

std::vector<int64_t> ConvAttributes::output_shape() const {
  std::vector<int64_t> out = {batch, out_channels};
  for (const WindowAxis& axis : axes) out.push_back(axis.output);
  return out;
}

Result<PoolAttributes> PoolAttributes::from(const ir::Node& node,
                                            std::span<const int64_t> input_shape) {
  if (input_shape.size() < 3) {
    return malformed("input 0: rank ", input_shape.size(), "; at least 3 is needed");
  }
  PoolAttributes out;
  out.batch = input_shape[0];
  out.channels = input_shape[1];
  OCTET_ASSIGN(const WindowAttributes window,
               WindowAttributes::from_pool(node, input_shape.size() - 2));
  for (size_t i = 0; i < window.rank(); ++i) {
    OCTET_ASSIGN(const WindowAxis axis, resolve_window(window, i, input_shape[i + 2]));
    out.axes.push_back(axis);
  }
  if (ir::int_attribute(node, "count_include_pad", 0) != 0) out.padding = Padding::kCounted;
  if (ir::int_attribute(node, "storage_order", 0) != 0) out.index_order = IndexOrder::kColumnMajor;
  out.p = ir::int_attribute(node, "p", 2);
  if (out.p < 1) return malformed("attribute p is ", out.p, "; it must be at least 1");
  return out;
}

std::vector<int64_t> PoolAttributes::output_shape() const {
  std::vector<int64_t> out = {batch, channels};
  for (const WindowAxis& axis : axes) out.push_back(axis.output);
  return out;
}

}  // namespace octet::ops
