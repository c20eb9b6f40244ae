// MaxUnpool (ai.onnx 9, 11, 22) and Col2Im (18): windows put back where they came from.
// onnx/docs/Operators.md, by these names.
#include <algorithm>

#include "compiler/ops/doubles.h"
#include "compiler/ops/index_operand.h"
#include "compiler/ops/shape_operands.h"
#include "compiler/ops/window.h"

namespace octet::ops {
namespace {

// MaxUnpool.

// The extents of which the indices speak: what a pool with these windows reads at least.
Result<std::vector<int64_t>> unpooled_shape(const ir::Node& node, std::span<const int64_t> x) {
  if (x.size() < 3) return malformed("input 0: rank ", x.size(), "; at least 3 is needed");
  OCTET_ASSIGN(const auto windows, WindowAttributes::from_pool(node, x.size() - 2));
  std::vector<int64_t> out = {x[0], x[1]};
  for (size_t a = 0; a < windows.rank(); ++a) {
    const auto span = checked_mul(x[a + 2] - 1, windows.strides[a]);
    const int64_t around = windows.kernel[a] - windows.pads_begin[a] - windows.pads_end[a];
    const auto extent = span ? checked_add(*span, around) : std::nullopt;
    if (!extent || *extent < 0) return malformed("spatial axis ", a, " has no extent");
    out.push_back(*extent);
  }
  return out;
}

// Axes of both shapes, for offsets of one in the other.
int64_t offset_in(int64_t at, std::span<const int64_t> from, std::span<const int64_t> to) {
  int64_t out = 0;
  int64_t stride = 1;
  for (size_t a = from.size(); a-- > 0;) {
    const int64_t index = at % from[a];
    at /= from[a];
    if (index >= to[a]) return -1;
    out += index * stride;
    stride *= to[a];
  }
  return out;
}

Result<Tensors> evaluate_max_unpool(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  OCTET_TRY(require_dtype(context, 1, DType::kInt64));
  OCTET_TRY(require_shape(context, 1, x.shape()));
  OCTET_ASSIGN(const auto inferred, unpooled_shape(context.node, x.shape()));
  std::vector<int64_t> shape = inferred;
  if (context.has_input(2)) {
    OCTET_ASSIGN(shape, numbers_of(context, 2));
    if (shape.size() != x.rank()) return malformed("input 2: ", shape.size(), " extents");
    for (size_t a = 0; a < shape.size(); ++a) {
      if (shape[a] < (a < 2 ? x.shape()[a] : 0) || (a < 2 && shape[a] != x.shape()[a])) {
        return malformed("input 2: an extent of ", shape[a], " on axis ", a);
      }
    }
  }
  OCTET_ASSIGN(const int64_t inside, element_product(inferred));
  OCTET_ASSIGN(const int64_t count, element_product(shape));
  OCTET_ASSIGN(auto from, doubles_of(context, 0));
  OCTET_ASSIGN(auto y, Scratch<double>::make(context, count));
  OCTET_ASSIGN(const IndexReader indices, IndexReader::make(context, 1));
  for (int64_t i = 0; i < x.element_count(); ++i) {
    OCTET_ASSIGN(const int64_t index, indices.at(i, inside));
    const int64_t at = offset_in(index, inferred, shape);
    if (at >= 0 && count > 0) y[static_cast<size_t>(at)] = from[static_cast<size_t>(i)];
  }
  OCTET_ASSIGN(Tensor out, tensor_of_doubles(context, x.dtype(), shape, y.span()));
  return one_tensor(std::move(out));
}

Result<Facts> infer_max_unpool(const InferContext& context) {
  const ir::Shape& x = context.shape(0);
  const DType dtype = context.type(0).storage;
  if (!x.has_rank()) return one_fact(dtype, ir::Shape());
  OCTET_TRY(require_rank(context, 1, x.rank()));
  if (x.rank() < 3) return malformed("input 0: rank ", x.rank(), "; at least 3 is needed");
  if (!context.has_input(2) && x.is_static()) {
    OCTET_ASSIGN(const auto shape, unpooled_shape(context.node, x.extents()));
    return one_fact(dtype, ir::Shape::of(shape));
  }
  const auto given = known_numbers(context, 2);
  if (given && given->size() == x.rank() &&
      std::all_of(given->begin(), given->end(), [](int64_t extent) { return extent >= 0; })) {
    return one_fact(dtype, ir::Shape::of(*given));
  }
  return one_fact(dtype, unknown_shape(x.rank()));
}

// Col2Im.

struct Columns {
  std::vector<int64_t> image;
  std::vector<int64_t> block;
  std::vector<WindowAxis> axes;
  int64_t channels = 0;
  int64_t taps = 1;
  int64_t blocks = 1;
};

Result<Columns> columns_of(const EvaluateContext& context) {
  Columns out;
  OCTET_TRY(require_rank(context, 0, 3));
  OCTET_ASSIGN(out.image, numbers_of(context, 1));
  OCTET_ASSIGN(out.block, numbers_of(context, 2));
  if (out.image.empty() || out.image.size() != out.block.size()) {
    return malformed("input 2: ", out.block.size(), " extents for an image of ", out.image.size());
  }
  OCTET_TRY(check_rank(out.image.size() + 2));
  OCTET_ASSIGN(const auto windows, WindowAttributes::from_conv(context.node, out.block));
  for (size_t a = 0; a < out.image.size(); ++a) {
    OCTET_ASSIGN(const WindowAxis axis, resolve_window(windows, a, out.image[a]));
    out.axes.push_back(axis);
    const auto taps = checked_mul(out.taps, axis.kernel);
    const auto blocks = checked_mul(out.blocks, axis.output);
    if (!taps || !blocks) return malformed("input 2: the blocks are too many");
    out.taps = *taps;
    out.blocks = *blocks;
  }
  const auto& x = context.input(0).shape();
  if (x[1] % out.taps != 0 || x[2] != out.blocks) {
    return malformed("input 0: ", context.input(0).type().to_string(), " for blocks of ", out.taps,
                     " elements, ", out.blocks, " of them");
  }
  out.channels = x[1] / out.taps;
  return out;
}

// Where tap `tap` of block `block` lies in the image; -1 in the padding.
int64_t image_offset(const Columns& columns, int64_t tap, int64_t block) {
  int64_t out = 0;
  int64_t stride = 1;
  for (size_t a = columns.axes.size(); a-- > 0;) {
    const WindowAxis& axis = columns.axes[a];
    const int64_t at =
        block % axis.output * axis.stride - axis.pad_begin + tap % axis.kernel * axis.dilation;
    block /= axis.output;
    tap /= axis.kernel;
    if (at < 0 || at >= axis.input) return -1;
    out += at * stride;
    stride *= axis.input;
  }
  return out;
}

// The inverse of im2col: elements of blocks that overlap are added.
template <typename T>
void add_blocks(const Columns& columns, int64_t planes, int64_t plane, const T* x, T* y) {
  for (int64_t p = 0; p < planes; ++p) {
    for (int64_t tap = 0; tap < columns.taps; ++tap) {
      const T* row = x + (p * columns.taps + tap) * columns.blocks;
      for (int64_t block = 0; block < columns.blocks; ++block) {
        const int64_t at = image_offset(columns, tap, block);
        if (at < 0) continue;
        T& to = y[p * plane + at];
        if constexpr (std::is_floating_point_v<T>) {
          to += row[block];
        } else {
          to = wrapping_add(to, row[block]);
        }
      }
    }
  }
}

Result<Tensors> evaluate_col2im(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  if (is_half(x.dtype())) return through_float32(context, evaluate_col2im);
  OCTET_ASSIGN(const Columns columns, columns_of(context));
  std::vector<int64_t> shape = {x.shape()[0], columns.channels};
  shape.insert(shape.end(), columns.image.begin(), columns.image.end());
  OCTET_ASSIGN(const int64_t plane, element_product(columns.image));
  return visit_number(context, x.dtype(), [&](auto zero) -> Result<Tensors> {
    using T = decltype(zero);
    OCTET_ASSIGN(Tensor y, context.allocate(x.dtype(), shape));
    if (y.element_count() > 0) {
      add_blocks(columns, shape[0] * shape[1], plane, x.data<T>().data(),
                 y.mutable_data<T>().data());
    }
    return one_tensor(std::move(y));
  });
}

Result<Facts> infer_col2im(const InferContext& context) {
  OCTET_TRY(require_rank(context, 0, 3));
  const DType dtype = context.type(0).storage;
  const ir::Shape& x = context.shape(0);
  const auto image = known_numbers(context, 1);
  if (!image) return one_fact(dtype, ir::Shape());
  OCTET_TRY(check_rank(image->size() + 2));
  std::vector<ir::Dim> dims = {x.has_rank() ? x[0] : ir::Dim(), ir::Dim()};
  const auto block = known_numbers(context, 2);
  const auto taps = block ? checked_product(*block) : std::nullopt;
  if (x.has_rank() && x[1].is_static() && taps && *taps > 0) dims[1] = x[1].extent() / *taps;
  for (int64_t extent : *image) dims.emplace_back(extent);
  return one_fact(dtype, ir::Shape(std::move(dims)));
}

}  // namespace

OpSchema MaxUnpool_schema() {
  return {.name = "MaxUnpool",
          .since = 9,
          .roles = {Role::kData, Role::kIndex, Role::kShape},
          .required = 2,
          .max_inputs = 3,
          .infer = infer_max_unpool,
          .evaluate = evaluate_max_unpool};
}

OpSchema Col2Im_schema() {
  return {.name = "Col2Im",
          .since = 18,
          .roles = {Role::kData, Role::kShape, Role::kShape},
          .required = 3,
          .max_inputs = 3,
          .infer = infer_col2im,
          .evaluate = evaluate_col2im};
}

}  // namespace octet::ops
