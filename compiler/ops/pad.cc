// Pad (attributes before opset 11, operands since). Negative pads cut elements off.
#include "compiler/base/checked.h"
#include "compiler/ops/packed.h"
#include "compiler/ops/shape_operands.h"
#include "compiler/ops/strided.h"

namespace octet::ops {
namespace {

enum class Mode { kConstant, kReflect, kEdge, kWrap };

Result<Mode> mode_of(const ir::Node& node) {
  const std::string mode = ir::string_attribute(node, "mode", "constant");
  if (mode == "constant") return Mode::kConstant;
  if (mode == "reflect") return Mode::kReflect;
  if (mode == "edge") return Mode::kEdge;
  if (mode == "wrap") return Mode::kWrap;
  return malformed("attribute mode: not one of constant, reflect, edge, wrap");
}

constexpr int64_t kMaxPad = int64_t{1} << 48;  // no tensor is that long

// Pads of every axis of the data.
struct Pads {
  std::vector<MaybeNumber> begin;
  std::vector<MaybeNumber> end;
};

// From the list in the node, begins first, of all axes or of those in `axes`.
Result<Pads> spread(const std::vector<MaybeNumber>& list,
                    const std::optional<std::vector<int64_t>>& axes, size_t rank) {
  const size_t count = axes ? axes->size() : rank;
  if (list.size() != 2 * count) {
    return malformed("pads: ", list.size(), " numbers for ", count, " axes");
  }
  Pads out{std::vector<MaybeNumber>(rank, 0), std::vector<MaybeNumber>(rank, 0)};
  std::vector<int64_t> normal;
  if (axes) {
    OCTET_ASSIGN(normal, normalize_axes(*axes, rank));
  }
  for (const MaybeNumber& pad : list) {
    if (pad && (*pad > kMaxPad || *pad < -kMaxPad)) return malformed("pads: ", *pad);
  }
  for (size_t i = 0; i < count; ++i) {
    const size_t axis = axes ? static_cast<size_t>(normal[i]) : i;
    out.begin[axis] = list[i];
    out.end[axis] = list[count + i];
  }
  return out;
}

Result<ir::Dim> padded(const ir::Dim& dim, const MaybeNumber& begin, const MaybeNumber& end,
                       size_t axis) {
  if (begin == 0 && end == 0) return dim;
  if (!begin || !end || !dim.is_static()) return ir::Dim();
  const auto sum = checked_add(*begin, *end);
  const auto extent = sum ? checked_add(*sum, dim.extent()) : std::nullopt;
  if (!extent || *extent < 0) {
    return malformed("pads of ", *begin, " and ", *end, " for an extent of ", dim.extent(),
                     " on axis ", axis);
  }
  return ir::Dim(*extent);
}

Result<Facts> infer_pad(const InferContext& context) {
  const ir::Shape& x = context.shape(0);
  OCTET_TRY(mode_of(context.node));
  if (context.opset() >= 11 && !context.has_input(1)) return malformed("input 1 is missing");
  if (!x.has_rank()) return Facts{passed_through(context, x)};
  MaybeNumbers list;
  if (context.opset() >= 11) {
    list = maybe_numbers(context, 1);
  } else {
    const auto attribute = ir::ints_attribute(context.node, "pads");
    list = std::vector<MaybeNumber>(attribute.begin(), attribute.end());
  }
  const auto axes = known_numbers(context, 3);
  if (!list || (context.has_input(3) && !axes)) {
    return Facts{passed_through(context, unknown_shape(x.rank()))};
  }
  OCTET_ASSIGN(const Pads pads, spread(*list, axes, x.rank()));
  std::vector<ir::Dim> dims;
  for (size_t a = 0; a < x.rank(); ++a) {
    OCTET_ASSIGN(const ir::Dim dim, padded(x[a], pads.begin[a], pads.end[a], a));
    dims.push_back(dim);
  }
  return Facts{passed_through(context, ir::Shape(std::move(dims)))};
}

Result<Pads> pads_of(const EvaluateContext& context, size_t rank) {
  OCTET_ASSIGN(const EvaluatedList list, list_of(context, 11, "pads", 1));
  if (!list.given) return malformed("pads: missing");
  std::optional<std::vector<int64_t>> axes;
  if (context.has_input(3)) {
    OCTET_ASSIGN(axes, numbers_of(context, 3));
  }
  return spread({list.values.begin(), list.values.end()}, axes, rank);
}

// One element of x's type: what padding is filled with.
Result<Tensor> fill_value(const EvaluateContext& context) {
  const DType dtype = context.input(0).dtype();
  if (context.opset >= 11 && context.has_input(2)) {
    OCTET_TRY(require_dtype(context, 2, dtype));
    if (context.input(2).element_count() != 1) {
      return malformed("input 2: ", context.input(2).element_count(), " numbers, must be one");
    }
    return context.input(2);
  }
  OCTET_ASSIGN(Tensor value, Tensor::zeros(dtype, {}));
  const float number = ir::float_attribute(context.node, "value", 0.0F);
  if (context.opset < 11 && number != 0.0F) value.set_from_double(0, number);
  return value;
}

// Index of the element that position `i` of an axis shows, `i` counted from the first element.
int64_t source_index(Mode mode, int64_t i, int64_t extent) {
  if (i >= 0 && i < extent) return i;
  if (mode == Mode::kConstant) return -1;
  if (mode == Mode::kEdge) return i < 0 ? 0 : extent - 1;
  const int64_t period = mode == Mode::kWrap ? extent : std::max<int64_t>(1, 2 * (extent - 1));
  int64_t at = i % period;
  if (at < 0) at += period;
  return at < extent ? at : period - at;
}

Result<Tensors> evaluate_pad(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  OCTET_ASSIGN(const Mode mode, mode_of(context.node));
  OCTET_ASSIGN(const size_t width, element_width(x.dtype()));
  OCTET_ASSIGN(const Pads pads, pads_of(context, x.rank()));
  std::vector<int64_t> shape;
  for (size_t a = 0; a < x.rank(); ++a) {
    OCTET_ASSIGN(const ir::Dim dim, padded(x.shape()[a], pads.begin[a], pads.end[a], a));
    shape.push_back(dim.extent());
  }
  OCTET_ASSIGN(const Tensor value, fill_value(context));
  OCTET_ASSIGN(Tensor y, context.allocate(x.dtype(), shape));
  if (y.element_count() == 0) return one_tensor(std::move(y));
  if (mode == Mode::kConstant) {
    fill_elements(value.bytes().data(), width, y.element_count(), writable_bytes(y));
    if (x.element_count() == 0) return one_tensor(std::move(y));
  } else if (x.element_count() == 0) {
    return malformed("input 0: no elements to repeat");
  }
  const std::vector<int64_t> strides = row_major_strides(x.shape());
  std::vector<std::vector<int64_t>> maps(x.rank());
  for (size_t a = 0; a < x.rank(); ++a) {
    for (int64_t i = 0; i < shape[a]; ++i) {
      const int64_t at = source_index(mode, i - *pads.begin[a], x.shape()[a]);
      maps[a].push_back(at < 0 ? -1 : at * strides[a]);
    }
  }
  copy_mapped(maps, width, x.bytes().data(), writable_bytes(y));
  return one_tensor(std::move(y));
}

}  // namespace

OpSchema Pad_schema() {
  return {.name = "Pad",
          .roles = {Role::kData, Role::kShape, Role::kParameter, Role::kShape},
          .max_inputs = 4,
          .behaviour = QuantBehaviour::kPassesThrough,
          .infer = infer_pad,
          .evaluate = move_any_width<evaluate_pad>};
}

}  // namespace octet::ops
