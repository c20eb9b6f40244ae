// QLinearAdd, QLinearMul, and functions of one 8-bit number by a table of 256 results.
#include <algorithm>
#include <array>

#include "compiler/base/vectorized.h"
#include "compiler/interpreter/kernels/integer_operands.h"
#include "compiler/interpreter/kernels/look_up.h"
#include "compiler/ops/broadcast.h"
#include "compiler/ops/qlinear_table.h"

namespace octet::interpreter {
namespace {

// Tables.

class TableKernel : public Kernel {
 public:
  TableKernel(const ops::ByteTable& table, int64_t count) : table_(table), count_(count) {
    in_place = {0};
  }
  Status execute(const Execution& e) const override {
    look_up(table_, e.input<uint8_t>(0), count_, e.output<uint8_t>());
    return {};
  }

 private:
  ops::ByteTable table_;
  int64_t count_;
};

// Two operands.

// int8 by its bits, shifted so that both types are one loop: the number is byte ^ flip less offset.
struct ByteForm {
  uint8_t flip = 0;
  int32_t offset = 0;
  static ByteForm of(ir::DType dtype) {
    return dtype == ir::DType::kInt8 ? ByteForm{0x80, 128} : ByteForm{};
  }
  OCTET_INLINE int32_t value(uint8_t byte) const {
    return static_cast<int32_t>(static_cast<uint8_t>(byte ^ flip)) - offset;
  }
};

template <typename Formula>
OCTET_INLINE void combine(const Formula& formula, const ByteForm& form, const uint8_t* a,
                          int64_t a_step, const uint8_t* b, int64_t b_step, int64_t count,
                          const numerics::QuantizedRange& range, uint8_t* y) {
  for (int64_t i = 0; i < count; ++i) {
    const float steps = formula(form.value(a[i * a_step]), form.value(b[i * b_step]));
    y[i] = static_cast<uint8_t>(numerics::round_saturated_finite(steps, range));
  }
}

// One loop per way of stepping, so that each becomes vector code.
template <typename Formula>
OCTET_INLINE void combine_any(const Formula& formula, const ByteForm& form, const uint8_t* a,
                              int64_t a_step, const uint8_t* b, int64_t b_step, int64_t count,
                              const numerics::QuantizedRange& range, uint8_t* y) {
  if (a_step == 1 && b_step == 1) {
    combine(formula, form, a, 1, b, 1, count, range, y);
  } else if (a_step == 1) {
    combine(formula, form, a, 1, b, 0, count, range, y);
  } else {
    combine(formula, form, a, 0, b, 1, count, range, y);
  }
}

// std::fma is an instruction from x86-64-v3 on, and a call below.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define OCTET_VECTORIZED_FUSED \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define OCTET_VECTORIZED_FUSED
#endif

OCTET_VECTORIZED_FUSED void add(const numerics::QuantizedAdd& formula, const ByteForm& form,
                                const uint8_t* a, int64_t a_step, const uint8_t* b, int64_t b_step,
                                int64_t count, const numerics::QuantizedRange& range, uint8_t* y) {
  combine_any(formula, form, a, a_step, b, b_step, count, range, y);
}

OCTET_VECTORIZED void multiply(const numerics::QuantizedMul& formula, const ByteForm& form,
                               const uint8_t* a, int64_t a_step, const uint8_t* b, int64_t b_step,
                               int64_t count, const numerics::QuantizedRange& range, uint8_t* y) {
  combine_any(formula, form, a, a_step, b, b_step, count, range, y);
}

void run(const numerics::QuantizedAdd& formula, const ByteForm& form, const uint8_t* a,
         int64_t a_step, const uint8_t* b, int64_t b_step, int64_t count,
         const numerics::QuantizedRange& range, uint8_t* y) {
  add(formula, form, a, a_step, b, b_step, count, range, y);
}
void run(const numerics::QuantizedMul& formula, const ByteForm& form, const uint8_t* a,
         int64_t a_step, const uint8_t* b, int64_t b_step, int64_t count,
         const numerics::QuantizedRange& range, uint8_t* y) {
  multiply(formula, form, a, a_step, b, b_step, count, range, y);
}

// Operands in memory order: over the whole tensor, or row by row.
template <typename Formula>
class BinaryKernel : public Kernel {
 public:
  // `operands`: which two inputs the formula takes, in its order.
  BinaryKernel(const Formula& formula, ir::DType dtype, numerics::QuantizedRange range,
               ops::BroadcastPlan<2> plan, std::array<size_t, 2> operands)
      : formula_(formula),
        form_(ByteForm::of(dtype)),
        range_(range),
        plan_(std::move(plan)),
        operands_(operands) {}

  Status execute(const Execution& e) const override {
    const uint8_t* a = e.input<uint8_t>(operands_[0]);
    const uint8_t* b = e.input<uint8_t>(operands_[1]);
    uint8_t* y = e.output<uint8_t>();
    ops::for_each_run(plan_, [&](int64_t to, const std::array<int64_t, 2>& from) {
      run(formula_, form_, a + from[0], plan_.run_stride[0], b + from[1], plan_.run_stride[1],
          plan_.run, range_, y + to);
    });
    return {};
  }

 private:
  Formula formula_;
  ByteForm form_;
  numerics::QuantizedRange range_;
  ops::BroadcastPlan<2> plan_;
  std::array<size_t, 2> operands_;
};

bool is_channels_last(const Operand& x) {
  return x.shape.size() >= 3 && x.shape.size() <= 5 && x.layout.channel_block() == x.shape[1];
}

template <typename Formula>
Result<KernelPtr> make_binary(const KernelRequest& request) {
  if (!request.has_input(3) || request.device.is_fixed_point() || request.device.is_neon()) {
    return KernelPtr();
  }
  const Operand& y = request.outputs[0];
  // The order of summing follows the row-major shapes, whatever the layout.
  std::array<size_t, 2> operands = {0, 3};
  if (ops::first_stands_still(
          ops::make_broadcast_plan<2>(y.shape, {request.input(0).shape, request.input(3).shape}))) {
    std::swap(operands[0], operands[1]);
  }
  const Operand& a = request.input(operands[0]);
  const Operand& b = request.input(operands[1]);
  const auto a_given = scale_and_zero(request, operands[0] + 1, operands[0] + 2);
  const auto b_given = scale_and_zero(request, operands[1] + 1, operands[1] + 2);
  const auto range = output_range(request, 6, 7);
  if (!a_given || !b_given || !range || a.dtype != y.dtype || b.dtype != y.dtype) {
    return KernelPtr();
  }
  // Channels last where one operand comes so and both have the output's rank: memory order then
  // broadcasts as the axes do.
  const size_t rank = y.shape.size();
  const bool same_rank = a.shape.size() == rank && b.shape.size() == rank;
  const bool last = same_rank && (is_channels_last(a) || is_channels_last(b));
  const auto layout = [&](const Operand& x) { return last ? integer_layout(x.shape) : Layout(); };
  const auto order = [&](const Operand& x) {
    std::vector<int64_t> shape = x.shape;
    if (last) std::rotate(shape.begin() + 1, shape.begin() + 2, shape.end());
    return shape;
  };
  const Formula formula(a_given->scale, a_given->zero_point, b_given->scale, b_given->zero_point,
                        range->scale, range->range.zero_point);
  auto kernel = std::make_unique<BinaryKernel<Formula>>(
      formula, y.dtype, range->range, ops::make_broadcast_plan<2>(order(y), {order(a), order(b)}),
      operands);
  kernel->needs.assign(request.inputs.size(), InputNeed::nothing());
  kernel->needs[operands[0]] = InputNeed::in(layout(a));
  kernel->needs[operands[1]] = InputNeed::in(layout(b));
  kernel->output_layouts = {layout(y)};
  return KernelPtr(std::move(kernel));
}

}  // namespace

Result<KernelPtr> make_integer_binary(const KernelRequest& request) {
  return request.node.op_type == "QLinearAdd" ? make_binary<numerics::QuantizedAdd>(request)
                                              : make_binary<numerics::QuantizedMul>(request);
}

Result<KernelPtr> make_integer_unary(const KernelRequest& request) {
  const Operand& x = request.input(0);
  const auto given = scale_and_zero(request, 1, 2);
  const auto y = output_range(request, 3, 4);
  if (!given || !y || !is_byte(x.dtype) || x.dtype != request.outputs[0].dtype) {
    return KernelPtr();
  }
  const ops::ByteTable table =
      ops::unary_table(request.node, {x.dtype, {}, given->scale, given->zero_point},
                       {request.outputs[0].dtype, y->scale, y->range});
  const Layout layout = is_channels_last(x) ? x.layout : Layout();
  auto kernel = std::make_unique<TableKernel>(table, x.count());
  kernel->needs.assign(request.inputs.size(), InputNeed::nothing());
  kernel->needs[0] = InputNeed::in(layout);
  kernel->output_layouts = {layout};
  return KernelPtr(std::move(kernel));
}

}  // namespace octet::interpreter
