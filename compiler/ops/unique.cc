// Unique (ai.onnx 11): different elements, or different slices along an axis.
// onnx/docs/Operators.md, Unique.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <optional>

#include "compiler/ops/doubles.h"
#include "compiler/ops/infer_helpers.h"
#include "compiler/ops/strided.h"

namespace octet::ops {
namespace {

// The tensor as slices along the axis: [outer, count, inner].
struct Slices {
  int64_t outer = 1;
  int64_t count = 0;
  int64_t inner = 1;

  int64_t at(int64_t slice, int64_t element) const {
    return (element / inner * count + slice) * inner + element % inner;
  }
};

struct UniqueAttributes {
  std::optional<int64_t> axis;
  bool sorted = true;

  static Result<UniqueAttributes> from(const ir::Node& node, size_t rank) {
    UniqueAttributes out;
    out.sorted = ir::int_attribute(node, "sorted", 1) != 0;
    if (ir::has_attribute(node, "axis")) {
      OCTET_ASSIGN(out.axis, normalize_axis(ir::int_attribute(node, "axis", 0), rank));
    }
    return out;
  }
};

// -1, 0 or 1. A NaN is greater than any number, and like any other.
template <typename T>
int compare(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(a) || std::isnan(b)) {
      return static_cast<int>(std::isnan(a)) - static_cast<int>(std::isnan(b));
    }
  }
  return static_cast<int>(b < a) - static_cast<int>(a < b);
}

// The order of slices as the text sorts them.
class Order {
 public:
  Order(const Tensor& tensor, const Slices& slices) : tensor_(tensor), slices_(slices) {}

  int operator()(int64_t a, int64_t b) const {
    for (int64_t i = 0; i < slices_.outer * slices_.inner; ++i) {
      const int order = element(slices_.at(a, i), slices_.at(b, i));
      if (order != 0) return order;
    }
    return 0;
  }

 private:
  int element(int64_t a, int64_t b) const {
    const DType dtype = tensor_.dtype();
    if (dtype == DType::kString) {
      const auto& strings = tensor_.strings();
      const int order = strings[static_cast<size_t>(a)].compare(strings[static_cast<size_t>(b)]);
      return order < 0 ? -1 : static_cast<int>(order > 0);
    }
    if (numerics::is_floating_point(dtype)) {
      return compare(tensor_.at_as_double(a), tensor_.at_as_double(b));
    }
    const int64_t x = tensor_.at_as_int64(a);
    const int64_t y = tensor_.at_as_int64(b);
    if (dtype == DType::kUint64) return compare(static_cast<uint64_t>(x), static_cast<uint64_t>(y));
    return compare(x, y);
  }

  const Tensor& tensor_;
  const Slices& slices_;
};

// Groups of equal slices in the order asked for.
struct Groups {
  std::vector<int64_t> first;     // slice, by group
  std::vector<int64_t> counts;    // by group
  std::vector<int64_t> group_of;  // by slice
};

Groups group(const Tensor& tensor, const Slices& slices, bool sorted) {
  const Order order(tensor, slices);
  std::vector<int64_t> by_value(static_cast<size_t>(slices.count));
  std::iota(by_value.begin(), by_value.end(), 0);
  std::stable_sort(by_value.begin(), by_value.end(),
                   [&](int64_t a, int64_t b) { return order(a, b) < 0; });
  Groups found;
  found.group_of.resize(by_value.size());
  for (size_t i = 0; i < by_value.size(); ++i) {
    if (i == 0 || order(by_value[i - 1], by_value[i]) != 0) {
      found.first.push_back(by_value[i]);
      found.counts.push_back(0);
    }
    ++found.counts.back();
    found.group_of[static_cast<size_t>(by_value[i])] = static_cast<int64_t>(found.first.size()) - 1;
  }
  if (sorted) return found;
  std::vector<int64_t> rank(found.first.size());
  std::iota(rank.begin(), rank.end(), 0);
  std::sort(rank.begin(), rank.end(), [&](int64_t a, int64_t b) {
    return found.first[static_cast<size_t>(a)] < found.first[static_cast<size_t>(b)];
  });
  Groups out;
  std::vector<int64_t> moved(rank.size());
  for (size_t i = 0; i < rank.size(); ++i) {
    out.first.push_back(found.first[static_cast<size_t>(rank[i])]);
    out.counts.push_back(found.counts[static_cast<size_t>(rank[i])]);
    moved[static_cast<size_t>(rank[i])] = static_cast<int64_t>(i);
  }
  for (int64_t g : found.group_of) out.group_of.push_back(moved[static_cast<size_t>(g)]);
  return out;
}

Result<Tensor> vector_of(const EvaluateContext& context, const std::vector<int64_t>& values) {
  OCTET_ASSIGN(Tensor out, context.allocate(DType::kInt64, {static_cast<int64_t>(values.size())}));
  std::copy(values.begin(), values.end(), out.mutable_data<int64_t>().begin());
  return out;
}

Result<Tensor> chosen_slices(const EvaluateContext& context, const Slices& slices,
                             const std::vector<int64_t>& chosen, std::vector<int64_t> shape) {
  const Tensor& x = context.input(0);
  const Slices to = {slices.outer, static_cast<int64_t>(chosen.size()), slices.inner};
  if (x.dtype() == DType::kString) {
    OCTET_ASSIGN(const int64_t count, element_product(shape));
    std::vector<std::string> strings(static_cast<size_t>(count));
    for (int64_t s = 0; s < to.count; ++s) {
      for (int64_t i = 0; i < slices.outer * slices.inner; ++i) {
        strings[static_cast<size_t>(to.at(s, i))] =
            x.strings()[static_cast<size_t>(slices.at(chosen[static_cast<size_t>(s)], i))];
      }
    }
    return Tensor::of_strings(std::move(shape), std::move(strings));
  }
  OCTET_ASSIGN(const size_t width, element_width(x.dtype()));
  OCTET_ASSIGN(Tensor out, context.allocate(x.dtype(), std::move(shape)));
  const size_t run = static_cast<size_t>(slices.inner) * width;
  for (int64_t o = 0; o < slices.outer && run > 0; ++o) {
    for (int64_t s = 0; s < to.count; ++s) {
      const int64_t from = o * slices.count + chosen[static_cast<size_t>(s)];
      std::memcpy(writable_bytes(out) + static_cast<size_t>(o * to.count + s) * run,
                  x.bytes().data() + static_cast<size_t>(from) * run, run);
    }
  }
  return out;
}

Result<Tensors> evaluate_unique(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  if (x.dtype() == DType::kComplex64 || x.dtype() == DType::kComplex128) {
    return unsupported_dtype(context, x.dtype());
  }
  OCTET_ASSIGN(const auto attributes, UniqueAttributes::from(context.node, x.rank()));
  Slices slices = {1, x.element_count(), 1};
  std::vector<int64_t> shape = {0};
  size_t axis = 0;
  if (attributes.axis) {
    axis = static_cast<size_t>(*attributes.axis);
    shape = x.shape();
    slices.count = shape[axis];
    OCTET_ASSIGN(slices.outer, element_product(std::span(shape).first(axis)));
    OCTET_ASSIGN(slices.inner, element_product(std::span(shape).subspan(axis + 1)));
  }
  // Five lists of one number per slice while they are sorted.
  ChargedBytes charged(context.budget);
  const auto bytes = checked_mul(slices.count, 5 * static_cast<int64_t>(sizeof(int64_t)));
  if (!bytes) return resource_limit("a sort of ", slices.count, " slices");
  OCTET_TRY(charged.charge(*bytes));
  const Groups groups = group(x, slices, attributes.sorted);
  shape[axis] = static_cast<int64_t>(groups.first.size());
  Tensors outputs(4);
  OCTET_ASSIGN(outputs[0], chosen_slices(context, slices, groups.first, std::move(shape)));
  OCTET_ASSIGN(outputs[1], vector_of(context, groups.first));
  OCTET_ASSIGN(outputs[2], vector_of(context, groups.group_of));
  OCTET_ASSIGN(outputs[3], vector_of(context, groups.counts));
  return outputs;
}

Result<Facts> infer_unique(const InferContext& context) {
  const ir::Shape& x = context.shape(0);
  const ir::Shape list = unknown_shape(1);
  Facts out = {fact(context.type(0).storage, ir::Shape()), fact(DType::kInt64, list),
               fact(DType::kInt64, list), fact(DType::kInt64, list)};
  if (!ir::has_attribute(context.node, "axis")) {
    out[0].type.shape = list;
  } else if (x.has_rank()) {
    OCTET_ASSIGN(const auto attributes, UniqueAttributes::from(context.node, x.rank()));
    std::vector<ir::Dim> dims = x.dims();
    dims[static_cast<size_t>(*attributes.axis)] = ir::Dim();
    out[0].type.shape = ir::Shape(std::move(dims));
  }
  return out;
}

}  // namespace

OpSchema Unique_schema() {
  return {.name = "Unique",
          .since = 11,
          .roles = {Role::kData},
          .infer = infer_unique,
          .evaluate = evaluate_unique};
}

}  // namespace octet::ops
