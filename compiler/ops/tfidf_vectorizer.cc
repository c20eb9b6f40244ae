// TfIdfVectorizer (ai.onnx 9): counts of n-grams, weighted; of integers and of strings.
// onnx/docs/Operators.md, TfIdfVectorizer.
#include <algorithm>
#include <map>
#include <string>

#include "compiler/ops/doubles.h"
#include "compiler/ops/infer_helpers.h"

namespace octet::ops {
namespace {

enum class Weighting { kCount, kPresence, kWeightedCount };

// n-grams longer than this, or pools larger, have no meaning but the time they take.
constexpr int64_t kMaxGram = 1024;

struct VectorizerAttributes {
  Weighting weighting = Weighting::kCount;
  int64_t min_gram = 1;
  int64_t max_gram = 1;
  int64_t max_skip = 0;
  std::vector<int64_t> starts;   // ngram_counts
  std::vector<int64_t> columns;  // ngram_indexes
  std::vector<float> weights;
  int64_t width = 0;  // of the output

  static Result<VectorizerAttributes> from(const ir::Node& node) {
    VectorizerAttributes out;
    const std::string mode = ir::string_attribute(node, "mode", "");
    if (mode == "IDF") {
      out.weighting = Weighting::kPresence;
    } else if (mode == "TFIDF") {
      out.weighting = Weighting::kWeightedCount;
    } else if (mode != "TF") {
      return malformed("attribute mode: not one of TF, IDF, TFIDF");
    }
    out.min_gram = ir::int_attribute(node, "min_gram_length", 0);
    out.max_gram = ir::int_attribute(node, "max_gram_length", 0);
    out.max_skip = ir::int_attribute(node, "max_skip_count", 0);
    out.starts = ir::ints_attribute(node, "ngram_counts");
    out.columns = ir::ints_attribute(node, "ngram_indexes");
    out.weights = ir::floats_attribute(node, "weights");
    const bool lengths = out.min_gram >= 1 && out.max_gram >= out.min_gram &&
                         out.max_gram <= kMaxGram && out.max_skip >= 0;
    if (!lengths || static_cast<int64_t>(out.starts.size()) < out.max_gram || out.columns.empty()) {
      return malformed("n-grams of ", out.min_gram, " to ", out.max_gram, " with ", out.max_skip,
                       " skips, ", out.starts.size(), " starts and ", out.columns.size(),
                       " columns");
    }
    if (!out.weights.empty() && out.weights.size() != out.columns.size()) {
      return malformed("attribute weights: ", out.weights.size(), " numbers, ", out.columns.size(),
                       " expected");
    }
    for (int64_t column : out.columns) {
      if (column < 0 || column == INT64_MAX) return malformed("attribute ngram_indexes: ", column);
      out.width = std::max(out.width, column + 1);
    }
    return out;
  }
};

// Which n-gram of the pool a list of tokens is.
template <typename Token>
using Pool = std::map<std::vector<Token>, size_t>;

template <typename Token>
Result<Pool<Token>> pool_of(const VectorizerAttributes& attributes,
                            const std::vector<Token>& tokens) {
  Pool<Token> out;
  const auto size = static_cast<int64_t>(tokens.size());
  size_t index = 0;
  for (size_t n = 0; n < attributes.starts.size(); ++n) {
    const int64_t begin = attributes.starts[n];
    const int64_t end = n + 1 < attributes.starts.size() ? attributes.starts[n + 1] : size;
    const auto length = static_cast<int64_t>(n) + 1;
    if (begin < 0 || end < begin || end > size || (end - begin) % length != 0) {
      return malformed("attribute ngram_counts: ", length, "-grams from ", begin, " to ", end,
                       " of ", size);
    }
    for (int64_t at = begin; at < end; at += length) {
      if (index >= attributes.columns.size()) {
        return malformed("attribute ngram_indexes: ", attributes.columns.size(),
                         " columns for a larger pool");
      }
      if (length >= attributes.min_gram && length <= attributes.max_gram) {
        out.emplace(std::vector<Token>(tokens.begin() + at, tokens.begin() + at + length), index);
      }
      ++index;
    }
  }
  return out;
}

// Counts the n-grams of one row; those of one element are counted once, whatever the skips.
template <typename Token>
void count_row(const VectorizerAttributes& attributes, const Pool<Token>& pool,
               std::span<const Token> row, std::span<int64_t> counts) {
  const auto size = static_cast<int64_t>(row.size());
  for (int64_t length = attributes.min_gram; length <= attributes.max_gram; ++length) {
    const int64_t skips = length == 1 ? 0 : std::min(attributes.max_skip, size);
    for (int64_t step = 1; step <= skips + 1; ++step) {
      for (int64_t at = 0; at + step * (length - 1) < size; ++at) {
        std::vector<Token> gram;
        for (int64_t i = 0; i < length; ++i)
          gram.push_back(row[static_cast<size_t>(at + i * step)]);
        const auto found = pool.find(gram);
        if (found != pool.end()) ++counts[found->second];
      }
    }
  }
}

template <typename Token>
Result<Tensors> vectorize(const EvaluateContext& context, const VectorizerAttributes& attributes,
                          const std::vector<Token>& pool_tokens, std::span<const Token> tokens) {
  const Tensor& x = context.input(0);
  if (x.rank() != 1 && x.rank() != 2) return malformed("input 0: rank ", x.rank(), ", not 1 or 2");
  OCTET_ASSIGN(const Pool<Token> pool, pool_of(attributes, pool_tokens));
  const int64_t rows = x.rank() == 2 ? x.shape()[0] : 1;
  const auto columns = static_cast<size_t>(x.shape().back());
  std::vector<int64_t> shape = {attributes.width};
  if (x.rank() == 2) shape.insert(shape.begin(), rows);
  OCTET_ASSIGN(Tensor out, context.allocate(DType::kFloat32, shape));
  OCTET_ASSIGN(auto counts,
               Scratch<int64_t>::make(context, static_cast<int64_t>(attributes.columns.size())));
  const std::span<float> y = out.mutable_data<float>();
  for (int64_t r = 0; r < rows; ++r) {
    std::fill(counts.span().begin(), counts.span().end(), 0);
    count_row(attributes, pool, tokens.subspan(static_cast<size_t>(r) * columns, columns),
              counts.span());
    for (size_t i = 0; i < attributes.columns.size(); ++i) {
      if (counts[i] == 0) continue;
      const float weight = attributes.weights.empty() ? 1.0F : attributes.weights[i];
      float value = static_cast<float>(counts[i]);
      if (attributes.weighting == Weighting::kPresence) value = weight;
      if (attributes.weighting == Weighting::kWeightedCount) value *= weight;
      y[static_cast<size_t>(r * attributes.width + attributes.columns[i])] += value;
    }
  }
  return one_tensor(std::move(out));
}

std::vector<std::string> pool_strings(const ir::Node& node) {
  const auto at = node.attributes.find("pool_strings");
  if (at == node.attributes.end()) return {};
  const auto* list = std::get_if<std::vector<std::string>>(&at->second);
  return list != nullptr ? *list : std::vector<std::string>();
}

Result<Tensors> evaluate_tfidf(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  OCTET_ASSIGN(const auto attributes, VectorizerAttributes::from(context.node));
  if (x.dtype() == DType::kString) {
    return vectorize<std::string>(context, attributes, pool_strings(context.node), x.strings());
  }
  if (x.dtype() != DType::kInt32 && x.dtype() != DType::kInt64) {
    return unsupported_dtype(context, x.dtype());
  }
  OCTET_ASSIGN(auto tokens, Scratch<int64_t>::make(context, x.element_count()));
  for (int64_t i = 0; i < x.element_count(); ++i) {
    tokens[static_cast<size_t>(i)] = x.at_as_int64(i);
  }
  return vectorize<int64_t>(context, attributes, ir::ints_attribute(context.node, "pool_int64s"),
                            tokens.span());
}

Result<Facts> infer_tfidf(const InferContext& context) {
  OCTET_ASSIGN(const auto attributes, VectorizerAttributes::from(context.node));
  const ir::Shape& x = context.shape(0);
  if (!x.has_rank()) return one_fact(DType::kFloat32, ir::Shape());
  if (x.rank() != 1 && x.rank() != 2) return malformed("input 0: rank ", x.rank(), ", not 1 or 2");
  std::vector<ir::Dim> dims = {attributes.width};
  if (x.rank() == 2) dims.insert(dims.begin(), x[0]);
  return one_fact(DType::kFloat32, ir::Shape(std::move(dims)));
}

}  // namespace

OpSchema TfIdfVectorizer_schema() {
  return {.name = "TfIdfVectorizer",
          .since = 9,
          .roles = {Role::kParameter},
          .infer = infer_tfidf,
          .evaluate = evaluate_tfidf};
}

}  // namespace octet::ops
