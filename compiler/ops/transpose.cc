// Operators that reorder or repeat elements: Transpose, DepthToSpace, SpaceToDepth, Expand, Tile.
#include <numeric>

#include "compiler/base/checked.h"
#include "compiler/ops/packed.h"
#include "compiler/ops/shape_operands.h"
#include "compiler/ops/strided.h"

namespace octet::ops {
namespace {

// Output axis a is input axis perm[a]; the axes reversed when the attribute is absent.
Result<std::vector<size_t>> permutation(const ir::Node& node, size_t rank) {
  std::vector<size_t> out(rank);
  if (!ir::has_attribute(node, "perm")) {
    for (size_t a = 0; a < rank; ++a) out[a] = rank - 1 - a;
    return out;
  }
  const std::vector<int64_t> perm = ir::ints_attribute(node, "perm");
  if (perm.size() != rank) {
    return malformed("attribute perm: ", perm.size(), " axes for a rank of ", rank);
  }
  OCTET_ASSIGN(const auto axes, normalize_axes(perm, rank, "attribute perm: axis"));
  for (size_t a = 0; a < rank; ++a) out[a] = static_cast<size_t>(axes[a]);
  return out;
}

// Per-axis quantization moves with its axis.
void permute_quantization(const ir::TensorType& from, const std::vector<size_t>& perm,
                          ir::TensorType& to) {
  if (!from.quant || from.quant->granularity() != ir::Granularity::kPerAxis) return;
  ir::QuantParams::Spec spec = from.quant->spec();
  for (size_t a = 0; a < perm.size(); ++a) {
    if (static_cast<int64_t>(perm[a]) == from.quant->axis()) spec.axis = static_cast<int64_t>(a);
  }
  auto made = ir::QuantParams::make(std::move(spec));
  if (made.ok()) to.quant = std::move(made).value();
}

Result<Facts> infer_transpose(const InferContext& context) {
  const ir::Shape& x = context.shape(0);
  if (!x.has_rank()) {
    const size_t rank = ir::ints_attribute(context.node, "perm").size();
    return Facts{passed_through(context, rank == 0 ? ir::Shape() : unknown_shape(rank))};
  }
  OCTET_ASSIGN(const auto perm, permutation(context.node, x.rank()));
  std::vector<ir::Dim> dims;
  for (size_t axis : perm) dims.push_back(x[axis]);
  Facts out = {passed_through(context, ir::Shape(std::move(dims)))};
  permute_quantization(context.type(0), perm, out[0].type);
  keep_elements(out[0], context.elements(0));
  return out;
}

// Elements of x in row-major order of `shape`, read with `strides`. The output has shape `out`.
Result<Tensors> restrided(const EvaluateContext& context, std::vector<int64_t> out,
                          std::vector<int64_t> shape, std::vector<int64_t> strides) {
  const Tensor& x = context.input(0);
  OCTET_ASSIGN(const size_t width, element_width(x.dtype()));
  OCTET_ASSIGN(Tensor y, context.allocate(x.dtype(), std::move(out)));
  if (y.element_count() == 0) return one_tensor(std::move(y));
  StridedCopy copy;
  copy.to_strides = row_major_strides(shape);
  copy.shape = std::move(shape);
  copy.from_strides = std::move(strides);
  copy_strided(copy, width, x.bytes().data(), writable_bytes(y));
  return one_tensor(std::move(y));
}

Result<Tensors> evaluate_transpose(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  OCTET_ASSIGN(const auto perm, permutation(context.node, x.rank()));
  const std::vector<int64_t> own = row_major_strides(x.shape());
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;
  for (size_t axis : perm) {
    shape.push_back(x.shape()[axis]);
    strides.push_back(own[axis]);
  }
  return restrided(context, shape, shape, std::move(strides));
}

constexpr int64_t kMaxBlock = int64_t{1} << 15;  // so that its square and products cannot overflow

Result<int64_t> block_size(const ir::Node& node) {
  const int64_t block = ir::int_attribute(node, "blocksize", 0);
  if (block < 1 || block > kMaxBlock) {
    return malformed("attribute blocksize is ", block, "; it must be 1 to ", kMaxBlock);
  }
  return block;
}

ir::Dim divided(const ir::Dim& dim, int64_t divisor) {
  if (divisor == 1) return dim;
  return dim.is_static() ? ir::Dim(dim.extent() / divisor) : ir::Dim();
}

Status require_divisible(const ir::Dim& dim, int64_t divisor, size_t axis) {
  if (!dim.is_static() || dim.extent() % divisor == 0) return {};
  return malformed("input 0: an extent of ", dim.extent(), " on axis ", axis,
                   " does not divide by ", divisor);
}

Result<Facts> infer_depth_to_space(const InferContext& context) {
  OCTET_ASSIGN(const int64_t block, block_size(context.node));
  OCTET_TRY(require_rank(context, 0, 4));
  const ir::Shape& x = context.shape(0);
  if (!x.has_rank()) return Facts{passed_through(context, unknown_shape(4))};
  OCTET_TRY(require_divisible(x[1], block * block, 1));
  return Facts{passed_through(
      context, ir::Shape({x[0], divided(x[1], block * block), dim_product(x[2], ir::Dim(block)),
                          dim_product(x[3], ir::Dim(block))}))};
}

Result<Facts> infer_space_to_depth(const InferContext& context) {
  OCTET_ASSIGN(const int64_t block, block_size(context.node));
  OCTET_TRY(require_rank(context, 0, 4));
  const ir::Shape& x = context.shape(0);
  if (!x.has_rank()) return Facts{passed_through(context, unknown_shape(4))};
  OCTET_TRY(require_divisible(x[2], block, 2));
  OCTET_TRY(require_divisible(x[3], block, 3));
  return Facts{passed_through(context, ir::Shape({x[0], dim_product(x[1], ir::Dim(block * block)),
                                                  divided(x[2], block), divided(x[3], block)}))};
}

Status require_rank_4(const Tensor& x) {
  if (x.rank() == 4) return {};
  return malformed("input 0: rank ", x.rank(), ", must be 4");
}

// Mode DCR splits depth into [block, block, depth'], CRD into [depth', block, block].
Result<Tensors> evaluate_depth_to_space(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  OCTET_ASSIGN(const int64_t b, block_size(context.node));
  OCTET_TRY(require_rank_4(x));
  const std::vector<int64_t>& s = x.shape();
  OCTET_TRY(require_divisible(s[1], b * b, 1));
  const std::string mode = ir::string_attribute(context.node, "mode", "DCR");
  if (mode != "DCR" && mode != "CRD") return malformed("attribute mode: neither DCR nor CRD");
  const int64_t depth = s[1] / (b * b);
  const auto height = checked_mul(s[2], b);
  const auto width = checked_mul(s[3], b);
  if (!height || !width) return resource_limit("the output is too large");
  const std::vector<int64_t> in = row_major_strides(s);
  const bool dcr = mode == "DCR";
  const int64_t block_row = (dcr ? b * depth : b) * in[1];
  const int64_t block_column = (dcr ? depth : 1) * in[1];
  const int64_t channel = (dcr ? 1 : b * b) * in[1];
  return restrided(context, {s[0], depth, *height, *width}, {s[0], depth, s[2], b, s[3], b},
                   {in[0], channel, in[2], block_row, in[3], block_column});
}

// The inverse of mode DCR.
Result<Tensors> evaluate_space_to_depth(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  OCTET_ASSIGN(const int64_t b, block_size(context.node));
  OCTET_TRY(require_rank_4(x));
  const std::vector<int64_t>& s = x.shape();
  OCTET_TRY(require_divisible(s[2], b, 2));
  OCTET_TRY(require_divisible(s[3], b, 3));
  const auto depth = checked_mul(s[1], b * b);
  if (!depth) return resource_limit("the output is too large");
  const std::vector<int64_t> in = row_major_strides(s);
  return restrided(context, {s[0], *depth, s[2] / b, s[3] / b},
                   {s[0], b, b, s[1], s[2] / b, s[3] / b},
                   {in[0], in[2], in[3], in[1], in[2] * b, in[3] * b});
}

Result<Facts> infer_expand(const InferContext& context) {
  OCTET_TRY(require_rank(context, 1, 1));
  const MaybeNumbers numbers = maybe_numbers(context, 1);
  if (!numbers) return Facts{passed_through(context, ir::Shape())};
  OCTET_TRY(check_rank(numbers->size()));
  const auto elements = context.elements(1);
  std::vector<ir::Dim> wanted;
  for (size_t a = 0; a < numbers->size(); ++a) {
    const MaybeNumber& number = (*numbers)[a];
    if (number && *number < 0) return malformed("input 1: ", *number, " on axis ", a);
    wanted.push_back(elements ? (*elements)[a] : ir::Dim());
  }
  OCTET_ASSIGN(ir::Shape shape, broadcast_shapes(context.shape(0), ir::Shape(std::move(wanted))));
  Facts out = {passed_through(context, std::move(shape))};
  const auto source = context.elements(0);
  const ir::Shape& y = out[0].type.shape;
  if (source && source->size() == 1 && y.has_rank() && y.rank() == 1 && y[0].is_static() &&
      y[0].extent() <= kMaxElements) {
    keep_elements(out[0],
                  std::vector<ir::Dim>(static_cast<size_t>(y[0].extent()), source->front()));
  } else if (source && y == context.shape(0)) {
    keep_elements(out[0], source);
  }
  return out;
}

Result<Tensors> evaluate_expand(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  OCTET_ASSIGN(const auto wanted, numbers_of(context, 1));
  OCTET_TRY(check_rank(wanted.size()));
  for (int64_t extent : wanted) {
    if (extent < 0) return malformed("input 1: an extent of ", extent);
  }
  OCTET_ASSIGN(auto shape, broadcast_extents(x.shape(), wanted));
  std::vector<int64_t> strides = broadcast_strides(x.shape(), shape);
  return restrided(context, shape, shape, std::move(strides));
}

Result<Facts> infer_tile(const InferContext& context) {
  const ir::Shape& x = context.shape(0);
  const MaybeNumbers repeats = maybe_numbers(context, 1);
  if (!x.has_rank()) {
    return Facts{passed_through(context, repeats ? unknown_shape(repeats->size()) : ir::Shape())};
  }
  if (!repeats) return Facts{passed_through(context, unknown_shape(x.rank()))};
  if (repeats->size() != x.rank()) {
    return malformed("input 1: ", repeats->size(), " repeats for a rank of ", x.rank());
  }
  std::vector<ir::Dim> dims;
  for (size_t a = 0; a < x.rank(); ++a) {
    const MaybeNumber& count = (*repeats)[a];
    if (count && *count < 0) return malformed("input 1: ", *count, " repeats");
    dims.push_back(count ? dim_product(x[a], ir::Dim(*count)) : ir::Dim());
  }
  Facts out = {passed_through(context, ir::Shape(std::move(dims)))};
  const auto source = context.elements(0);
  const bool short_enough = x.rank() == 1 && out[0].type.shape[0].is_static() &&
                            out[0].type.shape[0].extent() <= kMaxElements;
  if (source && short_enough && !source->empty()) {
    std::vector<ir::Dim> elements;
    const auto count = static_cast<size_t>(out[0].type.shape[0].extent());
    for (size_t i = 0; i < count; ++i) elements.push_back((*source)[i % source->size()]);
    keep_elements(out[0], std::move(elements));
  }
  return out;
}

Result<Tensors> evaluate_tile(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  OCTET_ASSIGN(const auto repeats, numbers_of(context, 1));
  if (repeats.size() != x.rank()) {
    return malformed("input 1: ", repeats.size(), " repeats for a rank of ", x.rank());
  }
  const std::vector<int64_t> own = row_major_strides(x.shape());
  std::vector<int64_t> out;
  std::vector<int64_t> shape;  // repeat, extent; repeat, extent; ...
  std::vector<int64_t> strides;
  for (size_t a = 0; a < x.rank(); ++a) {
    if (repeats[a] < 0) return malformed("input 1: ", repeats[a], " repeats");
    const auto extent = checked_mul(x.shape()[a], repeats[a]);
    if (!extent) return resource_limit("an extent of ", x.shape()[a], " times ", repeats[a]);
    out.push_back(*extent);
    shape.insert(shape.end(), {repeats[a], x.shape()[a]});
    strides.insert(strides.end(), {0, own[a]});
  }
  return restrided(context, std::move(out), std::move(shape), std::move(strides));
}

}  // namespace

OpSchema Transpose_schema() {
  return {.name = "Transpose",
          .behaviour = QuantBehaviour::kPassesThrough,
          .infer = infer_transpose,
          .evaluate = move_any_width<evaluate_transpose>};
}

OpSchema DepthToSpace_schema() {
  return {.name = "DepthToSpace",
          .behaviour = QuantBehaviour::kPassesThrough,
          .infer = infer_depth_to_space,
          .evaluate = move_any_width<evaluate_depth_to_space>};
}

OpSchema SpaceToDepth_schema() {
  return {.name = "SpaceToDepth",
          .behaviour = QuantBehaviour::kPassesThrough,
          .infer = infer_space_to_depth,
          .evaluate = move_any_width<evaluate_space_to_depth>};
}

OpSchema Expand_schema() {
  return {.name = "Expand",
          .since = 8,
          .roles = {Role::kData, Role::kShape},
          .required = 2,
          .max_inputs = 2,
          .behaviour = QuantBehaviour::kPassesThrough,
          .infer = infer_expand,
          .evaluate = move_any_width<evaluate_expand>};
}

OpSchema Tile_schema() {
  return {.name = "Tile",
          .roles = {Role::kData, Role::kShape},
          .required = 2,
          .max_inputs = 2,
          .behaviour = QuantBehaviour::kPassesThrough,
          .infer = infer_tile,
          .evaluate = move_any_width<evaluate_tile>};
}

}  // namespace octet::ops
