// NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss (ai.onnx 12 and 13): the score of the right
// class, weighted by class and averaged. onnx/docs/Operators.md, by these names.
#include <algorithm>
#include <cmath>
#include <optional>

#include "compiler/ops/doubles.h"
#include "compiler/ops/infer_helpers.h"

namespace octet::ops {
namespace {

enum class Reduction { kNone, kSum, kMean };

Result<Reduction> reduction_of(const ir::Node& node) {
  const std::string text = ir::string_attribute(node, "reduction", "mean");
  if (text == "none") return Reduction::kNone;
  if (text == "sum") return Reduction::kSum;
  if (text == "mean") return Reduction::kMean;
  return malformed("attribute reduction: not one of none, sum, mean");
}

// Scores as [batch, classes, positions].
struct Classes {
  int64_t batch = 0;
  int64_t classes = 0;
  int64_t positions = 1;
  std::vector<int64_t> labels_shape;
};

Result<Classes> classes_of(const EvaluateContext& context) {
  const std::vector<int64_t>& shape = context.input(0).shape();
  if (shape.size() < 2) return malformed("input 0: rank ", shape.size(), "; at least 2 is needed");
  Classes out;
  out.batch = shape[0];
  out.classes = shape[1];
  out.labels_shape = shape;
  out.labels_shape.erase(out.labels_shape.begin() + 1);
  OCTET_TRY(require_shape(context, 1, out.labels_shape));
  OCTET_ASSIGN(out.positions, element_product(std::span(shape).subspan(2)));
  if (context.has_input(2)) {
    OCTET_TRY(require_dtype(context, 2, context.input(0).dtype()));
    OCTET_TRY(require_shape(context, 2, std::vector<int64_t>{out.classes}));
  }
  const DType labels = context.input(1).dtype();
  if (labels != DType::kInt32 && labels != DType::kInt64) {
    return malformed("input 1: ", numerics::dtype_name(labels), ", must be int32 or int64");
  }
  return out;
}

struct Losses {
  Scratch<double> of_each;
  double sum = 0;
  double weight = 0;
};

// -log_prob[label] * weight[label], 0 where the label is to be ignored.
Result<Losses> losses_of(const EvaluateContext& context, const Classes& sizes,
                         std::span<const double> log_prob) {
  OCTET_ASSIGN(auto weights, optional_doubles_of(context, 2));
  const Tensor& labels = context.input(1);
  std::optional<int64_t> ignored;
  if (ir::has_attribute(context.node, "ignore_index")) {
    ignored = ir::int_attribute(context.node, "ignore_index", 0);
  }
  OCTET_ASSIGN(auto each, Scratch<double>::make(context, labels.element_count()));
  Losses out{std::move(each)};
  for (int64_t i = 0; i < labels.element_count(); ++i) {
    const int64_t label = labels.at_as_int64(i);
    if (label == ignored) continue;
    if (label < 0 || label >= sizes.classes) {
      return malformed("input 1: label ", label, " for ", sizes.classes, " classes");
    }
    const int64_t n = i / sizes.positions;
    const int64_t at = (n * sizes.classes + label) * sizes.positions + i % sizes.positions;
    const double weight = weights.span().empty() ? 1 : weights[static_cast<size_t>(label)];
    const double loss = -log_prob[static_cast<size_t>(at)] * weight;
    out.of_each[static_cast<size_t>(i)] = loss;
    out.sum += loss;
    out.weight += weight;
  }
  return out;
}

Result<Tensor> reduced_loss(const EvaluateContext& context, const Classes& sizes,
                            std::span<const double> log_prob) {
  const DType dtype = context.input(0).dtype();
  OCTET_ASSIGN(const Reduction reduction, reduction_of(context.node));
  OCTET_ASSIGN(Losses losses, losses_of(context, sizes, log_prob));
  if (reduction == Reduction::kNone) {
    return tensor_of_doubles(context, dtype, sizes.labels_shape, losses.of_each.span());
  }
  const double one = reduction == Reduction::kSum ? losses.sum : losses.sum / losses.weight;
  return tensor_of_doubles(context, dtype, {}, std::span(&one, 1));
}

Result<Tensors> evaluate_nll(const EvaluateContext& context) {
  OCTET_ASSIGN(const Classes sizes, classes_of(context));
  OCTET_ASSIGN(auto log_prob, doubles_of(context, 0));
  OCTET_ASSIGN(Tensor loss, reduced_loss(context, sizes, log_prob.span()));
  return one_tensor(std::move(loss));
}

// In place, along the axis of the classes.
void log_softmax(const Classes& sizes, std::span<double> x) {
  for (int64_t n = 0; n < sizes.batch; ++n) {
    for (int64_t p = 0; p < sizes.positions; ++p) {
      double* row = x.data() + n * sizes.classes * sizes.positions + p;
      double top = row[0];
      for (int64_t c = 1; c < sizes.classes; ++c) top = std::max(top, row[c * sizes.positions]);
      double sum = 0;
      for (int64_t c = 0; c < sizes.classes; ++c) sum += std::exp(row[c * sizes.positions] - top);
      const double log_sum = std::log(sum);
      for (int64_t c = 0; c < sizes.classes; ++c) row[c * sizes.positions] -= top + log_sum;
    }
  }
}

Result<Tensors> evaluate_cross_entropy(const EvaluateContext& context) {
  OCTET_ASSIGN(const Classes sizes, classes_of(context));
  OCTET_ASSIGN(auto log_prob, doubles_of(context, 0));
  if (!log_prob.span().empty()) log_softmax(sizes, log_prob.span());
  Tensors outputs(1);
  OCTET_ASSIGN(outputs[0], reduced_loss(context, sizes, log_prob.span()));
  if (context.node.output(1).valid()) {
    const Tensor& x = context.input(0);
    outputs.emplace_back();
    OCTET_ASSIGN(outputs[1], tensor_of_doubles(context, x.dtype(), x.shape(), log_prob.span()));
  }
  return outputs;
}

Result<Facts> infer_loss(const InferContext& context) {
  const ir::Shape& x = context.shape(0);
  OCTET_TRY(common_dtype(context, {0, 2}));
  OCTET_ASSIGN(const Reduction reduction, reduction_of(context.node));
  if (x.has_rank() && x.rank() < 2) {
    return malformed("input 0: rank ", x.rank(), "; at least 2 is needed");
  }
  if (x.has_rank()) OCTET_TRY(require_rank(context, 1, x.rank() - 1));
  OCTET_TRY(require_rank(context, 2, 1));
  ir::Shape shape(std::vector<ir::Dim>{});
  if (reduction == Reduction::kNone) shape = context.shape(1);
  Facts out = {fact(context.type(0).storage, shape)};
  if (context.node.op_type == "SoftmaxCrossEntropyLoss") {
    out.push_back(fact(context.type(0).storage, x));
  }
  return out;
}

OpSchema loss(std::string_view name, EvaluateFunction evaluate) {
  return {.name = name,
          .since = 12,
          .roles = {Role::kData, Role::kIndex, Role::kParameter},
          .required = 2,
          .max_inputs = 3,
          .infer = infer_loss,
          .evaluate = evaluate};
}

}  // namespace

OpSchema NegativeLogLikelihoodLoss_schema() {
  return loss("NegativeLogLikelihoodLoss", evaluate_nll);
}
OpSchema SoftmaxCrossEntropyLoss_schema() {
  return loss("SoftmaxCrossEntropyLoss", evaluate_cross_entropy);
}

}  // namespace octet::ops
