// QLinearConcat: parts brought to the output's scale by a table, channels last where they come so.
#include <algorithm>
#include <cstring>

#include "compiler/interpreter/kernels/integer_operands.h"
#include "compiler/interpreter/kernels/look_up.h"
#include "compiler/ops/qlinear_table.h"

namespace octet::interpreter {
namespace {

constexpr size_t kFirstPart = 2;
constexpr size_t kOperandsPerPart = 3;

struct Part {
  size_t operand = 0;
  int64_t width = 0;  // bytes of one row of the part
  bool as_it_is = false;
  ops::ByteTable table = {};
};

class IntegerConcatKernel : public Kernel {
 public:
  IntegerConcatKernel(std::vector<Part> parts, int64_t rows)
      : parts_(std::move(parts)), rows_(rows) {}
  Status execute(const Execution& e) const override {
    uint8_t* to = e.output<uint8_t>();
    for (int64_t row = 0; row < rows_; ++row) {
      for (const Part& part : parts_) {
        const uint8_t* from = e.input<uint8_t>(part.operand) + row * part.width;
        if (part.as_it_is) {
          std::memcpy(to, from, static_cast<size_t>(part.width));
        } else {
          look_up(part.table, from, part.width, to);
        }
        to += part.width;
      }
    }
    return {};
  }

 private:
  std::vector<Part> parts_;
  int64_t rows_;
};

int64_t product(const std::vector<int64_t>& shape, size_t first, size_t last) {
  int64_t out = 1;
  for (size_t i = first; i < last; ++i) out *= shape[i];
  return out;
}

// Joining on the channel axis of rank 3 to 5, some part lying channels last.
bool joins_channels_last(const KernelRequest& request, size_t axis) {
  const size_t rank = request.outputs[0].shape.size();
  if (axis != 1 || rank < 3 || rank > 5) return false;
  for (size_t i = kFirstPart; i < request.inputs.size(); i += kOperandsPerPart) {
    if (request.input(i).layout.channel_block()) return true;
  }
  return false;
}

}  // namespace

Result<KernelPtr> make_integer_concat(const KernelRequest& request) {
  const Operand& y = request.outputs[0];
  const auto rank = static_cast<int64_t>(y.shape.size());
  int64_t axis = ir::int_attribute(request.node, "axis", 0);
  axis = axis < 0 ? axis + rank : axis;
  const auto range = output_range(request, 0, 1);
  if (!range || axis < 0 || axis >= rank) return KernelPtr();
  const auto at = static_cast<size_t>(axis);
  const bool last = joins_channels_last(request, at);
  const int64_t rows = last ? y.count() / y.shape[1] : product(y.shape, 0, at);
  std::vector<InputNeed> needs(request.inputs.size(), InputNeed::nothing());
  std::vector<Part> parts;
  for (size_t i = kFirstPart; i + 2 < request.inputs.size(); i += kOperandsPerPart) {
    const Operand& x = request.input(i);
    const auto given = scale_and_zero(request, i + 1, i + 2);
    if (!given || x.dtype != y.dtype || x.shape.size() != y.shape.size()) return KernelPtr();
    Part part{i, x.count() / rows};
    part.as_it_is = given->scale == range->scale && given->zero_point == range->range.zero_point;
    part.table =
        ops::byte_table({x.dtype, {}, given->scale, given->zero_point},
                        {y.dtype, range->scale, range->range}, [](float value) { return value; });
    parts.push_back(part);
    needs[i] = InputNeed::in(last ? integer_layout(x.shape) : Layout());
  }
  auto kernel = std::make_unique<IntegerConcatKernel>(std::move(parts), rows);
  kernel->needs = std::move(needs);
  kernel->output_layouts = {last ? integer_layout(y.shape) : Layout()};
  return KernelPtr(std::move(kernel));
}

}  // namespace octet::interpreter
