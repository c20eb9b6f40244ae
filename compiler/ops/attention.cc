// Attention (ai.onnx 23 and 24): softmax(softcap(Q K' * scale) + bias) V per head, with grouped
// heads and a cache of keys and values. onnx/docs/Operators.md, Attention.
#include <algorithm>
#include <cmath>
#include <limits>

#include "compiler/ops/doubles.h"
#include "compiler/ops/infer_helpers.h"

namespace octet::ops {
namespace {

constexpr size_t kQuery = 0;
constexpr size_t kKey = 1;
constexpr size_t kValue = 2;
constexpr size_t kMask = 3;
constexpr size_t kPastKey = 4;
constexpr size_t kPastValue = 5;
constexpr size_t kLengths = 6;

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

// One operand as [batch, heads, length, size], whatever its layout.
struct Heads {
  int64_t heads = 1;
  int64_t length = 0;
  int64_t size = 0;
  bool packed = false;  // [batch, length, heads * size]

  int64_t row(int64_t b, int64_t h, int64_t s) const {
    return packed ? ((b * length + s) * heads + h) * size : ((b * heads + h) * length + s) * size;
  }
};

Result<Heads> heads_of(const EvaluateContext& context, size_t operand, int64_t heads,
                       int64_t batch) {
  const std::vector<int64_t>& shape = context.input(operand).shape();
  if (shape.size() != context.input(kQuery).rank() || shape[0] != batch) {
    return malformed("input ", operand, ": ", context.input(operand).type().to_string(),
                     " beside a query of ", context.input(kQuery).type().to_string());
  }
  Heads out;
  if (shape.size() == 4) {
    out = {shape[1], shape[2], shape[3], false};
    return out;
  }
  if (heads < 1) return malformed("inputs of rank 3 need the attributes of the numbers of heads");
  if (shape[2] % heads != 0) {
    return malformed("input ", operand, ": ", shape[2], " columns for ", heads, " heads");
  }
  out = {heads, shape[1], shape[2] / heads, true};
  return out;
}

struct Sizes {
  int64_t batch = 0;
  Heads q, k, v;
  int64_t past = 0;
  int64_t total = 0;  // past + length of the keys
};

Result<int64_t> past_length(const EvaluateContext& context, const Sizes& sizes) {
  if (context.has_input(kPastKey) != context.has_input(kPastValue)) {
    return malformed("past_key and past_value go together");
  }
  if (!context.has_input(kPastKey)) return 0;
  if (context.input(kPastKey).rank() != 4) return malformed("input 4: rank must be 4");
  const int64_t past = context.input(kPastKey).shape()[2];
  OCTET_TRY(require_shape(context, kPastKey,
                          std::vector<int64_t>{sizes.batch, sizes.k.heads, past, sizes.k.size}));
  OCTET_TRY(require_shape(context, kPastValue,
                          std::vector<int64_t>{sizes.batch, sizes.v.heads, past, sizes.v.size}));
  return past;
}

Result<Sizes> sizes_of(const EvaluateContext& context) {
  const Tensor& q = context.input(kQuery);
  if (q.rank() != 3 && q.rank() != 4) return malformed("input 0: rank ", q.rank(), ", not 3 or 4");
  const int64_t q_heads = ir::int_attribute(context.node, "q_num_heads", 0);
  const int64_t kv_heads = ir::int_attribute(context.node, "kv_num_heads", 0);
  Sizes out;
  out.batch = q.shape()[0];
  OCTET_ASSIGN(out.q, heads_of(context, kQuery, q_heads, out.batch));
  OCTET_ASSIGN(out.k, heads_of(context, kKey, kv_heads, out.batch));
  OCTET_ASSIGN(out.v, heads_of(context, kValue, kv_heads, out.batch));
  if (out.k.heads != out.v.heads || out.k.length != out.v.length || out.k.size != out.q.size) {
    return malformed("query ", q.type().to_string(), ", key ",
                     context.input(kKey).type().to_string(), " and value ",
                     context.input(kValue).type().to_string(), " do not go together");
  }
  if (out.k.heads < 1 || out.q.heads % out.k.heads != 0) {
    return malformed(out.q.heads, " heads of the query for ", out.k.heads, " of key and value");
  }
  OCTET_ASSIGN(out.past, past_length(context, out));
  const auto total = checked_add(out.past, out.k.length);
  if (!total) return resource_limit("a sequence of ", out.past, " and ", out.k.length);
  out.total = *total;
  return out;
}

// Past and current rows of one operand as [batch, heads, total, size].
Result<Scratch<double>> joined(const EvaluateContext& context, const Sizes& sizes, size_t operand,
                               const Heads& heads, size_t past_operand) {
  OCTET_ASSIGN(auto now, doubles_of(context, operand));
  OCTET_ASSIGN(auto past, optional_doubles_of(context, past_operand));
  OCTET_ASSIGN(const int64_t count, element_product(std::vector<int64_t>{sizes.batch, heads.heads,
                                                                         sizes.total, heads.size}));
  OCTET_ASSIGN(auto out, Scratch<double>::make(context, count));
  double* to = out.span().data();
  for (int64_t b = 0; b < sizes.batch; ++b) {
    for (int64_t h = 0; h < heads.heads; ++h) {
      const double* from = past.span().data() + (b * heads.heads + h) * sizes.past * heads.size;
      to = std::copy_n(from, sizes.past * heads.size, to);
      for (int64_t s = 0; s < heads.length; ++s) {
        to = std::copy_n(now.span().data() + heads.row(b, h, s), heads.size, to);
      }
    }
  }
  return out;
}

// What is added to the scores: the mask, padded with minus infinity at the end of its rows.
class Bias {
 public:
  static Result<Bias> make(const EvaluateContext& context, const Sizes& sizes) {
    Bias out;
    out.past_ = sizes.past;
    out.causal_ = ir::int_attribute(context.node, "is_causal", 0) != 0;
    if (context.has_input(kLengths)) {
      OCTET_TRY(require_dtype(context, kLengths, DType::kInt64));
      OCTET_TRY(require_shape(context, kLengths, std::vector<int64_t>{sizes.batch}));
      out.lengths_ = context.input(kLengths).to_int64s();
    }
    if (!context.has_input(kMask)) return out;
    out.mask_ = &context.input(kMask);
    const Tensor& mask = *out.mask_;
    if (mask.dtype() != DType::kBool && mask.dtype() != context.input(kQuery).dtype()) {
      return malformed("input 3: ", numerics::dtype_name(mask.dtype()), ", must be bool or ",
                       numerics::dtype_name(context.input(kQuery).dtype()));
    }
    const std::vector<int64_t> scores = {sizes.batch, sizes.q.heads, sizes.q.length, sizes.total};
    bool fits = mask.rank() <= 4 && mask.rank() >= 1;
    out.strides_.assign(4, 0);
    int64_t stride = 1;
    for (size_t back = 1; fits && back <= mask.rank(); ++back) {
      const int64_t extent = mask.shape()[mask.rank() - back];
      const int64_t wanted = scores[4 - back];
      // Only the last axis may be shorter, and a single column is one column.
      fits = back == 1 ? extent <= wanted : extent == wanted || extent == 1;
      if (extent != 1 || back == 1) out.strides_[4 - back] = stride;
      stride *= extent;
    }
    if (!fits) {
      return malformed("input 3: ", mask.type().to_string(), " for scores of ",
                       ir::Shape::of(scores).to_string());
    }
    out.columns_ = mask.shape().back();
    return out;
  }

  double at(int64_t b, int64_t h, int64_t i, int64_t j) const {
    if (causal_ && j > past_ + i) return kMinusInfinity;
    if (!lengths_.empty() && j >= lengths_[static_cast<size_t>(b)]) return kMinusInfinity;
    if (mask_ == nullptr) return 0;
    if (j >= columns_) return kMinusInfinity;
    const int64_t at = b * strides_[0] + h * strides_[1] + i * strides_[2] + j * strides_[3];
    if (mask_->dtype() == DType::kBool) return mask_->at_as_int64(at) != 0 ? 0 : kMinusInfinity;
    return mask_->at_as_double(at);
  }

 private:
  const Tensor* mask_ = nullptr;
  std::vector<int64_t> strides_;
  int64_t columns_ = 0;
  std::vector<int64_t> lengths_;
  int64_t past_ = 0;
  bool causal_ = false;
};

// In place. Where everything is masked out nothing takes part, and all weights are 0: the text
// leaves it open (its function body divides 0 by 0), ONNX Runtime and PyTorch have it so.
void softmax(std::span<double> row) {
  const double top = row.empty() ? 0 : *std::max_element(row.begin(), row.end());
  if (top == kMinusInfinity) {
    std::fill(row.begin(), row.end(), 0.0);
    return;
  }
  double sum = 0;
  for (double& x : row) {
    x = std::exp(x - top);
    sum += x;
  }
  for (double& x : row) x /= sum;
}

enum class ScoresOutput { kRaw, kCapped, kBiased, kSoftmax };

class Attention {
 public:
  Attention(const EvaluateContext& context, const Sizes& sizes, Bias bias, ScoresOutput wanted)
      : sizes_(sizes), bias_(std::move(bias)), wanted_(wanted) {
    const auto size = static_cast<double>(sizes.q.size);
    scale_ = ir::float_attribute(context.node, "scale", 0.0F);
    if (!ir::has_attribute(context.node, "scale")) scale_ = 1.0 / std::sqrt(size);
    cap_ = ir::float_attribute(context.node, "softcap", 0.0F);
  }

  // Scores of one row of the query against all keys; `kept` gets the form that was asked for.
  void scores(const double* query, const double* keys, int64_t b, int64_t h, int64_t i,
              std::span<double> row, std::span<double> kept) const {
    for (int64_t j = 0; j < sizes_.total; ++j) {
      double sum = 0;
      for (int64_t d = 0; d < sizes_.q.size; ++d) sum += query[d] * keys[j * sizes_.q.size + d];
      row[static_cast<size_t>(j)] = sum * scale_;
    }
    keep(ScoresOutput::kRaw, row, kept);
    if (cap_ > 0) {
      for (double& x : row) x = std::tanh(x / cap_) * cap_;
    }
    keep(ScoresOutput::kCapped, row, kept);
    for (int64_t j = 0; j < sizes_.total; ++j) {
      row[static_cast<size_t>(j)] += bias_.at(b, h, i, j);
    }
    keep(ScoresOutput::kBiased, row, kept);
    softmax(row);
    keep(ScoresOutput::kSoftmax, row, kept);
  }

 private:
  void keep(ScoresOutput form, std::span<const double> row, std::span<double> kept) const {
    if (form == wanted_ && !kept.empty()) std::copy(row.begin(), row.end(), kept.begin());
  }

  const Sizes& sizes_;
  Bias bias_;
  ScoresOutput wanted_;
  double scale_ = 1;
  double cap_ = 0;
};

Result<ScoresOutput> scores_output(const ir::Node& node) {
  const int64_t mode = ir::int_attribute(node, "qk_matmul_output_mode", 0);
  if (mode < 0 || mode > 3) return malformed("attribute qk_matmul_output_mode is ", mode);
  return static_cast<ScoresOutput>(mode);
}

Result<Tensors> evaluate_attention(const EvaluateContext& context) {
  const DType dtype = context.input(kQuery).dtype();
  OCTET_TRY(require_dtype(context, kKey, dtype));
  OCTET_ASSIGN(const Sizes sizes, sizes_of(context));
  OCTET_ASSIGN(Bias bias, Bias::make(context, sizes));
  OCTET_ASSIGN(const ScoresOutput form, scores_output(context.node));
  const Attention attention(context, sizes, std::move(bias), form);
  OCTET_ASSIGN(auto q, doubles_of(context, kQuery));
  OCTET_ASSIGN(auto keys, joined(context, sizes, kKey, sizes.k, kPastKey));
  OCTET_ASSIGN(auto values, joined(context, sizes, kValue, sizes.v, kPastValue));

  const std::vector<int64_t> scores_shape = {sizes.batch, sizes.q.heads, sizes.q.length,
                                             sizes.total};
  OCTET_ASSIGN(const int64_t score_count, element_product(scores_shape));
  const bool keep = context.node.output(3).valid();
  OCTET_ASSIGN(auto kept, Scratch<double>::make(context, keep ? score_count : 0));
  OCTET_ASSIGN(auto row, Scratch<double>::make(context, sizes.total));
  const Heads out = {sizes.q.heads, sizes.q.length, sizes.v.size, sizes.q.packed};
  OCTET_ASSIGN(const int64_t out_count,
               element_product(std::vector<int64_t>{sizes.batch, out.heads, out.length, out.size}));
  OCTET_ASSIGN(auto y, Scratch<double>::make(context, out_count));
  const int64_t group = sizes.q.heads / sizes.k.heads;
  for (int64_t b = 0; b < sizes.batch; ++b) {
    for (int64_t h = 0; h < sizes.q.heads; ++h) {
      const int64_t cached = (b * sizes.k.heads + h / group) * sizes.total;
      const double* v = values.span().data() + cached * sizes.v.size;
      for (int64_t i = 0; i < sizes.q.length; ++i) {
        const int64_t at = ((b * sizes.q.heads + h) * sizes.q.length + i) * sizes.total;
        attention.scores(
            q.span().data() + sizes.q.row(b, h, i), keys.span().data() + cached * sizes.k.size, b,
            h, i, row.span(),
            keep ? kept.span().subspan(static_cast<size_t>(at), static_cast<size_t>(sizes.total))
                 : std::span<double>());
        double* to = y.span().data() + out.row(b, h, i);
        for (int64_t j = 0; j < sizes.total; ++j) {
          const double weight = row[static_cast<size_t>(j)];
          // A row that is masked out contributes nothing, whatever stands in it.
          if (weight == 0) continue;
          for (int64_t d = 0; d < out.size; ++d) to[d] += weight * v[j * out.size + d];
        }
      }
    }
  }
  Tensors outputs(4);
  std::vector<int64_t> y_shape = {sizes.batch, out.heads, out.length, out.size};
  if (out.packed) y_shape = {sizes.batch, out.length, out.heads * out.size};
  OCTET_ASSIGN(outputs[0], tensor_of_doubles(context, dtype, std::move(y_shape), y.span()));
  if (context.node.output(1).valid()) {
    OCTET_ASSIGN(
        outputs[1],
        tensor_of_doubles(context, dtype, {sizes.batch, sizes.k.heads, sizes.total, sizes.k.size},
                          keys.span()));
  }
  if (context.node.output(2).valid()) {
    OCTET_ASSIGN(
        outputs[2],
        tensor_of_doubles(context, context.input(kValue).dtype(),
                          {sizes.batch, sizes.v.heads, sizes.total, sizes.v.size}, values.span()));
  }
  if (keep) {
    OCTET_ASSIGN(outputs[3], tensor_of_doubles(context, dtype, scores_shape, kept.span()));
  }
  outputs.resize(std::max<size_t>(1, context.node.outputs.size()));
  return outputs;
}

// The axes of an operand as [batch, heads, length, size]; unknown where it cannot be told.
std::vector<ir::Dim> head_dims(const InferContext& context, size_t operand, int64_t heads) {
  const ir::Shape& shape = context.shape(operand);
  if (!shape.has_rank() || shape.rank() < 3) return std::vector<ir::Dim>(4);
  if (shape.rank() == 4) return shape.dims();
  ir::Dim size;
  if (shape[2].is_static() && heads > 0) size = shape[2].extent() / heads;
  return {shape[0], heads > 0 ? ir::Dim(heads) : ir::Dim(), shape[1], size};
}

ir::Dim sum_of(const ir::Dim& a, const ir::Dim& b) {
  if (!a.is_static() || !b.is_static()) return {};
  const auto sum = checked_add(a.extent(), b.extent());
  return sum ? ir::Dim(*sum) : ir::Dim();
}

Result<Facts> infer_attention(const InferContext& context) {
  OCTET_ASSIGN(const DType dtype, common_dtype(context, {kQuery, kKey}));
  const ir::Shape& query = context.shape(kQuery);
  if (query.has_rank() && query.rank() != 3 && query.rank() != 4) {
    return malformed("input 0: rank ", query.rank(), ", not 3 or 4");
  }
  for (size_t operand : {kKey, kValue}) {
    if (query.has_rank()) OCTET_TRY(require_rank(context, operand, query.rank()));
  }
  const int64_t kv_heads = ir::int_attribute(context.node, "kv_num_heads", 0);
  const auto q = head_dims(context, kQuery, ir::int_attribute(context.node, "q_num_heads", 0));
  const auto k = head_dims(context, kKey, kv_heads);
  const auto v = head_dims(context, kValue, kv_heads);
  ir::Dim total = k[2];
  if (context.has_input(kPastKey)) {
    const ir::Shape& past = context.shape(kPastKey);
    total = past.has_rank() && past.rank() == 4 ? sum_of(past[2], k[2]) : ir::Dim();
  }
  Facts out(4);
  out[0] = fact(dtype, ir::Shape());
  if (query.has_rank() && query.rank() == 4) {
    out[0] = fact(dtype, ir::Shape({q[0], q[1], q[2], v[3]}));
  } else if (query.has_rank()) {
    ir::Dim columns;
    if (q[1].is_static() && v[3].is_static()) {
      const auto product = checked_mul(q[1].extent(), v[3].extent());
      if (product) columns = *product;
    }
    out[0] = fact(dtype, ir::Shape({q[0], q[2], columns}));
  }
  out[1] = fact(dtype, ir::Shape({k[0], k[1], total, k[3]}));
  out[2] = fact(context.type(kValue).storage, ir::Shape({v[0], v[1], total, v[3]}));
  out[3] = fact(dtype, ir::Shape({q[0], q[1], q[2], total}));
  return out;
}

}  // namespace

OpSchema Attention_schema() {
  return {.name = "Attention",
          .since = 23,
          .roles = {Role::kData, Role::kData, Role::kData, Role::kParameter, Role::kData,
                    Role::kData, Role::kShape},
          .required = 3,
          .max_inputs = 7,
          .infer = infer_attention,
          .evaluate = evaluate_attention};
}

}  // namespace octet::ops
