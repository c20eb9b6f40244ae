// NonMaxSuppression (ai.onnx 10, 11): boxes in the order of their scores, without those that
// overlap one chosen before. In float32, as the text's types are. onnx/docs/Operators.md,
// NonMaxSuppression.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include "compiler/ops/doubles.h"
#include "compiler/ops/infer_helpers.h"

namespace octet::ops {
namespace {

struct Box {
  float y1, x1, y2, x2;  // y1 <= y2, x1 <= x2
  float area() const { return (x2 - x1) * (y2 - y1); }
};

enum class BoxFormat { kCorners, kCenter };

Box box_at(const float* p, BoxFormat format) {
  if (format == BoxFormat::kCenter) {
    return {p[1] - p[3] / 2, p[0] - p[2] / 2, p[1] + p[3] / 2, p[0] + p[2] / 2};
  }
  return {std::min(p[0], p[2]), std::min(p[1], p[3]), std::max(p[0], p[2]), std::max(p[1], p[3])};
}

// Intersection over union; 0 where either is empty.
float overlap(const Box& a, const Box& b) {
  const float height = std::min(a.y2, b.y2) - std::max(a.y1, b.y1);
  const float width = std::min(a.x2, b.x2) - std::max(a.x1, b.x1);
  if (!(height > 0) || !(width > 0)) return 0;
  const float shared = width * height;
  const float both = a.area() + b.area() - shared;
  if (!(a.area() > 0) || !(b.area() > 0) || !(both > 0)) return 0;
  return shared / both;
}

struct Limits {
  int64_t boxes_per_class = 0;
  float overlap = 0;
  std::optional<float> score;

  static Result<Limits> from(const EvaluateContext& context) {
    Limits out;
    for (size_t i = 2; i < 5; ++i) {
      if (!context.has_input(i)) continue;
      const Tensor& tensor = context.input(i);
      OCTET_TRY(require_dtype(context, i, i == 2 ? DType::kInt64 : DType::kFloat32));
      if (tensor.element_count() != 1) {
        return malformed("input ", i, ": ", tensor.element_count(), " elements, must be 1");
      }
      if (i == 2) out.boxes_per_class = std::max<int64_t>(0, tensor.at_as_int64(0));
      if (i == 3) out.overlap = tensor.data<float>()[0];
      if (i == 4) out.score = tensor.data<float>()[0];
    }
    return out;
  }
};

// Indices of boxes by falling score, equal ones in their order; NaN comes last.
std::vector<int64_t> candidates(std::span<const float> scores, std::optional<float> least) {
  const auto key = [&](int64_t i) {
    const float score = scores[static_cast<size_t>(i)];
    return std::isnan(score) ? -std::numeric_limits<float>::infinity() : score;
  };
  std::vector<int64_t> out;
  for (size_t i = 0; i < scores.size(); ++i) {
    if (!least || scores[i] > *least) out.push_back(static_cast<int64_t>(i));
  }
  std::stable_sort(out.begin(), out.end(), [&](int64_t a, int64_t b) { return key(a) > key(b); });
  return out;
}

Result<Tensors> evaluate_nms(const EvaluateContext& context) {
  const Tensor& boxes = context.input(0);
  const Tensor& scores = context.input(1);
  OCTET_TRY(require_dtype(context, 0, DType::kFloat32));
  OCTET_TRY(require_dtype(context, 1, DType::kFloat32));
  OCTET_TRY(require_shape(context, 0, std::vector<int64_t>{-1, -1, 4}));
  const int64_t batch = boxes.shape()[0];
  const int64_t count = boxes.shape()[1];
  OCTET_TRY(require_shape(context, 1, std::vector<int64_t>{batch, -1, count}));
  const int64_t classes = scores.shape()[1];
  OCTET_ASSIGN(const Limits limits, Limits::from(context));
  const BoxFormat format = ir::int_attribute(context.node, "center_point_box", 0) != 0
                               ? BoxFormat::kCenter
                               : BoxFormat::kCorners;
  // Room for the candidates of one class, and for the picks of all.
  ChargedBytes charged(context.budget);
  OCTET_TRY(charged.charge(count * static_cast<int64_t>(sizeof(int64_t))));
  std::vector<int64_t> picked;  // batch, class, box
  for (int64_t b = 0; b < batch && limits.boxes_per_class > 0 && count > 0; ++b) {
    for (int64_t c = 0; c < classes; ++c) {
      const auto row = scores.data<float>().subspan(static_cast<size_t>((b * classes + c) * count),
                                                    static_cast<size_t>(count));
      std::vector<Box> chosen;
      for (int64_t i : candidates(row, limits.score)) {
        if (static_cast<int64_t>(chosen.size()) == limits.boxes_per_class) break;
        const Box box = box_at(boxes.data<float>().data() + (b * count + i) * 4, format);
        if (std::any_of(chosen.begin(), chosen.end(),
                        [&](const Box& other) { return overlap(box, other) > limits.overlap; })) {
          continue;
        }
        OCTET_TRY(charged.charge(3 * static_cast<int64_t>(sizeof(int64_t))));
        chosen.push_back(box);
        picked.insert(picked.end(), {b, c, i});
      }
    }
  }
  OCTET_ASSIGN(Tensor out,
               context.allocate(DType::kInt64, {static_cast<int64_t>(picked.size() / 3), 3}));
  std::copy(picked.begin(), picked.end(), out.mutable_data<int64_t>().begin());
  return one_tensor(std::move(out));
}

Result<Facts> infer_nms(const InferContext& context) {
  OCTET_TRY(require_rank(context, 0, 3));
  OCTET_TRY(require_rank(context, 1, 3));
  return one_fact(DType::kInt64, ir::Shape({ir::Dim(), ir::Dim(3)}));
}

}  // namespace

OpSchema NonMaxSuppression_schema() {
  return {.name = "NonMaxSuppression",
          .since = 10,
          .roles = {Role::kParameter, Role::kParameter, Role::kShape, Role::kParameter},
          .required = 2,
          .max_inputs = 5,
          .infer = infer_nms,
          .evaluate = evaluate_nms};
}

}  // namespace octet::ops
