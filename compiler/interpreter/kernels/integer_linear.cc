#include "compiler/interpreter/kernels/integer_linear.h"

#include <algorithm>

namespace octet::interpreter {
namespace {

constexpr int64_t kAlignment = 64;

int64_t aligned(int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

// The primitive writes sums into scratch memory; the output stage reads them there.
class IntegerLinearKernel : public Kernel {
 public:
  IntegerLinearKernel(OnednnKernel products, int64_t sums, OutputStage stage)
      : products_(std::move(products)), sums_(sums), stage_(std::move(stage)) {}

  std::unique_ptr<KernelState> make_state() const override { return products_.make_state(); }

  Status execute(const Execution& e) const override {
    auto* sums = reinterpret_cast<int32_t*>(e.scratch);
    std::byte* const to = e.scratch;
    std::byte* rest = e.scratch + aligned(sums_ * static_cast<int64_t>(sizeof(int32_t)));
    OCTET_TRY(products_.execute({e.inputs, {&to, 1}, rest, e.state, e.stream}));
    const std::span<const int32_t> all(sums, static_cast<size_t>(sums_));
    const numerics::Requantization& r = stage_.requantization;
    if (stage_.kind == OutputStage::Kind::kRequantize) {
      numerics::requantize_rows(all, r, {e.output<uint8_t>(), all.size()});
    } else {
      numerics::dequantize_rows(all, r.multipliers, r.bias, {e.output<float>(), all.size()});
    }
    return {};
  }

 private:
  OnednnKernel products_;
  int64_t sums_;
  OutputStage stage_;
};

Result<ChargedMemoryPtr> one_integer(MemoryBudget& budget, int32_t value) {
  OCTET_ASSIGN(ChargedMemoryPtr memory, ChargedMemory::make(budget, sizeof(int32_t)));
  *reinterpret_cast<int32_t*>(memory->data()) = value;
  return memory;
}

}  // namespace

bool has_exact_integer_products() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512vnni") != 0;
#else
  return false;
#endif
}

dnnl::primitive_attr integer_attributes(int32_t source_zero_point) {
  dnnl::primitive_attr attributes = strict_attributes();
  if (source_zero_point != 0) onednn::set_source_zero_point(attributes);
  return attributes;
}

std::optional<std::vector<int32_t>> integer_bias(const KernelRequest& request, size_t operand,
                                                 int64_t channels) {
  if (!request.has_input(operand)) return std::vector<int32_t>();
  const Operand& bias = request.input(operand);
  if (bias.constant == nullptr || bias.dtype != ir::DType::kInt32) return std::nullopt;
  const auto values = bias.constant->data<int32_t>();
  std::vector<int32_t> out(values.begin(), values.end());
  if (out.size() == 1) out.resize(static_cast<size_t>(channels), out.front());
  if (static_cast<int64_t>(out.size()) != channels) return std::nullopt;
  return out;
}

Result<KernelPtr> make_integer_linear(const KernelRequest& request,
                                      const IntegerLinearOperands& operands,
                                      IntegerLinearParts parts, OutputStage stage) {
  using Source = PrimitiveArgument::Source;
  OCTET_ASSIGN(
      ChargedMemoryPtr packed,
      request.weights.pack(request.input(operands.weight), parts.weights_as_stored, parts.weights));
  std::vector<PrimitiveArgument> arguments = {
      {DNNL_ARG_SRC, parts.src, Source::kInput, operands.data, nullptr},
      {DNNL_ARG_WEIGHTS, parts.weights, Source::kPacked, 0, std::move(packed)},
      {DNNL_ARG_DST, parts.sums, Source::kOutput, 0, nullptr},
      {DNNL_ARG_SCRATCHPAD, parts.scratch, Source::kScratch, 0, nullptr}};
  if (parts.source_zero_point != 0) {
    OCTET_ASSIGN(ChargedMemoryPtr zero,
                 one_integer(request.weights.budget(), parts.source_zero_point));
    const onednn::Desc one({1}, dnnl::memory::data_type::s32, dnnl::memory::format_tag::x);
    arguments.push_back(
        {DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_SRC, one, Source::kPacked, 0, std::move(zero)});
  }
  OnednnKernel products(std::move(parts.primitive), request.engine, std::move(arguments));
  products.run_on(parts.threads);
  const int64_t count = request.outputs[0].count();
  auto kernel = std::make_unique<IntegerLinearKernel>(std::move(products), count, std::move(stage));
  kernel->scratch_bytes = aligned(count * static_cast<int64_t>(sizeof(int32_t))) +
                          static_cast<int64_t>(parts.scratch.get_size());
  kernel->needs.assign(request.inputs.size(), InputNeed::nothing());
  kernel->needs[operands.data] = InputNeed::in(parts.src_layout);
  kernel->output_layouts = {parts.dst_layout};
  return KernelPtr(std::move(kernel));
}

}  // namespace octet::interpreter
