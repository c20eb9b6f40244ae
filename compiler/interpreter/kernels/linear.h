// What Conv, ConvTranspose, MatMul and Gemm share: packed weights, bias and fused post-ops.
#pragma once

#include <string>
#include <vector>

#include "compiler/interpreter/kernels/onednn_kernel.h"
#include "compiler/interpreter/threads.h"

namespace octet::interpreter {

// All operands and the output are float32 and have elements.
bool all_float(const KernelRequest& request);

// Operand 1 of the request as a primitive takes it.
struct LinearWeights {
  // The constant (or the operand) as it lies, with the extents that the primitive gives it.
  onednn::Desc plain;
  float scale = 1.0F;  // constants only: what it is multiplied with
};

// A bias of one number per output channel: an operand of the request, scaled when it is constant;
// one element is spread over all channels.
struct LinearBias {
  size_t operand = 0;
  int64_t channels = 0;
  float scale = 1.0F;
  onednn::Dims dims;  // as the primitive takes it
};

// The fused bias if there is one, else `operand` if it is present.
std::optional<LinearBias> bias_of(const KernelRequest& request, size_t operand, int64_t channels,
                                  onednn::Dims dims);

// Post-ops other than kBias.
dnnl::primitive_attr linear_attributes(const KernelRequest& request);

// Fills in arguments, needs and layouts of a linear kernel.
class LinearAssembly {
 public:
  LinearAssembly(const KernelRequest& request, Layout src, Layout dst)
      : request_(request), src_(src), dst_(dst) {}

  Status weights(const LinearWeights& weights, const onednn::Desc& wanted);
  Status bias(const std::optional<LinearBias>& bias);
  void data(const onednn::Desc& src, const onednn::Desc& dst, const onednn::Desc& scratch);
  KernelPtr finish(dnnl::primitive primitive, size_t threads) &&;

 private:
  const KernelRequest& request_;
  Layout src_;
  Layout dst_;
  std::vector<PrimitiveArgument> arguments_;
  std::vector<InputNeed> needs_ =
      std::vector<InputNeed>(request_.inputs.size(), InputNeed::nothing());
  int64_t scratch_bytes_ = 0;
};

// All of the above for a primitive descriptor that was made for `threads` threads.
template <typename Primitive, typename PrimitiveDesc>
Result<KernelPtr> make_linear_kernel(const KernelRequest& request, const PrimitiveDesc& desc,
                                     const LinearWeights& weights,
                                     const std::optional<LinearBias>& bias, Layout src, Layout dst,
                                     size_t threads = 1) {
  LinearAssembly assembly(request, src, dst);
  OCTET_TRY(assembly.weights(weights, desc.weights_desc()));
  OCTET_TRY(assembly.bias(bias));
  assembly.data(desc.src_desc(), desc.dst_desc(), desc.scratchpad_desc());
  OCTET_ASSIGN(dnnl::primitive primitive, onednn::guarded([&]() -> dnnl::primitive {
                 const ThreadCount count(threads);
                 return Primitive(desc);
               }));
  return std::move(assembly).finish(std::move(primitive), threads);
}

}  // namespace octet::interpreter
