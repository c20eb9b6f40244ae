#include "compiler/ops/doubles.h"

#include "compiler/base/checked.h"

namespace octet::ops {

Result<Scratch<double>> doubles_of(const EvaluateContext& context, size_t operand) {
  const Tensor& tensor = context.input(operand);
  const int64_t count = tensor.element_count();
  switch (tensor.dtype()) {
    case DType::kFloat32:
    case DType::kFloat64:
    case DType::kFloat16:
    case DType::kBfloat16:
      break;
    default:
      return unsupported_dtype(context, tensor.dtype());
  }
  OCTET_ASSIGN(auto out, Scratch<double>::make(context, count));
  double* to = out.span().data();
  switch (tensor.dtype()) {
    case DType::kFloat32:
      map_elements(tensor.data<float>().data(), to, count,
                   [](float x) { return static_cast<double>(x); });
      break;
    case DType::kFloat64:
      map_elements(tensor.data<double>().data(), to, count, [](double x) { return x; });
      break;
    case DType::kFloat16:
      map_elements(tensor.data<uint16_t>().data(), to, count,
                   [](uint16_t x) { return static_cast<double>(numerics::half_to_float(x)); });
      break;
    default:
      map_elements(tensor.data<uint16_t>().data(), to, count,
                   [](uint16_t x) { return static_cast<double>(numerics::bfloat16_to_float(x)); });
  }
  return out;
}

Result<Scratch<double>> optional_doubles_of(const EvaluateContext& context, size_t operand) {
  if (!context.has_input(operand)) return Scratch<double>::make(context, 0);
  return doubles_of(context, operand);
}

Result<Tensor> tensor_of_doubles(const EvaluateContext& context, DType dtype,
                                 std::vector<int64_t> shape, std::span<const double> elements) {
  OCTET_ASSIGN(Tensor out, context.allocate(dtype, std::move(shape)));
  if (out.element_count() != static_cast<int64_t>(elements.size())) {
    return internal_error(elements.size(), " elements for ", out.type().to_string());
  }
  const double* from = elements.data();
  const int64_t count = out.element_count();
  switch (dtype) {
    case DType::kFloat32:
      map_elements(from, out.mutable_data<float>().data(), count,
                   [](double x) { return static_cast<float>(x); });
      return out;
    case DType::kFloat64:
      map_elements(from, out.mutable_data<double>().data(), count, [](double x) { return x; });
      return out;
    case DType::kFloat16:
      map_elements(from, out.mutable_data<uint16_t>().data(), count,
                   [](double x) { return numerics::float_to_half(static_cast<float>(x)); });
      return out;
    case DType::kBfloat16:
      map_elements(from, out.mutable_data<uint16_t>().data(), count,
                   [](double x) { return numerics::float_to_bfloat16(static_cast<float>(x)); });
      return out;
    default:
      return unsupported_dtype(context, dtype);
  }
}

Status require_shape(const EvaluateContext& context, size_t operand,
                     std::span<const int64_t> shape) {
  const Tensor& tensor = context.input(operand);
  bool same = tensor.rank() == shape.size();
  for (size_t a = 0; same && a < shape.size(); ++a) {
    same = shape[a] < 0 || shape[a] == tensor.shape()[a];
  }
  if (same) return {};
  std::vector<ir::Dim> dims;
  for (int64_t extent : shape) dims.emplace_back(extent);
  return malformed("input ", operand, ": ", tensor.type().to_string(), ", must be of shape ",
                   ir::Shape(std::move(dims)).to_string());
}

Status require_rank(const EvaluateContext& context, size_t operand, size_t rank) {
  if (!context.has_input(operand) || context.input(operand).rank() == rank) return {};
  return malformed("input ", operand, ": rank ", context.input(operand).rank(), ", must be ", rank);
}

Result<int64_t> element_product(std::span<const int64_t> extents) {
  const auto product = checked_product(extents);
  if (!product) {
    return resource_limit("the shape ", ir::Shape::of({extents.begin(), extents.end()}).to_string(),
                          " has too many elements");
  }
  return *product;
}

}  // namespace octet::ops
