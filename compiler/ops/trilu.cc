// Trilu and ReverseSequence: parts of a matrix, and rows turned around.
#include <algorithm>
#include <cstring>

#include "compiler/ops/packed.h"
#include "compiler/ops/shape_operands.h"
#include "compiler/ops/strided.h"

namespace octet::ops {
namespace {

Result<Facts> infer_trilu(const InferContext& context) {
  const ir::Shape& x = context.shape(0);
  if (x.has_rank() && x.rank() < 2) {
    return malformed("input 0: rank ", x.rank(), "; at least 2 is needed");
  }
  return one_fact(context.type(0).storage, x);
}

// The upper (or lower) triangle of each matrix, diagonal k included; zeros elsewhere.
Result<Tensors> evaluate_trilu(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  OCTET_ASSIGN(const size_t width, element_width(x.dtype()));
  if (x.rank() < 2) return malformed("input 0: rank ", x.rank(), "; at least 2 is needed");
  int64_t k = 0;
  if (context.has_input(1)) {
    OCTET_ASSIGN(k, number_of(context, 1));
  }
  const bool upper = ir::int_attribute(context.node, "upper", 1) != 0;
  OCTET_ASSIGN(Tensor y, context.allocate(x.dtype(), x.shape()));
  if (x.element_count() == 0) return one_tensor(std::move(y));
  const int64_t rows = x.shape()[x.rank() - 2];
  const int64_t columns = x.shape()[x.rank() - 1];
  k = std::clamp(k, -rows, columns);
  const std::byte* from = x.bytes().data();
  std::byte* to = writable_bytes(y);
  const int64_t row_bytes = columns * static_cast<int64_t>(width);
  for (int64_t r = 0; r < x.element_count() / columns; ++r) {
    // The diagonal's column in this row.
    const int64_t diagonal = r % rows + k;
    const int64_t first = upper ? std::clamp<int64_t>(diagonal, 0, columns) : 0;
    const int64_t last = upper ? columns : std::clamp<int64_t>(diagonal + 1, 0, columns);
    const int64_t at = r * row_bytes + first * static_cast<int64_t>(width);
    std::memcpy(to + at, from + at, static_cast<size_t>(last - first) * width);
  }
  return one_tensor(std::move(y));
}

struct SequenceAxes {
  int64_t time = 0;
  int64_t batch = 1;
};

Result<SequenceAxes> sequence_axes(const ir::Node& node) {
  const SequenceAxes out = {ir::int_attribute(node, "time_axis", 0),
                            ir::int_attribute(node, "batch_axis", 1)};
  if ((out.time == 0 && out.batch == 1) || (out.time == 1 && out.batch == 0)) return out;
  return malformed("attributes time_axis and batch_axis are ", out.time, " and ", out.batch,
                   "; they must be 0 and 1");
}

Result<Facts> infer_reverse_sequence(const InferContext& context) {
  const ir::Shape& x = context.shape(0);
  OCTET_TRY(sequence_axes(context.node));
  OCTET_TRY(require_rank(context, 1, 1));
  if (x.has_rank() && x.rank() < 2) {
    return malformed("input 0: rank ", x.rank(), "; at least 2 is needed");
  }
  return Facts{passed_through(context, x)};
}

Result<Tensors> evaluate_reverse_sequence(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  OCTET_ASSIGN(const SequenceAxes axes, sequence_axes(context.node));
  OCTET_ASSIGN(const size_t width, element_width(x.dtype()));
  if (x.rank() < 2) return malformed("input 0: rank ", x.rank(), "; at least 2 is needed");
  const int64_t steps = x.shape()[static_cast<size_t>(axes.time)];
  const int64_t batch = x.shape()[static_cast<size_t>(axes.batch)];
  const Tensor& lengths = context.input(1);
  if (!numerics::is_integer(lengths.dtype()) || lengths.element_count() != batch) {
    return malformed("input 1: ", lengths.type().to_string(), " for a batch of ", batch);
  }
  OCTET_ASSIGN(Tensor y, context.allocate(x.dtype(), x.shape()));
  if (x.element_count() == 0) return one_tensor(std::move(y));
  const int64_t row = x.element_count() / (steps * batch) * static_cast<int64_t>(width);
  const int64_t time_stride = axes.time == 0 ? batch * row : row;
  const int64_t batch_stride = axes.batch == 0 ? steps * row : row;
  for (int64_t b = 0; b < batch; ++b) {
    const int64_t length = lengths.at_as_int64(b);
    if (length < 0 || length > steps) {
      return malformed("input 1: a length of ", length, " for ", steps, " steps");
    }
    for (int64_t t = 0; t < steps; ++t) {
      const int64_t source = t < length ? length - 1 - t : t;
      std::memcpy(writable_bytes(y) + t * time_stride + b * batch_stride,
                  x.bytes().data() + source * time_stride + b * batch_stride,
                  static_cast<size_t>(row));
    }
  }
  return one_tensor(std::move(y));
}

}  // namespace

OpSchema Trilu_schema() {
  return {.name = "Trilu",
          .since = 14,
          .roles = {Role::kData, Role::kShape},
          .max_inputs = 2,
          .behaviour = QuantBehaviour::kFloatOnly,
          .infer = infer_trilu,
          .evaluate = move_any_width<evaluate_trilu>};
}

OpSchema ReverseSequence_schema() {
  return {.name = "ReverseSequence",
          .since = 10,
          .roles = {Role::kData, Role::kIndex},
          .required = 2,
          .max_inputs = 2,
          .behaviour = QuantBehaviour::kPassesThrough,
          .infer = infer_reverse_sequence,
          .evaluate = evaluate_reverse_sequence};
}

}  // namespace octet::ops
