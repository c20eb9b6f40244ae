// Operators whose output depends on which elements are set, or sets some: NonZero, Compress,
// OneHot, EyeLike.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "compiler/base/checked.h"
#include "compiler/ops/packed.h"
#include "compiler/ops/shape_operands.h"
#include "compiler/ops/strided.h"

namespace octet::ops {
namespace {

Result<Facts> infer_non_zero(const InferContext& context) {
  const ir::Shape& x = context.shape(0);
  if (!x.has_rank()) return one_fact(DType::kInt64, unknown_shape(2));
  const auto rank = static_cast<int64_t>(std::max<size_t>(1, x.rank()));
  return one_fact(DType::kInt64, ir::Shape({ir::Dim(rank), ir::Dim()}));
}

// True when any bit is set that makes the element differ from zero (minus zero is zero).
Result<std::vector<bool>> set_elements(const Tensor& x) {
  OCTET_ASSIGN(const size_t width, element_width(x.dtype()));
  const bool signed_zero = numerics::is_floating_point(x.dtype());
  std::vector<bool> out(static_cast<size_t>(x.element_count()));
  for (size_t i = 0; i < out.size(); ++i) {
    const auto element = x.bytes().subspan(i * width, width);
    for (size_t b = 0; b < width; ++b) {
      const bool sign_byte = signed_zero && b + 1 == width;
      const auto bits = std::to_integer<unsigned>(element[b]);
      if ((sign_byte ? bits & 0x7FU : bits) != 0) out[i] = true;
    }
  }
  return out;
}

// The indices of the elements that are not zero, one column each; a scalar counts as a vector.
Result<Tensors> evaluate_non_zero(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  OCTET_ASSIGN(const std::vector<bool> set, set_elements(x));
  const int64_t count = std::count(set.begin(), set.end(), true);
  const std::vector<int64_t> shape = x.rank() == 0 ? std::vector<int64_t>{1} : x.shape();
  const auto rank = static_cast<int64_t>(shape.size());
  OCTET_ASSIGN(Tensor y, context.allocate(DType::kInt64, {rank, count}));
  const auto out = y.mutable_data<int64_t>();
  int64_t column = 0;
  for (size_t i = 0; i < set.size(); ++i) {
    if (!set[i]) continue;
    auto rest = static_cast<int64_t>(i);
    for (size_t a = shape.size(); a-- > 0;) {
      out[a * static_cast<size_t>(count) + static_cast<size_t>(column)] = rest % shape[a];
      rest /= shape[a];
    }
    ++column;
  }
  return one_tensor(std::move(y));
}

Result<Facts> infer_compress(const InferContext& context) {
  const ir::Shape& x = context.shape(0);
  OCTET_TRY(require_rank(context, 1, 1));
  if (!ir::has_attribute(context.node, "axis")) {
    return Facts{passed_through(context, unknown_shape(1))};
  }
  if (!x.has_rank()) return Facts{passed_through(context, x)};
  OCTET_ASSIGN(const int64_t axis,
               normalize_axis(ir::int_attribute(context.node, "axis", 0), x.rank()));
  std::vector<ir::Dim> dims = x.dims();
  dims[static_cast<size_t>(axis)] = ir::Dim();
  return Facts{passed_through(context, ir::Shape(std::move(dims)))};
}

// The slices along the axis (elements of the flattened input without one) whose condition holds.
Result<Tensors> evaluate_compress(const EvaluateContext& context) {
  OCTET_TRY(require_dtype(context, 1, DType::kBool));
  const bool flat = !ir::has_attribute(context.node, "axis");
  const Tensor x =
      flat ? context.input(0).reshaped({context.input(0).element_count()}) : context.input(0);
  OCTET_ASSIGN(const size_t width, element_width(x.dtype()));
  OCTET_ASSIGN(const int64_t signed_axis,
               normalize_axis(ir::int_attribute(context.node, "axis", 0), x.rank()));
  const auto axis = static_cast<size_t>(signed_axis);
  const auto condition = context.input(1).bytes();
  std::vector<int64_t> picked;
  for (size_t i = 0; i < condition.size(); ++i) {
    if (condition[i] == std::byte{0}) continue;
    if (static_cast<int64_t>(i) >= x.shape()[axis]) {
      return malformed("input 1: picks element ", i, " of an extent of ", x.shape()[axis]);
    }
    picked.push_back(static_cast<int64_t>(i));
  }
  std::vector<int64_t> shape = x.shape();
  shape[axis] = static_cast<int64_t>(picked.size());
  OCTET_ASSIGN(Tensor y, context.allocate(x.dtype(), shape));
  if (y.element_count() == 0) return one_tensor(std::move(y));
  const int64_t outer = *checked_product(std::span(shape).first(axis));
  const int64_t row = y.element_count() / (outer * shape[axis]) * static_cast<int64_t>(width);
  std::byte* to = writable_bytes(y);
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t index : picked) {
      std::memcpy(to, x.bytes().data() + (o * x.shape()[axis] + index) * row,
                  static_cast<size_t>(row));
      to += row;
    }
  }
  return one_tensor(std::move(y));
}

// The new axis counts from the end of the output, whose rank is one higher.
Result<Facts> infer_one_hot(const InferContext& context) {
  const ir::Shape& indices = context.shape(0);
  const DType dtype = context.type(2).storage;
  OCTET_TRY(require_rank(context, 2, 1));
  if (!indices.has_rank()) return one_fact(dtype, ir::Shape());
  OCTET_ASSIGN(const int64_t axis,
               normalize_axis(ir::int_attribute(context.node, "axis", -1), indices.rank() + 1));
  const auto depth = known_numbers(context, 1);
  std::vector<ir::Dim> dims = indices.dims();
  ir::Dim extent;
  if (depth && depth->size() == 1) {
    if (depth->front() < 0) return malformed("input 1: a depth of ", depth->front());
    extent = ir::Dim(depth->front());
  }
  dims.insert(dims.begin() + axis, extent);
  return one_fact(dtype, ir::Shape(std::move(dims)));
}

Result<int64_t> depth_of(const EvaluateContext& context) {
  const Tensor& tensor = context.input(1);
  if (tensor.element_count() != 1 || element_width(tensor.dtype()).ok() == false) {
    return malformed("input 1: ", tensor.type().to_string(), " where one number is needed");
  }
  const double depth = tensor.at_as_double(0);
  if (!(depth >= 0) || depth > 1e15) return malformed("input 1: a depth of ", depth);
  return static_cast<int64_t>(depth);
}

// Indices outside of [-depth, depth) give a row of off values.
Result<Tensors> evaluate_one_hot(const EvaluateContext& context) {
  const Tensor& indices = context.input(0);
  const Tensor& values = context.input(2);
  if (values.element_count() != 2) {
    return malformed("input 2: ", values.element_count(), " numbers, must be off and on");
  }
  OCTET_ASSIGN(const size_t width, element_width(values.dtype()));
  OCTET_TRY(element_width(indices.dtype()));
  OCTET_ASSIGN(const int64_t depth, depth_of(context));
  OCTET_ASSIGN(const int64_t axis,
               normalize_axis(ir::int_attribute(context.node, "axis", -1), indices.rank() + 1));
  std::vector<int64_t> shape = indices.shape();
  shape.insert(shape.begin() + axis, depth);
  OCTET_ASSIGN(Tensor y, context.allocate(values.dtype(), shape));
  if (y.element_count() == 0) return one_tensor(std::move(y));
  std::byte* to = writable_bytes(y);
  fill_elements(values.bytes().data(), width, y.element_count(), to);
  const int64_t inner =
      *checked_product(std::span(indices.shape()).subspan(static_cast<size_t>(axis)));
  for (int64_t i = 0; i < indices.element_count(); ++i) {
    const double number = indices.at_as_double(i);
    if (!(number >= -static_cast<double>(depth) && number < static_cast<double>(depth))) continue;
    auto hot = static_cast<int64_t>(number);
    if (hot < 0) hot += depth;
    const int64_t at = (i / inner * depth + hot) * inner + i % inner;
    std::memcpy(to + at * static_cast<int64_t>(width), values.bytes().data() + width, width);
  }
  return one_tensor(std::move(y));
}

Result<DType> eye_dtype(const ir::Node& node, DType input) {
  const int64_t dtype = ir::int_attribute(node, "dtype", static_cast<int64_t>(input));
  if (dtype < 0 || dtype > INT32_MAX || !numerics::is_known_dtype(static_cast<int32_t>(dtype))) {
    return malformed("attribute dtype: ", dtype, " is no element type");
  }
  return static_cast<DType>(dtype);
}

Result<Facts> infer_eye_like(const InferContext& context) {
  OCTET_TRY(require_rank(context, 0, 2));
  const DType input = context.type(0).storage;
  if (input == DType::kUndefined && !ir::has_attribute(context.node, "dtype")) {
    return one_fact(DType::kUndefined, context.shape(0));
  }
  OCTET_ASSIGN(const DType dtype, eye_dtype(context.node, input));
  return one_fact(dtype, context.shape(0));
}

// Ones on diagonal k of a matrix of the input's shape.
Result<Tensors> evaluate_eye_like(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  if (x.rank() != 2) return malformed("input 0: rank ", x.rank(), ", must be 2");
  OCTET_ASSIGN(const DType dtype, eye_dtype(context.node, x.dtype()));
  OCTET_TRY(element_width(dtype));
  OCTET_ASSIGN(Tensor y, context.allocate(dtype, x.shape()));
  const int64_t rows = x.shape()[0];
  const int64_t columns = x.shape()[1];
  const int64_t k = std::clamp(ir::int_attribute(context.node, "k", 0), -rows, columns);
  for (int64_t r = 0; r < rows; ++r) {
    if (r + k >= 0 && r + k < columns) y.set_from_double(r * columns + r + k, 1.0);
  }
  return one_tensor(std::move(y));
}

}  // namespace

OpSchema NonZero_schema() {
  return {.name = "NonZero", .since = 9, .infer = infer_non_zero, .evaluate = evaluate_non_zero};
}

OpSchema Compress_schema() {
  return {.name = "Compress",
          .since = 9,
          .roles = {Role::kData, Role::kIndex},
          .required = 2,
          .max_inputs = 2,
          .behaviour = QuantBehaviour::kPassesThrough,
          .infer = infer_compress,
          .evaluate = move_any_width<evaluate_compress>};
}

OpSchema OneHot_schema() {
  return {.name = "OneHot",
          .since = 9,
          .roles = {Role::kIndex, Role::kShape, Role::kParameter},
          .required = 3,
          .max_inputs = 3,
          .infer = infer_one_hot,
          .evaluate = evaluate_one_hot};
}

OpSchema EyeLike_schema() {
  return {.name = "EyeLike", .since = 9, .infer = infer_eye_like, .evaluate = evaluate_eye_like};
}

}  // namespace octet::ops
