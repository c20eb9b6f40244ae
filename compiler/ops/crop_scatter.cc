// CenterCropPad (ai.onnx 18) and TensorScatter (24): elements moved by whole runs.
// onnx/docs/Operators.md, by these names.
#include <algorithm>
#include <cstring>

#include "compiler/base/checked.h"
#include "compiler/ops/doubles.h"
#include "compiler/ops/packed.h"
#include "compiler/ops/shape_operands.h"
#include "compiler/ops/strided.h"

namespace octet::ops {
namespace {

// The axes that the operand `shape` speaks of.
Result<std::vector<int64_t>> crop_axes(const ir::Node& node, size_t rank) {
  if (!ir::has_attribute(node, "axes")) {
    std::vector<int64_t> all(rank);
    for (size_t a = 0; a < rank; ++a) all[a] = static_cast<int64_t>(a);
    return all;
  }
  const auto axes = ir::ints_attribute(node, "axes");
  return normalize_axes(axes, rank);
}

Result<Tensors> center_crop_pad(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  OCTET_ASSIGN(const auto axes, crop_axes(context.node, x.rank()));
  OCTET_ASSIGN(const auto extents, numbers_of(context, 1));
  if (extents.size() != axes.size()) {
    return malformed("input 1: ", extents.size(), " extents for ", axes.size(), " axes");
  }
  OCTET_ASSIGN(const size_t width, element_width(x.dtype()));
  std::vector<int64_t> shape = x.shape();
  for (size_t i = 0; i < axes.size(); ++i) {
    if (extents[i] < 0) return malformed("input 1: an extent of ", extents[i]);
    shape[static_cast<size_t>(axes[i])] = extents[i];
  }
  OCTET_ASSIGN(Tensor y, context.allocate(x.dtype(), shape));
  StridedCopy copy;
  copy.from_strides = row_major_strides(x.shape());
  copy.to_strides = row_major_strides(shape);
  for (size_t a = 0; a < shape.size(); ++a) {
    const int64_t difference = x.shape()[a] - shape[a];
    copy.shape.push_back(std::min(x.shape()[a], shape[a]));
    if (difference > 0) copy.from_offset += difference / 2 * copy.from_strides[a];
    if (difference < 0) copy.to_offset += -difference / 2 * copy.to_strides[a];
  }
  const bool empty = std::find(copy.shape.begin(), copy.shape.end(), 0) != copy.shape.end();
  if (!empty) copy_strided(copy, width, x.bytes().data(), writable_bytes(y));
  return one_tensor(std::move(y));
}

Result<Facts> infer_center_crop_pad(const InferContext& context) {
  const ir::Shape& x = context.shape(0);
  const DType dtype = context.type(0).storage;
  if (!x.has_rank()) return one_fact(dtype, ir::Shape());
  OCTET_ASSIGN(const auto axes, crop_axes(context.node, x.rank()));
  std::vector<ir::Dim> dims = x.dims();
  const auto extents = context.elements(1);
  if (extents && extents->size() != axes.size()) {
    return malformed("input 1: ", extents->size(), " extents for ", axes.size(), " axes");
  }
  for (size_t i = 0; i < axes.size(); ++i) {
    dims[static_cast<size_t>(axes[i])] = extents ? (*extents)[i] : ir::Dim();
  }
  return one_fact(dtype, ir::Shape(std::move(dims)));
}

// TensorScatter.

struct CacheSizes {
  int64_t batch = 0;
  int64_t middle = 1;  // between batch and the sequence axis
  int64_t slots = 0;   // of the cache
  int64_t count = 0;   // of the update
  int64_t inner = 1;
  bool circular = false;
};

Result<CacheSizes> cache_sizes(const EvaluateContext& context) {
  const auto& cache = context.input(0).shape();
  const auto& update = context.input(1).shape();
  CacheSizes out;
  const std::string mode = ir::string_attribute(context.node, "mode", "linear");
  if (mode != "linear" && mode != "circular") {
    return malformed("attribute mode: not one of linear, circular");
  }
  out.circular = mode == "circular";
  OCTET_ASSIGN(const int64_t axis,
               normalize_axis(ir::int_attribute(context.node, "axis", -2), cache.size()));
  if (axis == 0) return malformed("axis 0 is that of the batch");
  const auto at = static_cast<size_t>(axis);
  std::vector<int64_t> wanted = cache;
  wanted[at] = -1;
  OCTET_TRY(require_shape(context, 1, wanted));
  out.batch = cache[0];
  out.slots = cache[at];
  out.count = update[at];
  if (out.count > out.slots) {
    return malformed("input 1: ", out.count, " steps for ", out.slots, " slots");
  }
  OCTET_ASSIGN(out.middle, element_product(std::span(cache).subspan(1, at - 1)));
  OCTET_ASSIGN(out.inner, element_product(std::span(cache).subspan(at + 1)));
  if (context.has_input(2)) {
    OCTET_TRY(require_dtype(context, 2, DType::kInt64));
    OCTET_TRY(require_shape(context, 2, std::vector<int64_t>{out.batch}));
  }
  return out;
}

Result<Tensors> tensor_scatter(const EvaluateContext& context) {
  const Tensor& cache = context.input(0);
  OCTET_TRY(require_dtype(context, 1, cache.dtype()));
  OCTET_ASSIGN(const size_t width, element_width(cache.dtype()));
  OCTET_ASSIGN(const CacheSizes sizes, cache_sizes(context));
  OCTET_ASSIGN(Tensor y, context.allocate(cache.dtype(), cache.shape()));
  if (cache.element_count() == 0) return one_tensor(std::move(y));
  std::memcpy(writable_bytes(y), cache.bytes().data(), cache.bytes().size());
  const size_t run = static_cast<size_t>(sizes.inner) * width;
  for (int64_t b = 0; b < sizes.batch; ++b) {
    const int64_t start = context.has_input(2) ? context.input(2).at_as_int64(b) : 0;
    const int64_t last = sizes.circular ? INT64_MAX - sizes.slots : sizes.slots - sizes.count;
    if (start < 0 || start > last) {
      return malformed("input 2: ", sizes.count, " steps at ", start, " of ", sizes.slots);
    }
    for (int64_t m = 0; m < sizes.middle; ++m) {
      const int64_t row = b * sizes.middle + m;
      for (int64_t i = 0; i < sizes.count; ++i) {
        const int64_t slot = (start + i) % sizes.slots;
        std::memcpy(
            writable_bytes(y) + static_cast<size_t>(row * sizes.slots + slot) * run,
            context.input(1).bytes().data() + static_cast<size_t>(row * sizes.count + i) * run,
            run);
      }
    }
  }
  return one_tensor(std::move(y));
}

Result<Facts> infer_tensor_scatter(const InferContext& context) {
  OCTET_ASSIGN(const DType dtype, common_dtype(context, {0, 1}));
  const ir::Shape& cache = context.shape(0);
  if (cache.has_rank()) {
    OCTET_TRY(normalize_axis(ir::int_attribute(context.node, "axis", -2), cache.rank()));
    OCTET_TRY(require_rank(context, 1, cache.rank()));
  }
  OCTET_TRY(require_rank(context, 2, 1));
  return one_fact(dtype, cache);
}

}  // namespace

OpSchema CenterCropPad_schema() {
  return {.name = "CenterCropPad",
          .since = 18,
          .roles = {Role::kData, Role::kShape},
          .required = 2,
          .max_inputs = 2,
          .infer = infer_center_crop_pad,
          .evaluate = move_any_width<center_crop_pad>};
}

OpSchema TensorScatter_schema() {
  return {.name = "TensorScatter",
          .since = 24,
          .roles = {Role::kData, Role::kData, Role::kShape},
          .required = 2,
          .max_inputs = 3,
          .infer = infer_tensor_scatter,
          .evaluate = move_any_width<tensor_scatter>};
}

}  // namespace octet::ops
