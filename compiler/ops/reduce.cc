// Reductions: ReduceL1 L2 LogSum LogSumExp Max Mean Min Prod Sum SumSquare. Axes are an attribute
// before version 18 (ReduceSum: 13) and an input since; none means all axes unless
// noop_with_empty_axes is set, in which case every element is reduced on its own.
//
// Sums and products of float32 are accumulated in double, of integers modulo 2^64.
#include <algorithm>
#include <cmath>
#include <limits>

#include "compiler/base/checked.h"
#include "compiler/numerics/quantize.h"
#include "compiler/ops/elements.h"
#include "compiler/ops/evaluate_helpers.h"
#include "compiler/ops/infer_helpers.h"
#include "compiler/ops/scratch.h"

namespace octet::ops {
namespace {

bool axes_are_input(const ir::Node& node, int64_t opset) {
  return opset >= (node.op_type == "ReduceSum" ? 13 : 18);
}

// Which axes are reduced, from the list of axes a node gives.
Result<std::vector<bool>> reduced_axes(const ir::Node& node, int64_t opset,
                                       std::span<const int64_t> axes, size_t rank) {
  if (axes.empty()) {
    const bool none =
        axes_are_input(node, opset) && ir::int_attribute(node, "noop_with_empty_axes", 0) != 0;
    return std::vector<bool>(rank, !none);
  }
  OCTET_ASSIGN(const std::vector<int64_t> normal, normalize_axes(axes, rank));
  std::vector<bool> reduced(rank, false);
  for (int64_t axis : normal) reduced[static_cast<size_t>(axis)] = true;
  return reduced;
}

bool keeps_dims(const ir::Node& node) { return ir::int_attribute(node, "keepdims", 1) != 0; }

// The shape when the axes are not known, but perhaps how many there are.
ir::Shape shape_without_axes(const InferContext& context, size_t rank) {
  if (keeps_dims(context.node)) return unknown_shape(rank);
  const ir::Shape& axes = context.shape(1);
  if (!axes.has_rank() || axes.rank() != 1 || !axes[0].is_static()) return {};
  const auto count = static_cast<size_t>(axes[0].extent());
  if (count == 0 || count > rank) return {};
  return unknown_shape(rank - count);
}

Result<ir::Shape> reduced_shape(const InferContext& context) {
  const ir::Shape& x = context.shape(0);
  if (!x.has_rank()) return ir::Shape();
  std::vector<int64_t> axes;
  if (axes_are_input(context.node, context.opset())) {
    if (context.has_input(1)) {
      auto known = constant_int64s(context, 1);
      if (!known) return shape_without_axes(context, x.rank());
      axes = std::move(*known);
    }
  } else {
    if (context.input_count() > 1) return malformed("2 inputs, at most 1 expected");
    axes = ir::ints_attribute(context.node, "axes");
  }
  OCTET_ASSIGN(const std::vector<bool> reduced,
               reduced_axes(context.node, context.opset(), axes, x.rank()));
  std::vector<ir::Dim> dims;
  for (size_t i = 0; i < x.rank(); ++i) {
    if (!reduced[i]) {
      dims.push_back(x[i]);
    } else if (keeps_dims(context.node)) {
      dims.push_back(1);
    }
  }
  return ir::Shape(std::move(dims));
}

Result<Facts> infer_reduce(const InferContext& context) {
  OCTET_ASSIGN(ir::Shape shape, reduced_shape(context));
  return one_fact(context.type(0).storage, std::move(shape));
}

Result<Facts> infer_pass_through(const InferContext& context) {
  OCTET_ASSIGN(ir::Shape shape, reduced_shape(context));
  return Facts{passed_through(context, std::move(shape))};
}

// Folds a partly known vector: the product of a shape is a usual way to count elements.
template <DimFunction combine, InferFunction infer>
Result<Facts> infer_fold(const InferContext& context) {
  OCTET_ASSIGN(Facts facts, infer(context));
  const auto elements = context.elements(0);
  const ir::Shape& out = facts[0].type.shape;
  const bool to_one = out.has_rank() && (out.rank() == 0 || (out.rank() == 1 && out[0] == 1));
  if (!elements || elements->empty() || !to_one) return facts;
  ir::Dim folded = elements->front();
  for (size_t i = 1; i < elements->size(); ++i) folded = combine(folded, (*elements)[i]);
  facts[0].elements = kept_elements(std::vector<ir::Dim>{folded}, facts[0].type);
  return facts;
}

// What an evaluation reduces: the output with extents of 1 where axes are reduced, and as the node
// wants it.
struct Reduction {
  std::vector<int64_t> kept_shape;
  std::vector<int64_t> shape;
  int64_t outputs = 0;
  int64_t per_output = 1;
};

Result<std::vector<int64_t>> axes_of(const EvaluateContext& context) {
  if (!axes_are_input(context.node, context.opset)) {
    return ir::ints_attribute(context.node, "axes");
  }
  if (!context.has_input(1)) return std::vector<int64_t>();
  if (!numerics::is_integer(context.input(1).dtype())) return malformed("input 1: not integers");
  return context.input(1).to_int64s();
}

Result<Reduction> make_reduction(const EvaluateContext& context) {
  const std::vector<int64_t>& x = context.input(0).shape();
  OCTET_ASSIGN(const std::vector<int64_t> axes, axes_of(context));
  OCTET_ASSIGN(const std::vector<bool> reduced,
               reduced_axes(context.node, context.opset, axes, x.size()));
  Reduction out;
  std::vector<int64_t> dropped;
  for (size_t i = 0; i < x.size(); ++i) {
    out.kept_shape.push_back(reduced[i] ? 1 : x[i]);
    if (reduced[i]) dropped.push_back(x[i]);
    if (!reduced[i] || keeps_dims(context.node)) out.shape.push_back(out.kept_shape.back());
  }
  const auto outputs = checked_product(out.kept_shape);
  const auto per_output = checked_product(dropped);
  if (!outputs || !per_output) return resource_limit("a reduction of too many elements");
  out.outputs = *outputs;
  out.per_output = *per_output;
  return out;
}

// Calls step(accumulator, element) for every element of x in memory order. The output, read under
// the shape of x, is an operand that stands still along reduced axes.
template <typename T, typename Acc, typename Step>
void accumulate(const Tensor& x, const Reduction& reduction, std::span<Acc> sums, Step step) {
  const auto plan = make_broadcast_plan<1>(x.shape(), {reduction.kept_shape});
  const T* from = x.data<T>().data();
  for_each_run(plan, [&](int64_t at, const std::array<int64_t, 1>& offset) {
    const T* row = from + at;
    Acc* to = sums.data() + offset[0];
    if (plan.run_stride[0] == 0) {
      Acc sum = *to;
      for (int64_t i = 0; i < plan.run; ++i) sum = step(sum, row[i]);
      *to = sum;
    } else {
      for (int64_t i = 0; i < plan.run; ++i) to[i] = step(to[i], row[i]);
    }
  });
}

// Sums of T: double for floats, modulo 2^64 for integers.
template <typename T>
using Sum = std::conditional_t<std::is_floating_point_v<T>, double, uint64_t>;

// The result of an integer reduction that is computed in floating point.
template <typename T>
T to_type(double x, DType dtype) {
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(x);
  } else {
    return static_cast<T>(numerics::cast_to_integer(x, dtype));
  }
}

// Each reduction: the accumulator of T, where it starts, a step, and the result.
template <typename T>
struct SumOf {
  using Acc = Sum<T>;
  static constexpr Acc kStart = 0;
  static Acc step(Acc sum, T x) { return sum + static_cast<Acc>(x); }
  static Result<T> finish(Acc sum, int64_t, DType) { return static_cast<T>(sum); }
};
template <typename T>
struct MeanOf : SumOf<T> {
  using Acc = Sum<T>;
  static Result<T> finish(Acc sum, int64_t count, DType) {
    if constexpr (std::is_floating_point_v<T>) {
      return static_cast<T>(sum / static_cast<double>(count));
    } else {
      if (count == 0) return malformed("the mean of no integers");
      if constexpr (std::is_signed_v<T>) return static_cast<T>(static_cast<int64_t>(sum) / count);
      return static_cast<T>(sum / static_cast<uint64_t>(count));
    }
  }
};
template <typename T>
struct L1Of : SumOf<T> {
  using Acc = Sum<T>;
  static Acc step(Acc sum, T x) {
    if constexpr (std::is_floating_point_v<T>) {
      return sum + std::fabs(static_cast<double>(x));
    } else {
      const auto wide = static_cast<Acc>(x);
      return std::is_signed_v<T> && x < T(0) ? sum - wide : sum + wide;
    }
  }
};
template <typename T>
struct SumSquareOf : SumOf<T> {
  using Acc = Sum<T>;
  static Acc step(Acc sum, T x) { return sum + static_cast<Acc>(x) * static_cast<Acc>(x); }
};
template <typename T>
struct ProdOf : SumOf<T> {
  using Acc = Sum<T>;
  static constexpr Acc kStart = 1;
  static Acc step(Acc product, T x) { return product * static_cast<Acc>(x); }
};
template <typename T>
struct L2Of {
  using Acc = double;
  static constexpr Acc kStart = 0;
  static Acc step(Acc sum, T x) { return sum + static_cast<double>(x) * static_cast<double>(x); }
  static Result<T> finish(Acc sum, int64_t, DType dtype) {
    return to_type<T>(std::sqrt(sum), dtype);
  }
};
template <typename T>
struct LogSumOf {
  using Acc = double;
  static constexpr Acc kStart = 0;
  static Acc step(Acc sum, T x) { return sum + static_cast<double>(x); }
  static Result<T> finish(Acc sum, int64_t, DType dtype) {
    return to_type<T>(std::log(sum), dtype);
  }
};
// Not a number wins. Nothing at all gives the least value of the type, or minus infinity.
template <typename T>
struct MaxOf {
  using Acc = T;
  using Limits = std::numeric_limits<T>;
  static constexpr T kStart = Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
  static T step(T top, T x) { return top > x || top != top ? top : x; }
  static Result<T> finish(T top, int64_t, DType) { return top; }
};
template <typename T>
struct MinOf {
  using Acc = T;
  using Limits = std::numeric_limits<T>;
  static constexpr T kStart = Limits::has_infinity ? Limits::infinity() : Limits::max();
  static T step(T least, T x) { return least < x || least != least ? least : x; }
  static Result<T> finish(T least, int64_t, DType) { return least; }
};

template <template <typename> typename Op, typename T>
Result<Tensors> reduce(const EvaluateContext& context, const Reduction& reduction) {
  using Acc = typename Op<T>::Acc;
  const Tensor& x = context.input(0);
  OCTET_ASSIGN(Tensor out, context.allocate(x.dtype(), reduction.shape));
  OCTET_ASSIGN(auto scratch, Scratch<Acc>::make(context, reduction.outputs));
  const std::span<Acc> sums = scratch.span();
  std::fill(sums.begin(), sums.end(), Op<T>::kStart);
  accumulate<T, Acc>(x, reduction, sums, Op<T>::step);
  T* to = out.mutable_data<T>().data();
  for (size_t i = 0; i < sums.size(); ++i) {
    OCTET_ASSIGN(to[i], Op<T>::finish(sums[i], reduction.per_output, x.dtype()));
  }
  return one_tensor(std::move(out));
}

template <template <typename> typename Op>
Result<Tensors> evaluate_reduce(const EvaluateContext& context) {
  const DType dtype = context.input(0).dtype();
  if (is_half(dtype)) return through_float32(context, evaluate_reduce<Op>);
  OCTET_ASSIGN(const Reduction reduction, make_reduction(context));
  return visit_number(context, dtype,
                      [&](auto tag) { return reduce<Op, decltype(tag)>(context, reduction); });
}

// Bool since version 20: false < true.
template <template <typename> typename Op>
Result<Tensors> evaluate_choice(const EvaluateContext& context) {
  if (context.input(0).dtype() != DType::kBool) return evaluate_reduce<Op>(context);
  OCTET_ASSIGN(const Reduction reduction, make_reduction(context));
  return reduce<Op, uint8_t>(context, reduction);
}

// log(sum(exp(x))) = top + log(sum(exp(x - top))) with top the maximum, so that exp stays finite.
template <typename T>
Result<Tensors> log_sum_exp(const EvaluateContext& context, const Reduction& reduction) {
  const Tensor& x = context.input(0);
  OCTET_ASSIGN(Tensor out, context.allocate(x.dtype(), reduction.shape));
  OCTET_ASSIGN(auto top_scratch, Scratch<double>::make(context, reduction.outputs));
  const std::span<double> tops = top_scratch.span();
  std::fill(tops.begin(), tops.end(), -std::numeric_limits<double>::infinity());
  accumulate<T, double>(x, reduction, tops, [](double top, T v) {
    return MaxOf<double>::step(top, static_cast<double>(v));
  });
  struct Shifted {
    double top;
    double sum;
  };
  OCTET_ASSIGN(auto scratch, Scratch<Shifted>::make(context, reduction.outputs));
  const std::span<Shifted> sums = scratch.span();
  for (size_t i = 0; i < sums.size(); ++i) {
    sums[i] = {std::isfinite(tops[i]) ? tops[i] : 0.0, 0.0};
  }
  accumulate<T, Shifted>(x, reduction, sums, [](Shifted s, T v) {
    return Shifted{s.top, s.sum + std::exp(static_cast<double>(v) - s.top)};
  });
  T* to = out.mutable_data<T>().data();
  for (size_t i = 0; i < sums.size(); ++i) {
    to[i] = to_type<T>(sums[i].top + std::log(sums[i].sum), x.dtype());
  }
  return one_tensor(std::move(out));
}

Result<Tensors> evaluate_log_sum_exp(const EvaluateContext& context) {
  const DType dtype = context.input(0).dtype();
  if (is_half(dtype)) return through_float32(context, evaluate_log_sum_exp);
  OCTET_ASSIGN(const Reduction reduction, make_reduction(context));
  return visit_number(context, dtype,
                      [&](auto tag) { return log_sum_exp<decltype(tag)>(context, reduction); });
}

OpSchema reduction(std::string_view name, EvaluateFunction evaluate,
                   QuantBehaviour behaviour = QuantBehaviour::kFloatOnly,
                   InferFunction infer = infer_reduce) {
  OpSchema schema;
  schema.name = name;
  schema.roles = {Role::kData, Role::kShape};
  schema.max_inputs = 2;
  schema.behaviour = behaviour;
  schema.infer = infer;
  schema.evaluate = evaluate;
  return schema;
}

}  // namespace

OpSchema ReduceL1_schema() { return reduction("ReduceL1", evaluate_reduce<L1Of>); }
OpSchema ReduceL2_schema() { return reduction("ReduceL2", evaluate_reduce<L2Of>); }
OpSchema ReduceLogSum_schema() { return reduction("ReduceLogSum", evaluate_reduce<LogSumOf>); }
OpSchema ReduceLogSumExp_schema() { return reduction("ReduceLogSumExp", evaluate_log_sum_exp); }
OpSchema ReduceMax_schema() {
  return reduction("ReduceMax", evaluate_choice<MaxOf>, QuantBehaviour::kPassesThrough,
                   infer_fold<max_dims, infer_pass_through>);
}
OpSchema ReduceMean_schema() {
  return reduction("ReduceMean", evaluate_reduce<MeanOf>, QuantBehaviour::kComputes);
}
OpSchema ReduceMin_schema() {
  return reduction("ReduceMin", evaluate_choice<MinOf>, QuantBehaviour::kPassesThrough,
                   infer_fold<min_dims, infer_pass_through>);
}
OpSchema ReduceProd_schema() {
  return reduction("ReduceProd", evaluate_reduce<ProdOf>, QuantBehaviour::kFloatOnly,
                   infer_fold<mul_dims, infer_reduce>);
}
OpSchema ReduceSum_schema() {
  return reduction("ReduceSum", evaluate_reduce<SumOf>, QuantBehaviour::kComputes,
                   infer_fold<add_dims, infer_reduce>);
}
OpSchema ReduceSumSquare_schema() {
  return reduction("ReduceSumSquare", evaluate_reduce<SumSquareOf>);
}

}  // namespace octet::ops
