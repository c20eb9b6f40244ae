// Operators that give the same elements another shape: Reshape, Flatten, Squeeze, Unsqueeze.
#include <algorithm>

#include "compiler/base/checked.h"
#include "compiler/ops/shape_operands.h"

namespace octet::ops {
namespace {

// An output that shares its bytes with input 0.
Result<Tensors> reshaped(const EvaluateContext& context, std::vector<int64_t> shape) {
  return one_tensor(context.input(0).reshaped(std::move(shape)));
}

// Facts of an output with the elements of input 0 in another shape.
Facts same_elements(const InferContext& context, ir::Shape shape) {
  Facts out = {passed_through(context, std::move(shape))};
  keep_elements(out[0], context.elements(0));
  return out;
}

bool zero_is_literal(const ir::Node& node) { return ir::int_attribute(node, "allowzero", 0) != 0; }

// The numbers of Reshape's operand 1 in terms of known extents: zeros copied from the input, one -1
// solved for.
Result<std::vector<int64_t>> target_shape(const ir::Node& node, const std::vector<int64_t>& input,
                                          int64_t count, std::vector<int64_t> target) {
  std::optional<size_t> open;
  for (size_t a = 0; a < target.size(); ++a) {
    if (target[a] == 0 && !zero_is_literal(node)) {
      if (a >= input.size()) {
        return malformed("input 1: 0 on axis ", a, " of a data rank of ", input.size());
      }
      target[a] = input[a];
    } else if (target[a] == -1) {
      if (open) return malformed("input 1: more than one -1");
      open = a;
    } else if (target[a] < 0) {
      return malformed("input 1: ", target[a], " on axis ", a);
    }
  }
  if (open) target[*open] = 1;
  const auto known = checked_product(target);
  if (known && open && *known > 0 && count % *known == 0) {
    target[*open] = count / *known;
    return target;
  }
  if (known && open && *known == 0) {
    return malformed("input 1: -1 cannot be told beside an extent of 0");
  }
  if (!known || open || *known != count) {
    return malformed("input 1: shape ", ir::Shape::of(target).to_string(), " does not hold ", count,
                     " elements");
  }
  return target;
}

// Reshape's target where the input's extents or the numbers are only known in part.
struct PartialTarget {
  std::vector<ir::Dim> dims;
  std::vector<bool> copied;  // the extent is that of the input's axis of the same number
  std::vector<size_t> open;  // axes that are -1 or not known
};

Result<PartialTarget> partial_target(const InferContext& context,
                                     const std::vector<MaybeNumber>& target) {
  const ir::Shape& x = context.shape(0);
  const auto elements = context.elements(1);
  const bool literal = zero_is_literal(context.node);
  PartialTarget out;
  out.dims.resize(target.size());
  out.copied.assign(target.size(), false);
  size_t minus_ones = 0;
  for (size_t a = 0; a < target.size(); ++a) {
    if (target[a] == 0 && !literal) {
      if (x.has_rank() && a >= x.rank()) {
        return malformed("input 1: 0 on axis ", a, " of a data rank of ", x.rank());
      }
      if (x.has_rank()) out.dims[a] = x[a];
      out.copied[a] = true;
    } else if (target[a] && *target[a] >= 0) {
      out.dims[a] = ir::Dim(*target[a]);
    } else if (target[a] && *target[a] < -1) {
      return malformed("input 1: ", *target[a], " on axis ", a);
    } else if (!target[a] && elements && (*elements)[a].is_named()) {
      out.dims[a] = (*elements)[a];
    } else {
      out.open.push_back(a);
      minus_ones += target[a] ? 1 : 0;
    }
  }
  if (minus_ones > 1) return malformed("input 1: more than one -1");
  return out;
}

// The extent of the only open axis: what is left of the input when every other axis is cancelled.
Result<ir::Dim> open_extent(const ir::Shape& x, const PartialTarget& target) {
  std::vector<bool> cancelled(x.rank(), false);
  ir::Dim divisor = 1;
  for (size_t a = 0; a < target.dims.size(); ++a) {
    if (a == target.open[0]) continue;
    const ir::Dim& dim = target.dims[a];
    if (target.copied[a]) {
      cancelled[a] = true;
    } else if (dim.is_static()) {
      divisor = dim_product(divisor, dim);
    } else {
      size_t same = 0;
      while (same < x.rank() && (cancelled[same] || target.copied.size() <= same ||
                                 target.copied[same] || x[same] != dim)) {
        ++same;
      }
      if (!dim.is_named() || same == x.rank()) return ir::Dim();
      cancelled[same] = true;
    }
  }
  ir::Dim count = 1;
  std::vector<ir::Dim> rest;
  for (size_t a = 0; a < x.rank(); ++a) {
    if (cancelled[a]) continue;
    if (x[a].is_static()) {
      count = dim_product(count, x[a]);
    } else {
      rest.push_back(x[a]);
    }
  }
  if (!count.is_static() || !divisor.is_static() || divisor.extent() == 0) return ir::Dim();
  if (rest.empty() && count.extent() % divisor.extent() != 0) {
    return malformed("input 1: ", count.extent(), " elements do not fill rows of ",
                     divisor.extent());
  }
  if (rest.empty()) return ir::Dim(count.extent() / divisor.extent());
  return rest.size() == 1 && count == divisor ? rest[0] : ir::Dim();
}

Result<ir::Shape> target_dims(const InferContext& context, const std::vector<MaybeNumber>& target) {
  OCTET_ASSIGN(PartialTarget partial, partial_target(context, target));
  if (partial.open.size() == 1 && context.shape(0).has_rank()) {
    OCTET_ASSIGN(partial.dims[partial.open[0]], open_extent(context.shape(0), partial));
  }
  return ir::Shape(std::move(partial.dims));
}

Result<Facts> infer_reshape(const InferContext& context) {
  OCTET_TRY(require_rank(context, 1, 1));
  const ir::Shape& x = context.shape(0);
  const MaybeNumbers target = maybe_numbers(context, 1);
  if (!target) {
    const bool counted = context.shape(1).has_rank() && context.shape(1)[0].is_static();
    if (!counted) return same_elements(context, ir::Shape());
    const auto rank = static_cast<size_t>(context.shape(1)[0].extent());
    OCTET_TRY(check_rank(rank));
    return same_elements(context, unknown_shape(rank));
  }
  OCTET_TRY(check_rank(target->size()));
  const auto known = known_numbers(context, 1);
  const auto count = x.element_count();
  if (known && count) {
    OCTET_ASSIGN(auto extents, target_shape(context.node, x.extents(), *count, *known));
    return same_elements(context, ir::Shape::of(extents));
  }
  OCTET_ASSIGN(const ir::Shape shape, target_dims(context, *target));
  return same_elements(context, shape);
}

Result<Tensors> evaluate_reshape(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  OCTET_ASSIGN(auto numbers, numbers_of(context, 1));
  OCTET_TRY(check_rank(numbers.size()));
  OCTET_ASSIGN(auto shape,
               target_shape(context.node, x.shape(), x.element_count(), std::move(numbers)));
  return reshaped(context, std::move(shape));
}

// From -rank to rank: the axis in front of which a shape is cut in two.
Result<size_t> flatten_axis(const ir::Node& node, size_t rank) {
  const int64_t axis = ir::int_attribute(node, "axis", 1);
  const auto count = static_cast<int64_t>(rank);
  if (axis < -count || axis > count) return malformed("axis ", axis, " for a rank of ", count);
  return static_cast<size_t>(axis < 0 ? axis + count : axis);
}

Result<Facts> infer_flatten(const InferContext& context) {
  const ir::Shape& x = context.shape(0);
  if (!x.has_rank()) return Facts{passed_through(context, unknown_shape(2))};
  OCTET_ASSIGN(const size_t axis, flatten_axis(context.node, x.rank()));
  std::vector<ir::Dim> dims(2, ir::Dim(1));
  for (size_t a = 0; a < x.rank(); ++a) {
    ir::Dim& side = dims[a < axis ? 0 : 1];
    side = dim_product(side, x[a]);
  }
  return Facts{passed_through(context, ir::Shape(std::move(dims)))};
}

Result<Tensors> evaluate_flatten(const EvaluateContext& context) {
  const std::vector<int64_t>& x = context.input(0).shape();
  OCTET_ASSIGN(const size_t axis, flatten_axis(context.node, x.size()));
  const auto left = checked_product(std::span(x).first(axis));
  const auto right = checked_product(std::span(x).subspan(axis));
  if (!left || !right) return resource_limit("input 0: its extents are too large to flatten");
  return reshaped(context, {*left, *right});
}

// Shape arithmetic of Squeeze and Unsqueeze on any kind of extent.
template <typename Extent>
std::vector<Extent> without_axes(const std::vector<Extent>& dims,
                                 const std::vector<int64_t>& axes) {
  std::vector<Extent> out;
  for (size_t a = 0; a < dims.size(); ++a) {
    if (std::find(axes.begin(), axes.end(), static_cast<int64_t>(a)) == axes.end()) {
      out.push_back(dims[a]);
    }
  }
  return out;
}

template <typename Extent>
Result<std::vector<Extent>> with_axes(const std::vector<Extent>& dims,
                                      const std::vector<int64_t>& axes) {
  OCTET_TRY(check_rank(dims.size() + axes.size()));
  OCTET_ASSIGN(const auto normal, normalize_axes(axes, dims.size() + axes.size()));
  std::vector<Extent> out;
  size_t next = 0;
  for (size_t a = 0; a < dims.size() + axes.size(); ++a) {
    const bool fresh =
        std::find(normal.begin(), normal.end(), static_cast<int64_t>(a)) != normal.end();
    out.push_back(fresh ? Extent(1) : dims[next]);
    next += fresh ? 0 : 1;
  }
  return out;
}

Result<Facts> infer_squeeze(const InferContext& context) {
  const ir::Shape& x = context.shape(0);
  const InferredList axes = list_of(context, 13, "axes", 1);
  if (!x.has_rank()) return same_elements(context, ir::Shape());
  std::vector<int64_t> dropped;
  if (axes.given && axes.values) {
    OCTET_ASSIGN(dropped, normalize_axes(*axes.values, x.rank()));
    for (int64_t a : dropped) {
      const ir::Dim& dim = x[static_cast<size_t>(a)];
      if (dim.is_static() && dim.extent() != 1) {
        return malformed("axis ", a, " of extent ", dim.extent(), " cannot be squeezed");
      }
    }
  } else if (axes.given || !x.is_static()) {
    return same_elements(context, ir::Shape());
  } else {
    for (size_t a = 0; a < x.rank(); ++a) {
      if (x[a] == ir::Dim(1)) dropped.push_back(static_cast<int64_t>(a));
    }
  }
  return same_elements(context, ir::Shape(without_axes(x.dims(), dropped)));
}

Result<Tensors> evaluate_squeeze(const EvaluateContext& context) {
  const std::vector<int64_t>& x = context.input(0).shape();
  OCTET_ASSIGN(const EvaluatedList axes, list_of(context, 13, "axes", 1));
  std::vector<int64_t> dropped;
  if (axes.given) {
    OCTET_ASSIGN(dropped, normalize_axes(axes.values, x.size()));
  }
  for (size_t a = 0; !axes.given && a < x.size(); ++a) {
    if (x[a] == 1) dropped.push_back(static_cast<int64_t>(a));
  }
  for (int64_t a : dropped) {
    if (x[static_cast<size_t>(a)] != 1) {
      return malformed("axis ", a, " of extent ", x[static_cast<size_t>(a)], " cannot be squeezed");
    }
  }
  return reshaped(context, without_axes(x, dropped));
}

Result<Facts> infer_unsqueeze(const InferContext& context) {
  const ir::Shape& x = context.shape(0);
  const InferredList axes = list_of(context, 13, "axes", 1);
  if (!axes.given) return malformed("axes: missing");
  if (!x.has_rank() || !axes.values) return same_elements(context, ir::Shape());
  OCTET_ASSIGN(auto dims, with_axes(x.dims(), *axes.values));
  return same_elements(context, ir::Shape(std::move(dims)));
}

Result<Tensors> evaluate_unsqueeze(const EvaluateContext& context) {
  OCTET_ASSIGN(const EvaluatedList axes, list_of(context, 13, "axes", 1));
  if (!axes.given) return malformed("axes: missing");
  OCTET_ASSIGN(auto shape, with_axes(context.input(0).shape(), axes.values));
  return reshaped(context, std::move(shape));
}

}  // namespace

OpSchema Reshape_schema() {
  return {.name = "Reshape",
          .roles = {Role::kData, Role::kShape},
          .required = 2,
          .max_inputs = 2,
          .behaviour = QuantBehaviour::kPassesThrough,
          .infer = infer_reshape,
          .evaluate = evaluate_reshape};
}

OpSchema Flatten_schema() {
  return {.name = "Flatten",
          .behaviour = QuantBehaviour::kPassesThrough,
          .infer = infer_flatten,
          .evaluate = evaluate_flatten};
}

OpSchema Squeeze_schema() {
  return {.name = "Squeeze",
          .roles = {Role::kData, Role::kShape},
          .max_inputs = 2,
          .behaviour = QuantBehaviour::kPassesThrough,
          .infer = infer_squeeze,
          .evaluate = evaluate_squeeze};
}

OpSchema Unsqueeze_schema() {
  return {.name = "Unsqueeze",
          .roles = {Role::kData, Role::kShape},
          .max_inputs = 2,
          .behaviour = QuantBehaviour::kPassesThrough,
          .infer = infer_unsqueeze,
          .evaluate = evaluate_unsqueeze};
}

}  // namespace octet::ops
