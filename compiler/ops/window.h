// Sliding windows: the arithmetic that Conv, ConvTranspose, their quantized forms and the pools
// share. Attributes are decoded once into a struct in which every list has one entry per spatial
// axis, auto_pad is resolved and every number is checked.
//
// Formulas: ONNX operators Conv, ConvTranspose, AveragePool, MaxPool, LpPool (opset 7 to 23).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compiler/base/result.h"
#include "compiler/ir/graph.h"

namespace octet::ops {

enum class AutoPad { kNotSet, kSameUpper, kSameLower, kValid };
enum class Rounding { kFloor, kCeil };

// What a node says about its windows, as far as that can be told without input extents: lists are
// expanded to one entry per spatial axis; auto_pad is not resolved. Kernels, strides and dilations
// are 1 to 2^30, pads and output paddings 0 to 2^30; kMalformed otherwise, so that sums and
// products of them cannot overflow.
struct WindowAttributes {
  AutoPad auto_pad = AutoPad::kNotSet;
  Rounding rounding = Rounding::kFloor;  // ceil_mode
  std::vector<int64_t> kernel;
  std::vector<int64_t> strides;
  std::vector<int64_t> dilations;
  std::vector<int64_t> pads_begin;  // zero unless auto_pad is kNotSet
  std::vector<int64_t> pads_end;
  std::vector<int64_t> output_padding;  // ConvTranspose
  std::vector<int64_t> output_shape;    // ConvTranspose; empty when not given

  size_t rank() const { return kernel.size(); }
  int64_t kernel_extent(size_t axis) const { return (kernel[axis] - 1) * dilations[axis] + 1; }

  // The kernel's shape comes from the attribute kernel_shape, or from the weight.
  static Result<WindowAttributes> from_pool(const ir::Node& node, size_t spatial_rank);
  static Result<WindowAttributes> from_conv(const ir::Node& node,
                                            std::span<const int64_t> kernel_shape);
};

// One spatial axis of a window operator, everything resolved. Tap k of window o reads
// input[o * stride - pad_begin + k * dilation]; for ConvTranspose, input element i and tap k add to
// output[i * stride - pad_begin + k * dilation].
struct WindowAxis {
  int64_t input = 1;
  int64_t output = 1;
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t dilation = 1;
  int64_t pad_begin = 0;
  int64_t pad_end = 0;  // of the input; windows of a ceil_mode pool may reach further
};

// Resolves one axis for an input extent of 0 to 2^32. kMalformed when the window does not fit into
// the padded input.
Result<WindowAxis> resolve_window(const WindowAttributes& attributes, size_t axis, int64_t input);
// The same for ConvTranspose. With output_shape, pads follow from it (never below zero).
Result<WindowAxis> resolve_transposed_window(const WindowAttributes& attributes, size_t axis,
                                             int64_t input);

// Output extents for an input extent that need not be known; unknown where it cannot be told.
Result<ir::Dim> window_output(const WindowAttributes& attributes, size_t axis,
                              const ir::Dim& input);
Result<ir::Dim> transposed_window_output(const WindowAttributes& attributes, size_t axis,
                                         const ir::Dim& input);

// A Conv or ConvTranspose of known shapes. Input is [batch, in_channels, spatial...]; the weight is
// [out_channels, in_channels / group, kernel...] for Conv and
// [in_channels, out_channels / group, kernel...] for ConvTranspose.
struct ConvAttributes {
  int64_t group = 1;
  int64_t batch = 1;
  int64_t in_channels = 1;
  int64_t out_channels = 1;
  std::vector<WindowAxis> axes;  // one per spatial axis, at least one

  std::vector<int64_t> output_shape() const;

  // Also of ConvInteger and QLinearConv, whose attributes are Conv's.
  static Result<ConvAttributes> from(const ir::Node& node, std::span<const int64_t> input_shape,
                                     std::span<const int64_t> weight_shape);
  static Result<ConvAttributes> from_transposed(const ir::Node& node,
                                                std::span<const int64_t> input_shape,
                                                std::span<const int64_t> weight_shape);
};

// A pool (AveragePool, MaxPool, LpPool and QLinearAveragePool) of known input shape
// [batch, channels, spatial...].
struct PoolAttributes {
  int64_t batch = 1;
  int64_t channels = 1;
  std::vector<WindowAxis> axes;
  enum class Padding { kExcluded, kCounted };
  Padding padding = Padding::kExcluded;  // count_include_pad
  enum class IndexOrder { kRowMajor, kColumnMajor };
  IndexOrder index_order = IndexOrder::kRowMajor;  // storage_order of MaxPool's Indices
  int64_t p = 2;                                   // LpPool

  std::vector<int64_t> output_shape() const;

  static Result<PoolAttributes> from(const ir::Node& node, std::span<const int64_t> input_shape);
};

// The group attribute and channel counts of a Conv-like node; -1 stands for an extent that is not
// known. Called by the two `from` functions and by shape inference.
Status check_conv_channels(int64_t group, int64_t in_channels, int64_t weight_in_per_group,
                           int64_t out_channels);

}  // namespace octet::ops
