// Slice (attributes before opset 10, operands since): a strided range on each of some axes.
#include <algorithm>
#include <limits>

#include "compiler/ops/packed.h"
#include "compiler/ops/shape_operands.h"
#include "compiler/ops/strided.h"

namespace octet::ops {
namespace {

// Beyond it inference does not count: no tensor is that long.
constexpr int64_t kMaxExtent = int64_t{1} << 48;

// The elements first, first + step, ... on one axis.
struct Range {
  int64_t first = 0;
  int64_t step = 1;
  int64_t count = 0;
};

// Bounds as in numpy: negative ones count from the end, then both are clamped.
Range resolve(int64_t start, int64_t end, int64_t step, int64_t extent) {
  const auto from_end = [extent](int64_t bound) { return bound < 0 ? bound + extent : bound; };
  Range out;
  // Steps beyond the extent all mean "one element"; clamped so that nothing can overflow.
  out.step = std::clamp(step, -extent - 1, extent + 1);
  if (step > 0) {
    out.first = std::clamp<int64_t>(from_end(start), 0, extent);
    const int64_t last = std::clamp<int64_t>(from_end(end), 0, extent);
    if (last > out.first) out.count = (last - out.first - 1) / out.step + 1;
  } else if (extent > 0) {
    out.first = std::clamp<int64_t>(from_end(start), -1, extent - 1);
    const int64_t last = std::clamp<int64_t>(from_end(end), -1, extent - 1);
    if (out.first > last) out.count = (out.first - last - 1) / -out.step + 1;
  }
  return out;
}

// What a node asks for on the axes it names, each number if it is known.
struct Request {
  std::vector<int64_t> axes;
  std::vector<MaybeNumber> starts;
  std::vector<MaybeNumber> ends;
  std::vector<MaybeNumber> steps;
};

Status check_request(Request& request, size_t rank) {
  const size_t count = request.axes.size();
  if (request.starts.size() != count || request.ends.size() != count ||
      request.steps.size() != count) {
    return malformed(request.starts.size(), " starts, ", request.ends.size(), " ends, ", count,
                     " axes and ", request.steps.size(), " steps");
  }
  OCTET_ASSIGN(request.axes, normalize_axes(request.axes, rank));
  for (const MaybeNumber& step : request.steps) {
    if (step == 0) return malformed("steps: 0");
  }
  return {};
}

std::vector<int64_t> first_axes(size_t count) {
  std::vector<int64_t> out(count);
  for (size_t i = 0; i < count; ++i) out[i] = static_cast<int64_t>(i);
  return out;
}

std::vector<MaybeNumber> maybe(const std::vector<int64_t>& numbers) {
  return {numbers.begin(), numbers.end()};
}

Result<Request> request_from_attributes(const ir::Node& node) {
  if (!ir::has_attribute(node, "starts") || !ir::has_attribute(node, "ends")) {
    return malformed("attributes starts and ends: missing");
  }
  Request out;
  out.starts = maybe(ir::ints_attribute(node, "starts"));
  out.ends = maybe(ir::ints_attribute(node, "ends"));
  out.axes = ir::ints_attribute(node, "axes", first_axes(out.starts.size()));
  out.steps.assign(out.starts.size(), 1);
  return out;
}

// Nothing when not even the axes are known.
Result<std::optional<Request>> request_of(const InferContext& context, size_t rank) {
  Request out;
  if (context.opset() < 10) {
    OCTET_ASSIGN(out, request_from_attributes(context.node));
    OCTET_TRY(check_request(out, rank));
    return std::optional(out);
  }
  if (!context.has_input(1) || !context.has_input(2)) {
    return malformed("input ", context.has_input(1) ? 2 : 1, " is missing");
  }
  auto starts = maybe_numbers(context, 1);
  auto ends = maybe_numbers(context, 2);
  const auto axes = known_numbers(context, 3);
  if (context.has_input(3) && !axes) return std::optional<Request>();
  const size_t unknown_count = axes ? axes->size() : 0;
  if (!axes && !starts && !ends) return std::optional<Request>();
  const size_t count = axes ? unknown_count : starts ? starts->size() : ends->size();
  out.starts = starts ? *starts : std::vector<MaybeNumber>(count);
  out.ends = ends ? *ends : std::vector<MaybeNumber>(count);
  out.axes = axes ? *axes : first_axes(count);
  const auto steps = maybe_numbers(context, 4);
  out.steps = steps                  ? *steps
              : context.has_input(4) ? std::vector<MaybeNumber>(count)
                                     : std::vector<MaybeNumber>(count, 1);
  OCTET_TRY(check_request(out, rank));
  return std::optional(out);
}

Result<Request> request_of(const EvaluateContext& context, size_t rank) {
  Request out;
  if (context.opset < 10) {
    OCTET_ASSIGN(out, request_from_attributes(context.node));
    OCTET_TRY(check_request(out, rank));
    return out;
  }
  OCTET_ASSIGN(const auto starts, numbers_of(context, 1));
  OCTET_ASSIGN(const auto ends, numbers_of(context, 2));
  out.starts = maybe(starts);
  out.ends = maybe(ends);
  out.axes = first_axes(starts.size());
  out.steps.assign(starts.size(), 1);
  if (context.has_input(3)) {
    OCTET_ASSIGN(out.axes, numbers_of(context, 3));
  }
  if (context.has_input(4)) {
    OCTET_ASSIGN(const auto steps, numbers_of(context, 4));
    out.steps = maybe(steps);
  }
  OCTET_TRY(check_request(out, rank));
  return out;
}

// Exporters write the greatest int32 or int64 for "to the end".
bool is_to_the_end(const MaybeNumber& end) {
  return end && *end >= std::numeric_limits<int32_t>::max();
}

ir::Dim sliced(const ir::Dim& dim, const MaybeNumber& start, const MaybeNumber& end,
               const MaybeNumber& step) {
  if (start == 0 && step == 1 && is_to_the_end(end)) return dim;
  if (!start || !end || !step) return {};
  if (dim.is_static()) {
    if (dim.extent() > kMaxExtent) return {};
    return resolve(*start, *end, *step, dim.extent()).count;
  }
  if (*start >= 0 && *end >= 0 && *end <= *start && *step > 0) return ir::Dim(0);
  return {};
}

std::optional<std::vector<ir::Dim>> sliced_elements(const InferContext& context,
                                                    const Request& request) {
  auto elements = context.elements(0);
  if (!elements || request.axes.size() > 1) return std::nullopt;
  if (request.axes.empty()) return elements;
  if (!request.starts[0] || !request.ends[0] || !request.steps[0]) return std::nullopt;
  const Range range = resolve(*request.starts[0], *request.ends[0], *request.steps[0],
                              static_cast<int64_t>(elements->size()));
  std::vector<ir::Dim> out;
  for (int64_t i = 0; i < range.count; ++i) {
    out.push_back((*elements)[static_cast<size_t>(range.first + i * range.step)]);
  }
  return out;
}

Result<Facts> infer_slice(const InferContext& context) {
  const ir::Shape& x = context.shape(0);
  if (!x.has_rank()) return Facts{passed_through(context, x)};
  OCTET_ASSIGN(const auto request, request_of(context, x.rank()));
  if (!request) return Facts{passed_through(context, unknown_shape(x.rank()))};
  std::vector<ir::Dim> dims = x.dims();
  for (size_t i = 0; i < request->axes.size(); ++i) {
    ir::Dim& dim = dims[static_cast<size_t>(request->axes[i])];
    dim = sliced(dim, request->starts[i], request->ends[i], request->steps[i]);
  }
  Facts out = {passed_through(context, ir::Shape(std::move(dims)))};
  if (x.rank() == 1) keep_elements(out[0], sliced_elements(context, *request));
  return out;
}

Result<Tensors> evaluate_slice(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  OCTET_ASSIGN(const size_t width, element_width(x.dtype()));
  OCTET_ASSIGN(const Request request, request_of(context, x.rank()));
  StridedCopy copy;
  copy.shape = x.shape();
  copy.from_strides = row_major_strides(x.shape());
  for (size_t i = 0; i < request.axes.size(); ++i) {
    const auto axis = static_cast<size_t>(request.axes[i]);
    const Range range =
        resolve(*request.starts[i], *request.ends[i], *request.steps[i], x.shape()[axis]);
    copy.shape[axis] = range.count;
    if (range.count > 0) copy.from_offset += range.first * copy.from_strides[axis];
    if (range.count > 1) copy.from_strides[axis] *= range.step;
  }
  OCTET_ASSIGN(Tensor y, context.allocate(x.dtype(), copy.shape));
  copy.to_strides = row_major_strides(copy.shape);
  copy_strided(copy, width, x.bytes().data(), writable_bytes(y));
  return one_tensor(std::move(y));
}

}  // namespace

OpSchema Slice_schema() {
  return {.name = "Slice",
          .roles = {Role::kData, Role::kShape},
          .max_inputs = 5,
          .behaviour = QuantBehaviour::kPassesThrough,
          .infer = infer_slice,
          .evaluate = move_any_width<evaluate_slice>};
}

}  // namespace octet::ops
