// Operators that compute with shapes, or make tensors from them: Shape, Size, Constant,
// ConstantOfShape, Range, Dropout (which is the identity outside of training).
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "compiler/base/checked.h"
#include "compiler/ops/shape_operands.h"
#include "compiler/ops/strided.h"

namespace octet::ops {
namespace {

// Axes [first, last) that the attributes start and end (opset 15) ask for, clamped.
struct AxisRange {
  size_t first = 0;
  size_t last = 0;
};

AxisRange shape_range(const ir::Node& node, int64_t opset, size_t rank) {
  const auto count = static_cast<int64_t>(rank);
  if (opset < 15) return {0, rank};
  const auto clamped = [&](std::string_view name, int64_t fallback) {
    const int64_t axis = ir::int_attribute(node, name, fallback);
    return static_cast<size_t>(std::clamp<int64_t>(axis < 0 ? axis + count : axis, 0, count));
  };
  AxisRange out = {clamped("start", 0), clamped("end", count)};
  out.last = std::max(out.first, out.last);
  return out;
}

Result<Facts> infer_shape(const InferContext& context) {
  const ir::Shape& x = context.shape(0);
  if (!x.has_rank()) return one_fact(DType::kInt64, unknown_shape(1));
  const AxisRange range = shape_range(context.node, context.opset(), x.rank());
  std::vector<ir::Dim> dims(x.dims().begin() + static_cast<std::ptrdiff_t>(range.first),
                            x.dims().begin() + static_cast<std::ptrdiff_t>(range.last));
  Facts out = one_fact(DType::kInt64, ir::Shape({ir::Dim(static_cast<int64_t>(dims.size()))}));
  keep_elements(out[0], std::move(dims));
  return out;
}

Result<Tensors> evaluate_shape(const EvaluateContext& context) {
  const std::vector<int64_t>& x = context.input(0).shape();
  const AxisRange range = shape_range(context.node, context.opset, x.size());
  OCTET_ASSIGN(Tensor y,
               context.allocate(DType::kInt64, {static_cast<int64_t>(range.last - range.first)}));
  std::copy(x.begin() + static_cast<std::ptrdiff_t>(range.first),
            x.begin() + static_cast<std::ptrdiff_t>(range.last), y.mutable_data<int64_t>().begin());
  return one_tensor(std::move(y));
}

Result<Facts> infer_size(const InferContext& context) {
  Facts out = one_fact(DType::kInt64, ir::Shape(std::vector<ir::Dim>()));
  const ir::Shape& x = context.shape(0);
  if (!x.has_rank()) return out;
  ir::Dim count = 1;
  for (const ir::Dim& dim : x.dims()) count = dim_product(count, dim);
  keep_elements(out[0], std::vector<ir::Dim>{count});
  return out;
}

Result<Tensors> evaluate_size(const EvaluateContext& context) {
  OCTET_ASSIGN(Tensor y, context.allocate(DType::kInt64, {}));
  y.mutable_data<int64_t>()[0] = context.input(0).element_count();
  return one_tensor(std::move(y));
}

// The tensor that the attributes of a Constant describe; exactly one of them is given.
Result<Tensor> constant_value(const ir::Node& node) {
  const auto is = [&node](std::string_view name) { return ir::has_attribute(node, name); };
  if (const ir::TensorPtr tensor = ir::tensor_attribute(node, "value")) return *tensor;
  if (is("value_int")) return Tensor::scalar<int64_t>(ir::int_attribute(node, "value_int", 0));
  if (is("value_float")) return Tensor::scalar<float>(ir::float_attribute(node, "value_float", 0));
  if (is("value_ints")) {
    const auto values = ir::ints_attribute(node, "value_ints");
    return Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values);
  }
  if (is("value_floats")) {
    const auto values = ir::floats_attribute(node, "value_floats");
    return Tensor::of<float>({static_cast<int64_t>(values.size())}, values);
  }
  if (is("value_string")) {
    return Tensor::of_strings({}, {ir::string_attribute(node, "value_string", "")});
  }
  const auto strings = node.attributes.find("value_strings");
  if (strings != node.attributes.end()) {
    if (const auto* list = std::get_if<std::vector<std::string>>(&strings->second)) {
      return Tensor::of_strings({static_cast<int64_t>(list->size())}, *list);
    }
  }
  if (is("sparse_value")) return unsupported("a sparse constant");
  return malformed("no attribute with a value");
}

std::optional<std::vector<ir::Dim>> elements_of(const Tensor& tensor) {
  if (tensor.rank() > 1 || tensor.element_count() > kMaxElements ||
      !numerics::is_integer(tensor.dtype())) {
    return std::nullopt;
  }
  std::vector<ir::Dim> out;
  for (int64_t number : tensor.to_int64s()) out.push_back(number < 0 ? ir::Dim() : ir::Dim(number));
  return out;
}

Result<Facts> infer_constant(const InferContext& context) {
  const auto value = constant_value(context.node);
  if (!value.ok()) {
    if (value.error().code() == ErrorCode::kUnsupported) return unknown_facts(context);
    return value.error();
  }
  Facts out = one_fact(value->dtype(), ir::Shape::of(value->shape()));
  keep_elements(out[0], elements_of(*value));
  return out;
}

Result<Tensors> evaluate_constant(const EvaluateContext& context) {
  OCTET_ASSIGN(Tensor value, constant_value(context.node));
  return one_tensor(std::move(value));
}

// The element that ConstantOfShape repeats: float32 zero unless given.
Result<Tensor> repeated_value(const ir::Node& node) {
  const ir::TensorPtr value = ir::tensor_attribute(node, "value");
  if (value == nullptr) return Tensor::zeros(DType::kFloat32, {1});
  if (value->element_count() != 1) {
    return malformed("attribute value: ", value->element_count(), " elements, must be one");
  }
  return *value;
}

Result<Facts> infer_constant_of_shape(const InferContext& context) {
  OCTET_TRY(require_rank(context, 0, 1));
  OCTET_ASSIGN(const Tensor value, repeated_value(context.node));
  const MaybeNumbers numbers = maybe_numbers(context, 0);
  if (!numbers) return one_fact(value.dtype(), ir::Shape());
  OCTET_TRY(check_rank(numbers->size()));
  const auto elements = context.elements(0);
  std::vector<ir::Dim> dims;
  for (size_t a = 0; a < numbers->size(); ++a) {
    const MaybeNumber& number = (*numbers)[a];
    if (number && *number < 0) return malformed("input 0: an extent of ", *number);
    dims.push_back(elements ? (*elements)[a] : ir::Dim());
  }
  Facts out = one_fact(value.dtype(), ir::Shape(std::move(dims)));
  const auto count = out[0].type.shape.element_count();
  if (count && *count <= kMaxElements && numerics::is_integer(value.dtype())) {
    const int64_t number = value.at_as_int64(0);
    keep_elements(out[0], std::vector<ir::Dim>(static_cast<size_t>(*count),
                                               number < 0 ? ir::Dim() : ir::Dim(number)));
  }
  return out;
}

Result<Tensors> evaluate_constant_of_shape(const EvaluateContext& context) {
  OCTET_ASSIGN(const Tensor value, repeated_value(context.node));
  OCTET_ASSIGN(const size_t width, element_width(value.dtype()));
  OCTET_ASSIGN(auto shape, numbers_of(context, 0));
  OCTET_TRY(check_rank(shape.size()));
  for (int64_t extent : shape) {
    if (extent < 0) return malformed("input 0: an extent of ", extent);
  }
  OCTET_ASSIGN(Tensor y, context.allocate(value.dtype(), std::move(shape)));
  fill_elements(value.bytes().data(), width, y.element_count(), writable_bytes(y));
  return one_tensor(std::move(y));
}

// How many numbers start, start + delta, ... lie before the limit.
Result<int64_t> range_count(int64_t start, int64_t limit, int64_t delta) {
  if (delta == 0) return malformed("input 2: a step of 0");
  // Differences in unsigned arithmetic: they may not fit a signed number.
  const bool upwards = delta > 0;
  if (upwards ? limit <= start : limit >= start) return int64_t{0};
  const auto low = static_cast<uint64_t>(upwards ? start : limit);
  const auto high = static_cast<uint64_t>(upwards ? limit : start);
  const uint64_t step =
      upwards ? static_cast<uint64_t>(delta) : uint64_t{0} - static_cast<uint64_t>(delta);
  const uint64_t count = (high - low - 1) / step + 1;
  if (count > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return resource_limit("a range of ", count, " numbers");
  }
  return static_cast<int64_t>(count);
}

Result<int64_t> range_count(double start, double limit, double delta) {
  if (delta == 0) return malformed("input 2: a step of 0");
  const double count = std::ceil((limit - start) / delta);
  if (std::isnan(count)) return malformed("a range from ", start, " to ", limit);
  if (count > 9e18) return resource_limit("a range of ", count, " numbers");
  return count <= 0 ? int64_t{0} : static_cast<int64_t>(count);
}

Result<Facts> infer_range(const InferContext& context) {
  OCTET_ASSIGN(const DType dtype, common_dtype(context, {0, 1, 2}));
  Facts out = one_fact(dtype, unknown_shape(1));
  if (!numerics::is_integer(dtype)) return out;
  std::vector<MaybeNumber> bounds;
  for (size_t i = 0; i < 3; ++i) {
    const auto numbers = maybe_numbers(context, i);
    if (!numbers || numbers->size() != 1) return out;
    bounds.push_back(numbers->front());
  }
  if (bounds[0] && bounds[1] && bounds[2]) {
    OCTET_ASSIGN(const int64_t count, range_count(*bounds[0], *bounds[1], *bounds[2]));
    out[0].type.shape = ir::Shape({ir::Dim(count)});
    std::vector<ir::Dim> elements;
    for (int64_t i = 0; count <= kMaxElements && i < count; ++i) {
      const int64_t number = wrapping_add(*bounds[0], wrapping_mul(i, *bounds[2]));
      elements.push_back(number < 0 ? ir::Dim() : ir::Dim(number));
    }
    if (count <= kMaxElements) keep_elements(out[0], std::move(elements));
  } else if (const auto limit = context.elements(1); bounds[0] == 0 && bounds[2] == 1 && limit) {
    out[0].type.shape = ir::Shape({limit->front()});
  }
  return out;
}

Result<Tensors> evaluate_range(const EvaluateContext& context) {
  if (ir::int_attribute(context.node, "stash_type", 1) != 1) {
    return unsupported("stash_type other than 1 (float32)");
  }
  const DType dtype = context.input(0).dtype();
  for (size_t i = 0; i < 3; ++i) {
    OCTET_TRY(require_dtype(context, i, dtype));
    if (context.input(i).element_count() != 1) return malformed("input ", i, ": no scalar");
  }
  if (is_half(dtype)) return through_float32(context, evaluate_range);
  return visit_number(context, dtype, [&](auto zero) -> Result<Tensors> {
    using T = decltype(zero);
    using Wide = std::conditional_t<std::is_floating_point_v<T>, double, int64_t>;
    const auto number = [&](size_t i) { return static_cast<Wide>(context.input(i).data<T>()[0]); };
    OCTET_ASSIGN(const int64_t count, range_count(number(0), number(1), number(2)));
    OCTET_ASSIGN(Tensor y, context.allocate(dtype, {count}));
    T* out = y.mutable_data<T>().data();
    for (int64_t i = 0; i < count; ++i) {
      if constexpr (std::is_floating_point_v<T>) {
        out[i] = static_cast<T>(number(0) + static_cast<double>(i) * number(2));
      } else {
        out[i] = static_cast<T>(wrapping_add(number(0), wrapping_mul(i, number(2))));
      }
    }
    return one_tensor(std::move(y));
  });
}

Result<Facts> infer_dropout(const InferContext& context) {
  const ir::Shape& x = context.shape(0);
  const DType mask = context.opset() < 10 ? context.type(0).storage : DType::kBool;
  Facts out = {passed_through(context, x), fact(mask, x)};
  keep_elements(out[0], context.elements(0));
  return out;
}

Result<Tensors> evaluate_dropout(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  const bool training = context.has_input(2) && context.input(2).element_count() == 1 &&
                        context.input(2).at_as_int64(0) != 0;
  const bool drops_nothing = context.has_input(1) && context.input(1).element_count() == 1 &&
                             context.input(1).at_as_double(0) == 0.0;
  if (training && !drops_nothing) {
    return unsupported("training_mode true; export the model for inference");
  }
  Tensors outputs = {x};
  if (!context.node.output(1).valid()) return outputs;
  OCTET_ASSIGN(Tensor mask,
               context.allocate(context.opset < 10 ? x.dtype() : DType::kBool, x.shape()));
  OCTET_ASSIGN(const size_t width, element_width(mask.dtype()));
  if (mask.element_count() > 0) {
    mask.set_from_double(0, 1.0);
    std::array<std::byte, 16> one{};
    std::memcpy(one.data(), mask.bytes().data(), width);
    fill_elements(one.data(), width, mask.element_count(), writable_bytes(mask));
  }
  outputs.push_back(std::move(mask));
  return outputs;
}

}  // namespace

OpSchema Shape_schema() {
  return {.name = "Shape", .infer = infer_shape, .evaluate = evaluate_shape};
}

OpSchema Size_schema() { return {.name = "Size", .infer = infer_size, .evaluate = evaluate_size}; }

OpSchema Constant_schema() {
  return {.name = "Constant",
          .required = 0,
          .max_inputs = 0,
          .infer = infer_constant,
          .evaluate = evaluate_constant};
}

OpSchema ConstantOfShape_schema() {
  return {.name = "ConstantOfShape",
          .since = 9,
          .roles = {Role::kShape},
          .infer = infer_constant_of_shape,
          .evaluate = evaluate_constant_of_shape};
}

OpSchema Range_schema() {
  return {.name = "Range",
          .since = 11,
          .roles = {Role::kShape},
          .required = 3,
          .max_inputs = 3,
          .infer = infer_range,
          .evaluate = evaluate_range};
}

OpSchema Dropout_schema() {
  return {.name = "Dropout",
          .roles = {Role::kData, Role::kParameter},
          .max_inputs = 3,
          .behaviour = QuantBehaviour::kPassesThrough,
          .infer = infer_dropout,
          .evaluate = evaluate_dropout};
}

}  // namespace octet::ops
