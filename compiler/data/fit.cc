#include "compiler/data/fit.h"

#include <cmath>
#include <limits>
#include <utility>

#include "compiler/base/names.h"
#include "compiler/data/buffer.h"

namespace octet::data {
namespace {

using ir::DType;
using ir::Tensor;

Error non_finite(double value, size_t position) {
  return bad_data("position ", position, " is ",
                  std::isnan(value) ? "NaN" : (value > 0 ? "+infinity" : "-infinity"));
}

Status check_finite(const Tensor& tensor) {
  std::optional<size_t> at;
  switch (tensor.dtype()) {
    case DType::kFloat32:
      at = first_non_finite(tensor.data<float>());
      break;
    case DType::kFloat64:
      at = first_non_finite(tensor.data<double>());
      break;
    default:
      if (!numerics::is_floating_point(tensor.dtype())) return {};
      for (int64_t i = 0; i < tensor.element_count() && !at; ++i) {
        if (!std::isfinite(tensor.at_as_double(i))) at = static_cast<size_t>(i);
      }
  }
  if (!at) return {};
  return non_finite(tensor.at_as_double(static_cast<int64_t>(*at)), *at);
}

// `in_range(x)` says whether To can hold x.
template <typename From, typename To, typename InRange>
Result<Tensor> convert(const Tensor& tensor, DType to, const InRange& in_range) {
  OCTET_ASSIGN(Buffer buffer, Buffer::of_tensor(to, tensor.shape()));
  const std::span<const From> in = tensor.data<From>();
  To* out = buffer.as<To>();
  for (size_t i = 0; i < in.size(); ++i) {
    if (!in_range(in[i])) {
      return bad_data("position ", i, " is ", in[i], ", beyond the range of ",
                      numerics::dtype_name(to));
    }
    out[i] = static_cast<To>(in[i]);
  }
  return std::move(buffer).tensor(to, tensor.shape());
}

}  // namespace

std::string input_context(const InputSpec& input) { return cat("input ", quote_name(input.name)); }

Status check_dtype(const InputSpec& input, DType found) {
  const DType wanted = input.type.storage;
  const bool both_integers = (wanted == DType::kInt32 || wanted == DType::kInt64) &&
                             (found == DType::kInt32 || found == DType::kInt64);
  const bool narrowing = wanted == DType::kFloat32 && found == DType::kFloat64;
  if (wanted == found || both_integers || narrowing) return {};
  const bool picture = found == DType::kUint8 && numerics::is_floating_point(wanted);
  return bad_data(input_context(input), " takes ", numerics::dtype_name(wanted), ", the data is ",
                  numerics::dtype_name(found),
                  picture ? "; pictures need --preprocess"
                          : cat("; convert the arrays to ", numerics::dtype_name(wanted)));
}

Status check_shape(const InputSpec& input, const std::vector<int64_t>& found) {
  const ir::Shape shape = ir::Shape::of(found);
  if (ir::compatible(input.type.shape, shape)) return {};
  return bad_data(input_context(input), " takes ", input.type.shape.to_string(), ", the data is ",
                  shape.to_string(), "; give samples of the shape that the model takes");
}

Result<Tensor> fit_values(const InputSpec& input, Tensor tensor) {
  OCTET_TRY(check_finite(tensor).in(input_context(input)));
  const DType wanted = input.type.storage;
  if (tensor.dtype() == wanted) return tensor;
  const auto converted = [&]() -> Result<Tensor> {
    if (wanted == DType::kFloat32) {
      // Half a unit above the greatest float is the first double that would become infinity.
      return convert<double, float>(tensor, wanted,
                                    [](double x) { return std::fabs(x) < 0x1.ffffffp127; });
    }
    if (wanted == DType::kInt32) {
      return convert<int64_t, int32_t>(tensor, wanted,
                                       [](int64_t x) { return x >= INT32_MIN && x <= INT32_MAX; });
    }
    return convert<int32_t, int64_t>(tensor, wanted, [](int32_t) { return true; });
  };
  OCTET_TRY(check_dtype(input, tensor.dtype()));
  return converted().in(input_context(input));
}

}  // namespace octet::data
