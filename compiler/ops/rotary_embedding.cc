// RotaryEmbedding (ai.onnx 23): pairs of features turned by an angle that depends on the position.
// onnx/docs/Operators.md, RotaryEmbedding.
#include <algorithm>
#include <cmath>

#include "compiler/ops/doubles.h"
#include "compiler/ops/index_operand.h"
#include "compiler/ops/infer_helpers.h"

namespace octet::ops {
namespace {

struct RotarySizes {
  int64_t batch = 0;
  int64_t heads = 0;
  int64_t length = 0;
  int64_t size = 0;     // of a head
  int64_t half = 0;     // of the part that is turned
  bool packed = false;  // [batch, length, heads * size]

  int64_t row(int64_t b, int64_t h, int64_t s) const {
    return packed ? ((b * length + s) * heads + h) * size : ((b * heads + h) * length + s) * size;
  }
};

Result<RotarySizes> rotary_sizes(const EvaluateContext& context) {
  const std::vector<int64_t>& x = context.input(0).shape();
  if (x.size() != 3 && x.size() != 4) return malformed("input 0: rank ", x.size(), ", not 3 or 4");
  RotarySizes out;
  out.batch = x[0];
  if (x.size() == 4) {
    out.heads = x[1];
    out.length = x[2];
    out.size = x[3];
  } else {
    out.packed = true;
    out.heads = ir::int_attribute(context.node, "num_heads", 0);
    if (out.heads < 1 || x[2] % out.heads != 0) {
      return malformed("input 0: ", x[2], " columns for ", out.heads, " heads");
    }
    out.length = x[1];
    out.size = x[2] / out.heads;
  }
  int64_t turned = ir::int_attribute(context.node, "rotary_embedding_dim", 0);
  if (turned == 0) turned = out.size;
  if (turned < 0 || turned > out.size || turned % 2 != 0) {
    return malformed("a rotary dimension of ", turned, " for heads of ", out.size);
  }
  out.half = turned / 2;
  return out;
}

// Each pair (x1, x2) becomes (cos x1 - sin x2, sin x1 + cos x2).
Result<Tensors> evaluate_rotary_embedding(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  OCTET_ASSIGN(const RotarySizes sizes, rotary_sizes(context));
  const bool interleaved = ir::int_attribute(context.node, "interleaved", 0) != 0;
  const bool by_position = context.has_input(3);
  for (size_t operand : {1, 2}) {
    OCTET_TRY(by_position
                  ? require_shape(context, operand, std::vector<int64_t>{-1, sizes.half})
                  : require_shape(context, operand,
                                  std::vector<int64_t>{sizes.batch, sizes.length, sizes.half}));
  }
  if (by_position) {
    OCTET_TRY(require_shape(context, 3, std::vector<int64_t>{sizes.batch, sizes.length}));
  }
  if (context.input(1).shape() != context.input(2).shape()) {
    return malformed("input 2: its shape is not that of input 1");
  }
  OCTET_ASSIGN(auto from, doubles_of(context, 0));
  OCTET_ASSIGN(auto cosines, doubles_of(context, 1));
  OCTET_ASSIGN(auto sines, doubles_of(context, 2));
  OCTET_ASSIGN(auto y, Scratch<double>::make(context, x.element_count()));
  std::copy(from.span().begin(), from.span().end(), y.span().begin());
  for (int64_t b = 0; b < sizes.batch; ++b) {
    for (int64_t s = 0; s < sizes.length; ++s) {
      int64_t position = b * sizes.length + s;
      if (by_position) {
        OCTET_ASSIGN(const IndexReader reader, IndexReader::make(context, 3));
        OCTET_ASSIGN(position, reader.at(position, context.input(1).shape()[0]));
      }
      const double* cosine = cosines.span().data() + position * sizes.half;
      const double* sine = sines.span().data() + position * sizes.half;
      for (int64_t h = 0; h < sizes.heads; ++h) {
        const double* row = from.span().data() + sizes.row(b, h, s);
        double* to = y.span().data() + sizes.row(b, h, s);
        for (int64_t i = 0; i < sizes.half; ++i) {
          const int64_t first = interleaved ? 2 * i : i;
          const int64_t second = interleaved ? 2 * i + 1 : i + sizes.half;
          to[first] = cosine[i] * row[first] - sine[i] * row[second];
          to[second] = sine[i] * row[first] + cosine[i] * row[second];
        }
      }
    }
  }
  OCTET_ASSIGN(Tensor out, tensor_of_doubles(context, x.dtype(), x.shape(), y.span()));
  return one_tensor(std::move(out));
}

Result<Facts> infer_rotary_embedding(const InferContext& context) {
  OCTET_TRY(common_dtype(context, {0, 1, 2}));
  const ir::Shape& x = context.shape(0);
  if (x.has_rank() && x.rank() != 3 && x.rank() != 4) {
    return malformed("input 0: rank ", x.rank(), ", not 3 or 4");
  }
  return infer_same_as_input(context);
}

}  // namespace

OpSchema RotaryEmbedding_schema() {
  return {.name = "RotaryEmbedding",
          .since = 23,
          .roles = {Role::kData, Role::kParameter, Role::kParameter, Role::kIndex},
          .required = 3,
          .max_inputs = 4,
          .infer = infer_rotary_embedding,
          .evaluate = evaluate_rotary_embedding};
}

}  // namespace octet::ops
