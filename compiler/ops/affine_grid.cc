// AffineGrid (ai.onnx 20): an affine map applied to evenly spaced positions.
// onnx/docs/Operators.md, AffineGrid.
#include "compiler/ops/doubles.h"
#include "compiler/ops/shape_operands.h"

namespace octet::ops {
namespace {

// Position `i` of `count` between -1 and 1: at the centres of the corner elements, or inside of
// their outer edges. One element with aligned corners stands in the middle.
double position(int64_t i, int64_t count, bool align_corners) {
  const auto n = static_cast<double>(count);
  if (!align_corners) return (2 * static_cast<double>(i) + 1) / n - 1;
  return count == 1 ? 0 : 2 * static_cast<double>(i) / (n - 1) - 1;
}

Result<Tensors> evaluate_affine_grid(const EvaluateContext& context) {
  const Tensor& theta = context.input(0);
  OCTET_ASSIGN(const auto size, numbers_of(context, 1));
  if (size.size() != 4 && size.size() != 5) {
    return malformed("input 1: ", size.size(), " extents, must be 4 or 5");
  }
  const auto axes = static_cast<int64_t>(size.size()) - 2;
  OCTET_TRY(require_shape(context, 0, std::vector<int64_t>{size[0], axes, axes + 1}));
  std::vector<int64_t> shape = {size[0]};
  shape.insert(shape.end(), size.begin() + 2, size.end());
  for (int64_t extent : size) {
    if (extent < 0) return malformed("input 1: an extent of ", extent);
  }
  OCTET_ASSIGN(const int64_t points, element_product(std::span(shape).subspan(1)));
  shape.push_back(axes);
  OCTET_ASSIGN(const int64_t count, element_product(shape));
  const bool align = ir::int_attribute(context.node, "align_corners", 0) != 0;
  OCTET_ASSIGN(auto matrix, doubles_of(context, 0));
  OCTET_ASSIGN(auto y, Scratch<double>::make(context, count));
  size_t to = 0;
  for (int64_t n = 0; n < size[0] && count > 0; ++n) {
    for (int64_t p = 0; p < points; ++p) {
      // x runs over the last axis of the image, y over the one before.
      std::vector<double> homogeneous;
      int64_t rest = p;
      for (size_t a = size.size(); a-- > 2;) {
        homogeneous.push_back(position(rest % size[a], size[a], align));
        rest /= size[a];
      }
      homogeneous.push_back(1);
      for (int64_t row = 0; row < axes; ++row) {
        double sum = 0;
        for (int64_t k = 0; k <= axes; ++k) {
          sum += matrix[static_cast<size_t>((n * axes + row) * (axes + 1) + k)] *
                 homogeneous[static_cast<size_t>(k)];
        }
        y[to++] = sum;
      }
    }
  }
  OCTET_ASSIGN(Tensor out, tensor_of_doubles(context, theta.dtype(), shape, y.span()));
  return one_tensor(std::move(out));
}

Result<Facts> infer_affine_grid(const InferContext& context) {
  OCTET_TRY(require_rank(context, 0, 3));
  const DType dtype = context.type(0).storage;
  const auto elements = context.elements(1);
  if (!elements) return one_fact(dtype, ir::Shape());
  if (elements->size() != 4 && elements->size() != 5) {
    return malformed("input 1: ", elements->size(), " extents, must be 4 or 5");
  }
  std::vector<ir::Dim> dims = *elements;
  dims.erase(dims.begin() + 1);
  dims.emplace_back(static_cast<int64_t>(elements->size()) - 2);
  return one_fact(dtype, ir::Shape(std::move(dims)));
}

}  // namespace

OpSchema AffineGrid_schema() {
  return {.name = "AffineGrid",
          .since = 20,
          .roles = {Role::kParameter, Role::kShape},
          .required = 2,
          .max_inputs = 2,
          .infer = infer_affine_grid,
          .evaluate = evaluate_affine_grid};
}

}  // namespace octet::ops
