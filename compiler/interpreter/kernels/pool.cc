// MaxPool, AveragePool and the global pools on oneDNN, in the layout of their operand.
#include <algorithm>
#include <numeric>

#include "compiler/interpreter/kernels/integer_operands.h"
#include "compiler/interpreter/kernels/onednn_kernel.h"
#include "compiler/ops/window.h"

namespace octet::interpreter {
namespace {

using ops::PoolAttributes;

bool has_spatial_axes(const KernelRequest& request) {
  const size_t rank = request.input(0).shape.size();
  return rank >= 3 && rank <= 5 && request.outputs.size() == 1;
}

bool fits(const KernelRequest& request) {
  return request.input(0).is_float() && has_spatial_axes(request);
}

// Windows that oneDNN takes as ONNX means them: dense, and none wholly in the padding.
std::optional<onednn::WindowSpec> window_spec(const PoolAttributes& pool) {
  onednn::WindowSpec spec;
  for (const ops::WindowAxis& axis : pool.axes) {
    const int64_t reach = (axis.output - 1) * axis.stride + axis.kernel;
    const int64_t pad_end = reach - axis.pad_begin - axis.input;
    const bool counted = pool.padding == PoolAttributes::Padding::kCounted;
    if (axis.dilation != 1 || axis.pad_begin >= axis.kernel || pad_end >= axis.kernel) return {};
    // A window may reach beyond the counted padding (ceil_mode); oneDNN would count that too.
    if (counted && pad_end > axis.pad_end) return std::nullopt;
    spec.kernel.push_back(axis.kernel);
    spec.strides.push_back(axis.stride);
    spec.dilations.push_back(0);
    spec.pads_begin.push_back(axis.pad_begin);
    spec.pads_end.push_back(pad_end);
  }
  return spec;
}

// What a pool reads and writes.
struct Ends {
  onednn::Desc src;
  onednn::Desc dst;
  InputNeed need;
};

Result<KernelPtr> make(const KernelRequest& request, dnnl::algorithm algorithm,
                       const onednn::WindowSpec& window, const Ends& ends) {
  const onednn::Desc& src = ends.src;
  OCTET_ASSIGN(const auto desc, onednn::described([&] {
                 return onednn::make_pooling(algorithm, request.engine, src, ends.dst, window,
                                             strict_attributes());
               }));
  if (!desc || is_slow(*desc)) return KernelPtr();
  const onednn::Desc scratch = desc->scratchpad_desc();
  using Source = PrimitiveArgument::Source;
  OCTET_ASSIGN(dnnl::primitive primitive,
               onednn::guarded([&]() -> dnnl::primitive { return dnnl::pooling_forward(*desc); }));
  auto kernel = std::make_unique<OnednnKernel>(
      std::move(primitive), request.engine,
      std::vector<PrimitiveArgument>{{DNNL_ARG_SRC, src, Source::kInput, 0, nullptr},
                                     {DNNL_ARG_DST, desc->dst_desc(), Source::kOutput, 0, nullptr},
                                     {DNNL_ARG_SCRATCHPAD, scratch, Source::kScratch, 0, nullptr}});
  kernel->needs = {ends.need};
  kernel->output_layouts = {Layout::of(desc->dst_desc())};
  kernel->scratch_bytes = static_cast<int64_t>(scratch.get_size());
  return KernelPtr(std::move(kernel));
}

// float32, in the layout of the operand.
Result<KernelPtr> make(const KernelRequest& request, dnnl::algorithm algorithm,
                       const onednn::WindowSpec& window) {
  const Operand& x = request.input(0);
  return make(request, algorithm, window,
              {x.layout.desc_for(x.shape), any_desc(request.outputs[0].shape), InputNeed::as_is()});
}

// The greatest of 8-bit integers, channels last.
Result<KernelPtr> make_integer_max_pool(const KernelRequest& request,
                                        const onednn::WindowSpec& window) {
  const Operand& x = request.input(0);
  const Operand& y = request.outputs[0];
  const Layout from = integer_layout(x.shape);
  const Layout to = integer_layout(y.shape);
  OCTET_ASSIGN(KernelPtr kernel, make(request, dnnl::algorithm::pooling_max, window,
                                      {integer_desc(x.shape, x.dtype, from),
                                       integer_desc(y.shape, y.dtype, to), InputNeed::in(from)}));
  if (kernel != nullptr) kernel->output_layouts = {to};
  return kernel;
}

onednn::WindowSpec whole_image(const std::vector<int64_t>& shape) {
  onednn::WindowSpec spec;
  spec.kernel.assign(shape.begin() + 2, shape.end());
  spec.strides.assign(shape.size() - 2, 1);
  spec.dilations.assign(shape.size() - 2, 0);
  spec.pads_begin = spec.pads_end = spec.dilations;
  return spec;
}

}  // namespace

Result<KernelPtr> make_max_pool(const KernelRequest& request) {
  const Operand& x = request.input(0);
  if (!has_spatial_axes(request) || (!x.is_float() && !is_byte(x.dtype))) return KernelPtr();
  OCTET_ASSIGN(const auto pool, PoolAttributes::from(request.node, x.shape));
  const auto window = window_spec(pool);
  if (!window) return KernelPtr();
  if (!x.is_float()) return make_integer_max_pool(request, *window);
  return make(request, dnnl::algorithm::pooling_max, *window);
}

Result<KernelPtr> make_average_pool(const KernelRequest& request) {
  if (!fits(request)) return KernelPtr();
  OCTET_ASSIGN(const auto pool, PoolAttributes::from(request.node, request.input(0).shape));
  const auto window = window_spec(pool);
  if (!window) return KernelPtr();
  const bool counted = pool.padding == PoolAttributes::Padding::kCounted;
  return make(request,
              counted ? dnnl::algorithm::pooling_avg_include_padding
                      : dnnl::algorithm::pooling_avg_exclude_padding,
              *window);
}

Result<KernelPtr> make_global_max_pool(const KernelRequest& request) {
  if (!fits(request)) return KernelPtr();
  return make(request, dnnl::algorithm::pooling_max, whole_image(request.input(0).shape));
}

Result<KernelPtr> make_global_average_pool(const KernelRequest& request) {
  if (!fits(request)) return KernelPtr();
  return make(request, dnnl::algorithm::pooling_avg_exclude_padding,
              whole_image(request.input(0).shape));
}

// The mean over all spatial axes of a value that is channel-blocked, as exported by torch.
Result<KernelPtr> make_mean_pool(const KernelRequest& request) {
  const Operand& x = request.input(0);
  if (!fits(request) || x.layout.is_plain()) return KernelPtr();
  std::vector<int64_t> axes = ir::ints_attribute(request.node, "axes");
  if (request.has_input(1)) {
    if (request.input(1).constant == nullptr) return KernelPtr();
    axes = request.input(1).constant->to_int64s();
  }
  const auto rank = static_cast<int64_t>(x.shape.size());
  for (int64_t& axis : axes) axis = axis < 0 ? axis + rank : axis;
  std::sort(axes.begin(), axes.end());
  std::vector<int64_t> spatial(x.shape.size() - 2);
  std::iota(spatial.begin(), spatial.end(), 2);
  if (axes != spatial || request.outputs[0].shape.size() != x.shape.size()) return KernelPtr();
  OCTET_ASSIGN(KernelPtr kernel,
               make(request, dnnl::algorithm::pooling_avg_exclude_padding, whole_image(x.shape)));
  if (kernel != nullptr) kernel->needs.resize(request.inputs.size(), InputNeed::nothing());
  return kernel;
}

}  // namespace octet::interpreter
