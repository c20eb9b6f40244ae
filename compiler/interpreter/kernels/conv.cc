// Conv and ConvTranspose on oneDNN, in the layouts that it prefers.
#include <string_view>

#include "compiler/interpreter/kernels/conv_shapes.h"
#include "compiler/interpreter/kernels/linear.h"
#include "compiler/ops/broadcast.h"
#include "compiler/ops/window.h"

namespace octet::interpreter {
namespace {

using onednn::Dims;
using ops::ConvAttributes;

// oneDNN convolves over one to three spatial axes.
bool fits(const KernelRequest& request) {
  const size_t rank = request.input(0).shape.size();
  return all_float(request) && rank >= 3 && rank <= 5 && request.input(1).shape.size() == rank;
}

onednn::Desc any_weights(const ConvAttributes& conv) { return any_desc(conv_weight_dims(conv)); }

onednn::Desc plain_weights(const ConvAttributes& conv) {
  return plain_desc(conv_weight_dims(conv));
}

// As ConvTranspose has them: [group, in, out, kernel...].
onednn::Desc transposed_weights(const ConvAttributes& conv) {
  const Dims dims = conv_weight_dims(conv);
  const size_t out = conv.group > 1 ? 1 : 0;
  Dims as_stored = dims;
  std::swap(as_stored[out], as_stored[out + 1]);
  Dims strides = ops::row_major_strides(as_stored);
  std::swap(strides[out], strides[out + 1]);
  return strided_desc(dims, strides);
}

onednn::WindowSpec transposed_window_spec(const ConvAttributes& conv) {
  onednn::WindowSpec spec;
  for (const ops::WindowAxis& axis : conv.axes) {
    spec.strides.push_back(axis.stride);
    spec.dilations.push_back(axis.dilation - 1);
    spec.pads_begin.push_back(axis.pad_begin);
    const int64_t full = (axis.input - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1;
    spec.pads_end.push_back(std::max<int64_t>(0, full - axis.pad_begin - axis.output));
  }
  return spec;
}

// oneDNN's own convolutions give each thread output elements of its own, summed in an order that
// does not depend on the threads; those made of matrix products may not.
bool sums_in_fixed_order(std::string_view implementation) {
  return (implementation.starts_with("jit") || implementation.starts_with("brgconv")) &&
         implementation.find("gemm") == std::string_view::npos;
}

template <typename Primitive, typename Make>
Result<KernelPtr> make(const KernelRequest& request, const ConvAttributes& conv,
                       const onednn::Desc& weights_as_stored, const onednn::WindowSpec& window,
                       Make make_descriptor) {
  const auto bias = bias_of(request, 2, conv.out_channels, {conv.out_channels});
  onednn::LinearDescs descs;
  descs.src = any_desc(request.input(0).shape);
  // Packing is for constants; what a run computes is taken as it lies.
  descs.weights = request.input(1).constant != nullptr ? any_weights(conv) : weights_as_stored;
  if (bias) descs.bias = plain_desc(bias->dims);
  descs.dst = any_desc(request.outputs[0].shape);
  const auto describe = [&] {
    return onednn::described(
        [&] { return make_descriptor(request.engine, descs, window, linear_attributes(request)); });
  };
  OCTET_ASSIGN(auto desc, describe());
  if (!desc || is_slow(*desc)) return KernelPtr();
  size_t threads = 1;
  if (request.threads > 1 && sums_in_fixed_order(desc->impl_info_str())) {
    descs.src = desc->src_desc();
    descs.weights = desc->weights_desc();
    descs.dst = desc->dst_desc();
    const ThreadCount count(request.threads);
    OCTET_ASSIGN(auto parallel, describe());
    if (parallel && std::string_view(parallel->impl_info_str()) == desc->impl_info_str()) {
      desc = std::move(parallel);
      threads = request.threads;
    }
  }
  return make_linear_kernel<Primitive>(request, *desc, {weights_as_stored}, bias,
                                       Layout::of(desc->src_desc()), Layout::of(desc->dst_desc()),
                                       threads);
}

}  // namespace

Result<KernelPtr> make_conv(const KernelRequest& request) {
  if (!fits(request)) return KernelPtr();
  OCTET_ASSIGN(const ConvAttributes conv,
               ConvAttributes::from(request.node, request.input(0).shape, request.input(1).shape));
  return make<dnnl::convolution_forward>(
      request, conv, plain_weights(conv), conv_window_spec(conv),
      [](const auto&... arguments) { return onednn::make_convolution(arguments...); });
}

Result<KernelPtr> make_conv_transpose(const KernelRequest& request) {
  if (!fits(request)) return KernelPtr();
  OCTET_ASSIGN(const ConvAttributes conv,
               ConvAttributes::from_transposed(request.node, request.input(0).shape,
                                               request.input(1).shape));
  return make<dnnl::deconvolution_forward>(
      request, conv, transposed_weights(conv), transposed_window_spec(conv),
      [](const auto&... arguments) { return onednn::make_deconvolution(arguments...); });
}

}  // namespace octet::interpreter
