#include "compiler/interpreter/kernels/integer_linear.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "compiler/numerics/quantize.h"
#include "compiler/ops/broadcast.h"

namespace octet::interpreter {
namespace {

constexpr int64_t kAlignment = 64;

int64_t aligned(int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

// What a kernel keeps in scratch memory, in this order; the primitive's own comes last.
struct ScratchPlan {
  int64_t source = 0;  // floats, none where products are of integers
  int64_t sums = 0;
  int64_t row = 0;  // bytes, for pairs that saturate
  int64_t source_bytes() const { return aligned(source * static_cast<int64_t>(sizeof(float))); }
  int64_t sums_bytes() const { return aligned(sums * static_cast<int64_t>(sizeof(int32_t))); }
  int64_t row_bytes() const { return aligned(row); }
  int64_t bytes() const { return source_bytes() + sums_bytes() + row_bytes(); }
};

// How to read the source as floats.
struct FloatSource {
  size_t operand = 0;
  ir::DType dtype = ir::DType::kUint8;
  int32_t zero_point = 0;

  void read(const Execution& e, std::span<float> to) const {
    if (dtype == ir::DType::kInt8) {
      numerics::dequantize({e.input<int8_t>(operand), to.size()}, 1.0F, zero_point, to);
    } else {
      numerics::dequantize({e.input<uint8_t>(operand), to.size()}, 1.0F, zero_point, to);
    }
  }
};

// The primitive writes sums into scratch memory; the output stage reads them there.
class IntegerLinearKernel : public Kernel {
 public:
  IntegerLinearKernel(OnednnKernel products, size_t data, ScratchPlan plan,
                      std::optional<FloatSource> source, IntegerLinearOutput output)
      : products_(std::move(products)),
        data_(data),
        plan_(plan),
        source_(source),
        range_(output.range),
        pair_errors_(std::move(output.pair_errors)),
        is_fixed_point_(!output.fixed.empty()),
        fixed_stage_(std::move(output.fixed), output.bias),
        stage_(std::move(output.multipliers), std::move(output.bias)) {}

  std::unique_ptr<KernelState> make_state() const override { return products_.make_state(); }

  Status execute(const Execution& e) const override {
    std::byte* const sums_at = e.scratch + plan_.source_bytes();
    std::byte* const row_at = sums_at + plan_.sums_bytes();
    std::byte* const rest = row_at + plan_.row_bytes();
    auto* sums = reinterpret_cast<int32_t*>(sums_at);
    if (source_) {
      source_->read(e, {reinterpret_cast<float*>(e.scratch), static_cast<size_t>(plan_.source)});
      const std::byte* const source = e.scratch;
      OCTET_TRY(products_.execute({{&source, 1}, {&sums_at, 1}, rest, e.state, e.stream}));
      for (int64_t i = 0; i < plan_.sums; ++i) {
        float sum = 0.0F;
        std::memcpy(&sum, sums + i, sizeof(sum));
        sums[i] = static_cast<int32_t>(sum);
      }
    } else {
      OCTET_TRY(products_.execute({e.inputs, {&sums_at, 1}, rest, e.state, e.stream}));
    }
    const std::span<int32_t> all(sums, static_cast<size_t>(plan_.sums));
    pair_errors_.add(e.input<uint8_t>(data_), row_at, all);
    if (range_ && is_fixed_point_) {
      fixed_stage_.requantize(all, *range_, {e.output<uint8_t>(), all.size()});
    } else if (range_) {
      stage_.requantize(all, *range_, {e.output<uint8_t>(), all.size()});
    } else {
      stage_.dequantize(all, {e.output<float>(), all.size()});
    }
    return {};
  }

 private:
  OnednnKernel products_;
  size_t data_;
  ScratchPlan plan_;
  std::optional<FloatSource> source_;
  std::optional<numerics::QuantizedRange> range_;
  PairErrors pair_errors_;
  bool is_fixed_point_;
  numerics::FixedPointStage fixed_stage_;
  numerics::OutputStage stage_;
};

Result<ChargedMemoryPtr> integers(MemoryBudget& budget, std::span<const int32_t> values) {
  OCTET_ASSIGN(ChargedMemoryPtr memory,
               ChargedMemory::make(budget, static_cast<int64_t>(values.size_bytes())));
  std::memcpy(memory->data(), values.data(), values.size_bytes());
  return memory;
}

}  // namespace

namespace {

// oneDNN's instruction sets are sets of bits.
bool has_isa(dnnl::cpu_isa wanted) {
  const auto bits = static_cast<unsigned>(wanted);
  return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & bits) == bits;
}

// Calls visit(channel, weight) for all weights.
template <typename Visit>
void for_each_weight(const ir::Tensor& weights, int64_t axis, Visit visit) {
  const std::vector<int64_t>& shape = weights.shape();
  const auto at = static_cast<size_t>(axis);
  int64_t inner = 1;
  for (size_t a = at + 1; a < shape.size(); ++a) inner *= shape[a];
  const auto values = weights.data<int8_t>();
  for (size_t i = 0; i < values.size(); ++i) {
    visit(static_cast<size_t>(static_cast<int64_t>(i) / inner % shape[at]), int64_t{values[i]});
  }
}

// True when all sums of an output channel, in any order and with its bias, are exact in float32.
bool sums_fit_floats(const ir::Tensor& weights, int64_t axis, int64_t greatest_input,
                     const std::vector<int32_t>& bias) {
  constexpr int64_t kExactFloats = int64_t{1} << 24;
  std::vector<int64_t> sums(static_cast<size_t>(weights.shape()[static_cast<size_t>(axis)]), 0);
  for_each_weight(weights, axis, [&](size_t channel, int64_t weight) {
    sums[channel] += std::abs(weight) * greatest_input;
  });
  for (size_t c = 0; c < sums.size(); ++c) {
    const int64_t added = c < bias.size() ? std::abs(int64_t{bias[c]}) : 0;
    if (sums[c] + added >= kExactFloats) return false;
  }
  return true;
}

bool has_integers(Products products) { return products != Products::kFloat; }

}  // namespace

std::optional<Products> exact_products(const ir::Tensor& weights, int64_t axis, ir::DType x_dtype,
                                       int32_t x_zero, const IntegerLinearOutput& output) {
  const numerics::IntegerRange range = numerics::integer_range(x_dtype);
  const int64_t greatest = std::max<int64_t>(range.max - x_zero, x_zero - range.min);
  const bool fit = sums_fit_floats(weights, axis, greatest, output.bias);
  if (!has_isa(dnnl::cpu_isa::avx512_core_vnni)) {
    return fit ? std::optional(Products::kFloat) : std::nullopt;
  }
  const bool to_bytes = onednn::kScalesOutputsAfterBias && fit && output.is_plain() &&
                        output.range.has_value() && output.range->zero_point == 0;
  return to_bytes ? Products::kIntegerToBytes : Products::kInteger;
}

std::optional<Products> fold_zero_point(const ir::Tensor& weights, int64_t axis, ir::DType x_dtype,
                                        int32_t& zero_point, IntegerLinearOutput& output) {
  const auto given = exact_products(weights, axis, x_dtype, zero_point, output);
  if (!given || !has_integers(*given) || zero_point == 0) return given;
  std::vector<int64_t> sums(output.multipliers.size(), 0);
  for_each_weight(weights, axis, [&](size_t channel, int64_t weight) { sums[channel] += weight; });
  output.bias.resize(sums.size(), 0);
  for (size_t c = 0; c < sums.size(); ++c) {
    const int64_t shift = sums[c] * zero_point;
    output.bias[c] = static_cast<int32_t>(static_cast<uint32_t>(output.bias[c]) -
                                          static_cast<uint32_t>(static_cast<uint64_t>(shift)));
  }
  zero_point = 0;
  return exact_products(weights, axis, x_dtype, 0, output);
}

ProductTypes product_types(Products products, ir::DType x_dtype, ir::DType y_dtype) {
  using Type = dnnl::memory::data_type;
  const auto byte = [](ir::DType dtype) { return dtype == ir::DType::kInt8 ? Type::s8 : Type::u8; };
  switch (products) {
    case Products::kFloat:
      return {Type::f32, Type::f32, Type::f32};
    case Products::kInteger:
      return {byte(x_dtype), Type::s8, Type::s32};
    case Products::kIntegerToBytes:
      return {byte(x_dtype), Type::s8, byte(y_dtype)};
  }
  return {};
}

std::optional<onednn::Desc> product_bias(Products products, const IntegerLinearOutput& output,
                                         size_t rank) {
  if (products != Products::kIntegerToBytes || output.bias.empty()) return std::nullopt;
  onednn::Dims dims(rank, 1);
  dims.back() = static_cast<int64_t>(output.bias.size());
  return onednn::Desc(dims, dnnl::memory::data_type::s32, ops::row_major_strides(dims));
}

dnnl::primitive_attr integer_attributes(Products products, int32_t source_zero_point,
                                        const IntegerLinearOutput& output) {
  dnnl::primitive_attr attributes = strict_attributes();
  if (has_integers(products) && source_zero_point != 0) onednn::set_source_zero_point(attributes);
  if (products == Products::kIntegerToBytes) {
    onednn::set_output_scales(attributes, output.multipliers);
  }
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
                                      IntegerLinearParts parts, IntegerLinearOutput output) {
  using Source = PrimitiveArgument::Source;
  const Operand& x = request.input(operands.data);
  const bool floats = parts.products == Products::kFloat;
  MemoryBudget& budget = request.weights.budget();
  OCTET_ASSIGN(
      ChargedMemoryPtr packed,
      request.weights.pack(request.input(operands.weight), parts.weights_as_stored, parts.weights));
  std::vector<PrimitiveArgument> arguments = {
      {DNNL_ARG_SRC, parts.src, Source::kInput, floats ? 0 : operands.data, nullptr},
      {DNNL_ARG_WEIGHTS, parts.weights, Source::kPacked, 0, std::move(packed)},
      {DNNL_ARG_DST, parts.dst, Source::kOutput, 0, nullptr},
      {DNNL_ARG_SCRATCHPAD, parts.scratch, Source::kScratch, 0, nullptr}};
  if (!floats && parts.source_zero_point != 0) {
    OCTET_ASSIGN(ChargedMemoryPtr zero, integers(budget, {&parts.source_zero_point, 1}));
    const onednn::Desc one({1}, dnnl::memory::data_type::s32, dnnl::memory::format_tag::x);
    arguments.push_back(
        {DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_SRC, one, Source::kPacked, 0, std::move(zero)});
  }
  if (parts.bias) {
    OCTET_ASSIGN(ChargedMemoryPtr added, integers(budget, output.bias));
    arguments.push_back({DNNL_ARG_BIAS, *parts.bias, Source::kPacked, 0, std::move(added)});
  }
  OnednnKernel products(std::move(parts.primitive), request.engine, std::move(arguments));
  products.run_on(parts.threads);
  KernelPtr kernel;
  if (parts.products == Products::kIntegerToBytes) {
    kernel = std::make_unique<OnednnKernel>(std::move(products));
  } else {
    const ScratchPlan plan{floats ? x.count() : 0, request.outputs[0].count(),
                           output.pair_errors.scratch_bytes()};
    std::optional<FloatSource> source;
    if (floats) source = FloatSource{operands.data, x.dtype, parts.source_zero_point};
    kernel = std::make_unique<IntegerLinearKernel>(std::move(products), operands.data, plan, source,
                                                   std::move(output));
    kernel->scratch_bytes = plan.bytes();
  }
  kernel->scratch_bytes += static_cast<int64_t>(parts.scratch.get_size());
  kernel->needs.assign(request.inputs.size(), InputNeed::nothing());
  kernel->needs[operands.data] = InputNeed::in(parts.src_layout);
  kernel->output_layouts = {parts.dst_layout};
  return kernel;
}

}  // namespace octet::interpreter
