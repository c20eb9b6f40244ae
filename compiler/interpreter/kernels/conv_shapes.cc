#include "compiler/interpreter/kernels/conv_shapes.h"

namespace octet::interpreter {

using onednn::Dims;
using ops::ConvAttributes;

Dims conv_weight_dims(const ConvAttributes& conv) {
  Dims dims;
  if (conv.group > 1) dims.push_back(conv.group);
  dims.push_back(conv.out_channels / conv.group);
  dims.push_back(conv.in_channels / conv.group);
  for (const ops::WindowAxis& axis : conv.axes) dims.push_back(axis.kernel);
  return dims;
}

onednn::WindowSpec conv_window_spec(const ConvAttributes& conv) {
  onednn::WindowSpec spec;
  for (const ops::WindowAxis& axis : conv.axes) {
    spec.strides.push_back(axis.stride);
    spec.dilations.push_back(axis.dilation - 1);
    spec.pads_begin.push_back(axis.pad_begin);
    // What the last window reaches beyond the input; less than the padding where the stride leaves
    // some of it unread.
    const int64_t reach = (axis.output - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1;
    spec.pads_end.push_back(reach - axis.pad_begin - axis.input);
  }
  return spec;
}

}  // namespace octet::interpreter
