// Concat and Split: joining and cutting along one axis.
#include <cstring>

#include "compiler/base/checked.h"
#include "compiler/ops/packed.h"
#include "compiler/ops/shape_operands.h"
#include "compiler/ops/strided.h"

namespace octet::ops {
namespace {

Result<int64_t> concat_axis(const ir::Node& node, size_t rank) {
  if (!ir::has_attribute(node, "axis")) return malformed("attribute axis: missing");
  return normalize_axis(ir::int_attribute(node, "axis", 0), rank);
}

// Joins the shape of operand `i` into `dims`.
Status join_shape(const ir::Shape& shape, size_t axis, size_t i, std::vector<ir::Dim>& dims) {
  if (shape.rank() != dims.size()) {
    return malformed("input ", i, ": rank ", shape.rank(), " where input 0 has ", dims.size());
  }
  for (size_t a = 0; a < dims.size(); ++a) {
    if (a == axis) {
      dims[a] = dim_sum(dims[a], shape[a]);
    } else if (!dims[a].is_static()) {
      if (shape[a].is_static() || dims[a].is_unknown()) dims[a] = shape[a];
    } else if (shape[a].is_static() && shape[a] != dims[a]) {
      return malformed("input ", i, ": extent ", shape[a].extent(), " on axis ", a,
                       " where input 0 has ", dims[a].extent());
    }
  }
  return {};
}

std::optional<std::vector<ir::Dim>> joined_elements(const InferContext& context) {
  std::vector<ir::Dim> out;
  for (size_t i = 0; i < context.input_count(); ++i) {
    const auto elements = context.elements(i);
    if (!elements || out.size() + elements->size() > static_cast<size_t>(kMaxElements)) {
      return std::nullopt;
    }
    out.insert(out.end(), elements->begin(), elements->end());
  }
  return out;
}

bool one_quantization(const InferContext& context) {
  for (size_t i = 1; i < context.input_count(); ++i) {
    if (context.type(i).quant != context.type(0).quant) return false;
  }
  return true;
}

Result<Facts> infer_concat(const InferContext& context) {
  OCTET_ASSIGN(const DType dtype, common_dtype_of_all(context));
  for (size_t i = 0; i < context.input_count(); ++i) {
    if (!context.has_input(i)) return malformed("input ", i, " is missing");
    if (!context.shape(i).has_rank()) return one_fact(dtype, ir::Shape());
  }
  OCTET_ASSIGN(const int64_t axis, concat_axis(context.node, context.shape(0).rank()));
  std::vector<ir::Dim> dims = context.shape(0).dims();
  for (size_t i = 1; i < context.input_count(); ++i) {
    OCTET_TRY(join_shape(context.shape(i), static_cast<size_t>(axis), i, dims));
  }
  Facts out = one_fact(dtype, ir::Shape(std::move(dims)));
  if (one_quantization(context)) out[0] = passed_through(context, out[0].type.shape);
  if (context.shape(0).rank() == 1) keep_elements(out[0], joined_elements(context));
  return out;
}

// `outer` blocks of `block` bytes along an axis.
struct Blocks {
  int64_t outer = 1;
  int64_t inner = 1;  // bytes of one step along the axis
};

Blocks blocks_of(const std::vector<int64_t>& shape, size_t axis, size_t width) {
  Blocks out;
  out.inner = static_cast<int64_t>(width);
  for (size_t a = 0; a < axis; ++a) out.outer *= shape[a];
  for (size_t a = axis + 1; a < shape.size(); ++a) out.inner *= shape[a];
  return out;
}

Result<std::vector<int64_t>> concat_shape(const EvaluateContext& context, size_t axis) {
  std::vector<int64_t> shape = context.input(0).shape();
  for (size_t i = 1; i < context.inputs.size(); ++i) {
    if (!context.has_input(i)) return malformed("input ", i, " is missing");
    OCTET_TRY(require_dtype(context, i, context.input(0).dtype()));
    const std::vector<int64_t>& other = context.input(i).shape();
    bool fits = other.size() == shape.size();
    for (size_t a = 0; fits && a < shape.size(); ++a) fits = a == axis || other[a] == shape[a];
    if (!fits) {
      return malformed("input ", i, ": shape ", ir::Shape::of(other).to_string(), " does not join ",
                       ir::Shape::of(shape).to_string(), " on axis ", axis);
    }
    const auto sum = checked_add(shape[axis], other[axis]);
    if (!sum) return resource_limit("the joined axis is too long");
    shape[axis] = *sum;
  }
  return shape;
}

Result<Tensors> evaluate_concat(const EvaluateContext& context) {
  OCTET_ASSIGN(const size_t width, element_width(context.input(0).dtype()));
  OCTET_ASSIGN(const int64_t signed_axis, concat_axis(context.node, context.input(0).rank()));
  const auto axis = static_cast<size_t>(signed_axis);
  OCTET_ASSIGN(auto shape, concat_shape(context, axis));
  OCTET_ASSIGN(Tensor y, context.allocate(context.input(0).dtype(), shape));
  if (y.element_count() == 0) return one_tensor(std::move(y));
  const Blocks blocks = blocks_of(shape, axis, width);
  const int64_t row = blocks.inner * shape[axis];
  std::byte* to = writable_bytes(y);
  for (const Tensor* input : context.inputs) {
    const int64_t part = blocks.inner * input->shape()[axis];
    const std::byte* from = input->bytes().data();
    for (int64_t o = 0; part > 0 && o < blocks.outer; ++o) {
      std::memcpy(to + o * row, from + o * part, static_cast<size_t>(part));
    }
    to += part;
  }
  return one_tensor(std::move(y));
}

// Equal parts, the last one shorter where num_outputs (opset 18) does not divide the extent.
Result<std::vector<int64_t>> equal_parts(const ir::Node& node, int64_t extent) {
  const auto count = static_cast<int64_t>(node.outputs.size());
  const bool uneven = ir::has_attribute(node, "num_outputs");
  if (uneven && ir::int_attribute(node, "num_outputs", 0) != count) {
    return malformed("attribute num_outputs is ", ir::int_attribute(node, "num_outputs", 0),
                     " for ", count, " outputs");
  }
  if (count == 0 || (!uneven && extent % count != 0)) {
    return malformed("an extent of ", extent, " cannot be split into ", count, " equal parts");
  }
  const int64_t part = extent / count + (extent % count != 0 ? 1 : 0);
  std::vector<int64_t> parts(static_cast<size_t>(count), part);
  parts.back() = extent - part * (count - 1);
  if (parts.back() < 0) {
    return malformed("an extent of ", extent, " cannot be split into ", count, " parts");
  }
  return parts;
}

Status check_parts(const ir::Node& node, const std::vector<int64_t>& parts) {
  if (parts.size() != node.outputs.size()) {
    return malformed("split: ", parts.size(), " parts for ", node.outputs.size(), " outputs");
  }
  for (int64_t part : parts) {
    if (part < 0) return malformed("split: a part of ", part);
  }
  return {};
}

Status check_sum(const std::vector<int64_t>& parts, int64_t extent) {
  int64_t rest = extent;
  for (int64_t part : parts) {
    if (part > rest) return malformed("split: the parts add up to more than ", extent);
    rest -= part;
  }
  if (rest == 0) return {};
  return malformed("split: the parts add up to ", extent - rest, " of ", extent);
}

Result<Facts> infer_split(const InferContext& context) {
  const InferredList given = list_of(context, 13, "split", 1);
  const ir::Shape& x = context.shape(0);
  if (given.given && given.values) OCTET_TRY(check_parts(context.node, *given.values));
  if (!x.has_rank()) return Facts(context.node.outputs.size(), passed_through(context, x));
  OCTET_ASSIGN(const int64_t axis,
               normalize_axis(ir::int_attribute(context.node, "axis", 0), x.rank()));
  const ir::Dim& extent = x[static_cast<size_t>(axis)];
  std::optional<std::vector<int64_t>> parts = given.values;
  if (!given.given && extent.is_static()) {
    OCTET_ASSIGN(parts, equal_parts(context.node, extent.extent()));
  }
  if (parts && extent.is_static()) OCTET_TRY(check_sum(*parts, extent.extent()));
  const auto elements = context.elements(0);
  Facts out;
  size_t begin = 0;
  for (size_t i = 0; i < context.node.outputs.size(); ++i) {
    std::vector<ir::Dim> dims = x.dims();
    dims[static_cast<size_t>(axis)] = parts ? ir::Dim((*parts)[i]) : ir::Dim();
    out.push_back(passed_through(context, ir::Shape(std::move(dims))));
    if (!parts || !elements || x.rank() != 1) continue;
    const size_t end = begin + static_cast<size_t>((*parts)[i]);
    if (end > elements->size()) continue;
    keep_elements(out.back(), std::vector<ir::Dim>(elements->begin() + static_cast<long>(begin),
                                                   elements->begin() + static_cast<long>(end)));
    begin = end;
  }
  return out;
}

Result<Tensors> evaluate_split(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  OCTET_ASSIGN(const size_t width, element_width(x.dtype()));
  OCTET_ASSIGN(const int64_t signed_axis,
               normalize_axis(ir::int_attribute(context.node, "axis", 0), x.rank()));
  const auto axis = static_cast<size_t>(signed_axis);
  OCTET_ASSIGN(const EvaluatedList given, list_of(context, 13, "split", 1));
  std::vector<int64_t> parts = given.values;
  if (!given.given) {
    OCTET_ASSIGN(parts, equal_parts(context.node, x.shape()[axis]));
  }
  OCTET_TRY(check_parts(context.node, parts));
  OCTET_TRY(check_sum(parts, x.shape()[axis]));
  const Blocks blocks = x.element_count() > 0 ? blocks_of(x.shape(), axis, width) : Blocks{0, 0};
  const int64_t row = blocks.inner * x.shape()[axis];
  const std::byte* from = x.bytes().data();
  Tensors outputs;
  for (int64_t extent : parts) {
    std::vector<int64_t> shape = x.shape();
    shape[axis] = extent;
    OCTET_ASSIGN(Tensor y, context.allocate(x.dtype(), std::move(shape)));
    const int64_t part = blocks.inner * extent;
    std::byte* to = writable_bytes(y);
    for (int64_t o = 0; part > 0 && o < blocks.outer; ++o) {
      std::memcpy(to + o * part, from + o * row, static_cast<size_t>(part));
    }
    if (part > 0) from += part;
    outputs.push_back(std::move(y));
  }
  return outputs;
}

}  // namespace

OpSchema Concat_schema() {
  return {.name = "Concat",
          .max_inputs = SIZE_MAX,
          .behaviour = QuantBehaviour::kSameScale,
          .infer = infer_concat,
          .evaluate = move_any_width<evaluate_concat>};
}

OpSchema Split_schema() {
  return {.name = "Split",
          .roles = {Role::kData, Role::kShape},
          .max_inputs = 2,
          .behaviour = QuantBehaviour::kPassesThrough,
          .infer = infer_split,
          .evaluate = move_any_width<evaluate_split>};
}

}  // namespace octet::ops
