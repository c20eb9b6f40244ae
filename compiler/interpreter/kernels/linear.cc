#include "compiler/interpreter/kernels/linear.h"

#include <algorithm>

namespace octet::interpreter {

using Source = PrimitiveArgument::Source;

bool all_float(const KernelRequest& request) {
  for (const Operand& operand : request.inputs) {
    if (operand.present() && (!operand.is_float() || operand.count() == 0)) return false;
  }
  return request.outputs[0].is_float();
}

std::optional<LinearBias> bias_of(const KernelRequest& request, size_t operand, int64_t channels,
                                  onednn::Dims dims) {
  if (!request.post_ops.empty() && request.post_ops[0].kind == PostOp::Kind::kBias) {
    operand = request.post_ops[0].operand;
  } else if (!request.has_input(operand)) {
    return std::nullopt;
  }
  return LinearBias{operand, channels, 1.0F, std::move(dims)};
}

dnnl::primitive_attr linear_attributes(const KernelRequest& request) {
  using dnnl::algorithm;
  dnnl::post_ops ops;
  for (const PostOp& op : request.post_ops) {
    switch (op.kind) {
      case PostOp::Kind::kBias:
      case PostOp::Kind::kDequantize:
      case PostOp::Kind::kGelu:
      case PostOp::Kind::kShuffle:
        break;
      case PostOp::Kind::kSum:
        ops.append_sum(1.0F);
        break;
      case PostOp::Kind::kRelu:
        onednn::append_eltwise(ops, algorithm::eltwise_relu, 0.0F, 0.0F);
        break;
      case PostOp::Kind::kLeakyRelu:
        onednn::append_eltwise(ops, algorithm::eltwise_relu, op.alpha, 0.0F);
        break;
      case PostOp::Kind::kClip:
        onednn::append_eltwise(ops, algorithm::eltwise_clip, op.alpha, op.beta);
        break;
      case PostOp::Kind::kSigmoid:
        onednn::append_eltwise(ops, algorithm::eltwise_logistic, 0.0F, 0.0F);
        break;
      case PostOp::Kind::kHardSwish:
        onednn::append_hard_swish(ops);
        break;
    }
  }
  dnnl::primitive_attr attributes = strict_attributes();
  attributes.set_post_ops(ops);
  return attributes;
}

Status LinearAssembly::weights(const LinearWeights& weights, const onednn::Desc& wanted) {
  const Operand& operand = request_.input(1);
  PrimitiveArgument argument{DNNL_ARG_WEIGHTS, wanted, Source::kPacked, 1, nullptr};
  if (operand.constant == nullptr) {
    argument.source = Source::kInput;
    needs_[1] = InputNeed::plain();
  } else if (weights.scale == 1.0F && weights.plain == wanted) {
    argument.source = Source::kInput;  // as it lies in the graph
    needs_[1] = InputNeed::plain();
  } else if (weights.scale == 1.0F) {
    OCTET_ASSIGN(argument.packed, request_.weights.pack(operand, weights.plain, wanted));
  } else {
    auto tensor = ir::Tensor::zeros(ir::DType::kFloat32, operand.shape);
    if (!tensor.ok()) return tensor.error();
    const auto from = operand.constant->data<float>();
    std::transform(from.begin(), from.end(), tensor->mutable_data<float>().begin(),
                   [&](float x) { return x * weights.scale; });
    Operand scaled = operand;
    scaled.constant = std::make_shared<const ir::Tensor>(std::move(tensor).value());
    scaled.same_in_all_plans = false;
    OCTET_ASSIGN(argument.packed, request_.weights.pack(scaled, weights.plain, wanted));
  }
  arguments_.push_back(std::move(argument));
  return {};
}

Status LinearAssembly::bias(const std::optional<LinearBias>& bias) {
  if (!bias) return {};
  const Operand& operand = request_.input(bias->operand);
  const onednn::Desc desc = plain_desc(bias->dims);
  PrimitiveArgument argument{DNNL_ARG_BIAS, desc, Source::kInput, bias->operand, nullptr};
  if (operand.constant == nullptr || (bias->scale == 1.0F && operand.count() == bias->channels)) {
    needs_[bias->operand] = InputNeed::plain();
  } else {
    const float* from = operand.constant->data<float>().data();
    const bool one = operand.count() == 1;
    argument.source = Source::kPacked;
    OCTET_ASSIGN(argument.packed,
                 request_.weights.derive(operand, cat("bias ", bias->channels, " ", bias->scale),
                                         bias->channels, [&](float* to) {
                                           for (int64_t i = 0; i < bias->channels; ++i) {
                                             to[i] = from[one ? 0 : i] * bias->scale;
                                           }
                                         }));
  }
  arguments_.push_back(std::move(argument));
  return {};
}

void LinearAssembly::data(const onednn::Desc& src, const onednn::Desc& dst,
                          const onednn::Desc& scratch) {
  arguments_.push_back({DNNL_ARG_SRC, src, Source::kInput, 0, nullptr});
  arguments_.push_back({DNNL_ARG_DST, dst, Source::kOutput, 0, nullptr});
  arguments_.push_back({DNNL_ARG_SCRATCHPAD, scratch, Source::kScratch, 0, nullptr});
  scratch_bytes_ = static_cast<int64_t>(scratch.get_size());
  needs_[0] = InputNeed::in(src_);
}

KernelPtr LinearAssembly::finish(dnnl::primitive primitive, size_t threads) && {
  auto kernel =
      std::make_unique<OnednnKernel>(std::move(primitive), request_.engine, std::move(arguments_));
  kernel->run_on(threads);
  for (const PostOp& op : request_.post_ops) {
    if (op.kind != PostOp::Kind::kSum) continue;
    needs_[op.operand] = InputNeed::in(dst_);
    const auto stored = dst_.stored_elements(request_.outputs[0].count());
    kernel->accumulate_onto(op.operand, static_cast<size_t>(stored) * sizeof(float));
  }
  kernel->needs = std::move(needs_);
  kernel->output_layouts = {dst_};
  kernel->scratch_bytes = scratch_bytes_;
  return kernel;
}

}  // namespace octet::interpreter
