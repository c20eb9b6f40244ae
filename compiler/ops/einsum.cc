// Einsum (onnx operator Einsum, opset 12): products summed over every label that is not in the
// output. An equation may hold an ellipsis, which stands for broadcast axes.
#include <algorithm>
#include <map>
#include <string>

#include "compiler/base/checked.h"
#include "compiler/ops/evaluate_helpers.h"
#include "compiler/ops/infer_helpers.h"

namespace octet::ops {
namespace {

constexpr size_t kMaxEquation = 1024;
constexpr size_t kMaxRank = 64;
// Products of one evaluation; more would not come to an end.
constexpr int64_t kMaxProducts = int64_t{1} << 38;

// A label is a letter, or an axis of the ellipsis counted from its last: kEllipsis + 0, 1, ...
using Label = int;
constexpr Label kEllipsis = 256;

struct Equation {
  std::vector<std::vector<Label>> operands;  // a label per axis
  std::vector<Label> output;
};

struct Term {
  std::string before;  // letters in front of the ellipsis; all of them when there is none
  std::string after;
  bool ellipsis = false;
};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

Result<Term> parse_term(std::string_view text) {
  Term term;
  for (size_t i = 0; i < text.size(); ++i) {
    if (is_letter(text[i])) {
      (term.ellipsis ? term.after : term.before) += text[i];
    } else if (text.substr(i, 3) == "..." && !term.ellipsis) {
      term.ellipsis = true;
      i += 2;
    } else {
      return malformed("attribute equation: unexpected character at position ", i, " of a term");
    }
  }
  return term;
}

std::vector<Label> labels_of(const Term& term, size_t ellipsis_rank) {
  std::vector<Label> out(term.before.begin(), term.before.end());
  for (size_t i = ellipsis_rank; term.ellipsis && i-- > 0;) {
    out.push_back(kEllipsis + static_cast<Label>(i));
  }
  out.insert(out.end(), term.after.begin(), term.after.end());
  return out;
}

Result<std::vector<Label>> explicit_output(std::string_view text, size_t ellipsis_rank,
                                           const std::map<Label, int>& uses) {
  OCTET_ASSIGN(const Term term, parse_term(text));
  const std::vector<Label> out = labels_of(term, ellipsis_rank);
  for (size_t i = 0; i < out.size(); ++i) {
    if (std::find(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(i), out[i]) !=
        out.begin() + static_cast<std::ptrdiff_t>(i)) {
      return malformed("attribute equation: output label '", static_cast<char>(out[i]),
                       "' repeated");
    }
    if (out[i] < kEllipsis && uses.count(out[i]) == 0) {
      return malformed("attribute equation: output label '", static_cast<char>(out[i]),
                       "' is in no operand");
    }
  }
  return out;
}

Result<Equation> parse_equation(std::string text, const std::vector<size_t>& ranks) {
  text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
  if (text.empty() || text.size() > kMaxEquation) {
    return malformed("attribute equation: ", text.size(), " characters; 1 to ", kMaxEquation,
                     " can be read");
  }
  const size_t arrow = text.find("->");
  std::vector<Term> terms;
  std::string_view left = std::string_view(text).substr(0, arrow);
  for (;;) {
    const size_t comma = left.find(',');
    OCTET_ASSIGN(Term term, parse_term(left.substr(0, comma)));
    terms.push_back(std::move(term));
    if (comma == std::string_view::npos) break;
    left.remove_prefix(comma + 1);
  }
  if (terms.size() != ranks.size()) {
    return malformed("attribute equation: ", terms.size(), " terms for ", ranks.size(), " inputs");
  }
  Equation out;
  std::map<Label, int> uses;  // in alphabetical order
  size_t ellipsis_rank = 0;
  for (size_t i = 0; i < terms.size(); ++i) {
    const size_t named = terms[i].before.size() + terms[i].after.size();
    if (ranks[i] > kMaxRank || ranks[i] < named || (!terms[i].ellipsis && ranks[i] != named)) {
      return malformed("input ", i, ": rank ", ranks[i], " for a term with ", named, " labels");
    }
    if (terms[i].ellipsis) ellipsis_rank = std::max(ellipsis_rank, ranks[i] - named);
    out.operands.push_back(labels_of(terms[i], ranks[i] - named));
    for (Label label : out.operands.back()) ++uses[label];
  }
  if (arrow != std::string::npos) {
    OCTET_ASSIGN(out.output,
                 explicit_output(std::string_view(text).substr(arrow + 2), ellipsis_rank, uses));
    return out;
  }
  for (size_t i = ellipsis_rank; i-- > 0;) out.output.push_back(kEllipsis + static_cast<Label>(i));
  for (const auto& [label, count] : uses) {
    if (count == 1 && label < kEllipsis) out.output.push_back(label);
  }
  return out;
}

Result<Facts> infer_einsum(const InferContext& context) {
  OCTET_ASSIGN(const DType dtype, common_dtype_of_all(context));
  std::vector<size_t> ranks;
  for (size_t i = 0; i < context.input_count(); ++i) {
    if (!context.has_input(i)) return malformed("input ", i, " is missing");
    if (!context.shape(i).has_rank()) return one_fact(dtype, ir::Shape());
    ranks.push_back(context.shape(i).rank());
  }
  OCTET_ASSIGN(const Equation equation,
               parse_equation(ir::string_attribute(context.node, "equation", ""), ranks));
  std::map<Label, ir::Dim> extents;
  for (size_t i = 0; i < ranks.size(); ++i) {
    for (size_t a = 0; a < ranks[i]; ++a) {
      const auto [at, fresh] = extents.emplace(equation.operands[i][a], context.shape(i)[a]);
      if (fresh) continue;
      OCTET_ASSIGN(at->second, broadcast_dim(at->second, context.shape(i)[a]));
    }
  }
  std::vector<ir::Dim> dims;
  for (Label label : equation.output) dims.push_back(extents[label]);
  return one_fact(dtype, ir::Shape(std::move(dims)));
}

// The labels as nested loops, output labels first; strides[operand][loop] in elements.
struct Loops {
  size_t outer = 0;  // loops of the output
  std::vector<int64_t> extents;
  std::vector<std::vector<int64_t>> strides;
};

Result<Loops> make_loops(const EvaluateContext& context, const Equation& equation) {
  std::map<Label, int64_t> extents;
  for (size_t i = 0; i < equation.operands.size(); ++i) {
    for (size_t a = 0; a < equation.operands[i].size(); ++a) {
      const int64_t extent = context.input(i).shape()[a];
      int64_t& known = extents.emplace(equation.operands[i][a], extent).first->second;
      if (known != extent && known != 1 && extent != 1) {
        return malformed("input ", i, ": extent ", extent, " on axis ", a, " where it is ", known,
                         " elsewhere");
      }
      if (known == 1) known = extent;
    }
  }
  std::vector<Label> order = equation.output;
  for (const auto& [label, extent] : extents) {
    if (std::find(equation.output.begin(), equation.output.end(), label) == equation.output.end()) {
      order.push_back(label);
    }
  }
  Loops loops;
  loops.outer = equation.output.size();
  for (Label label : order) loops.extents.push_back(extents[label]);
  const auto products = checked_product(loops.extents);
  if (!products || *products > kMaxProducts) {
    return resource_limit("more than ", kMaxProducts, " products to add up");
  }
  for (size_t i = 0; i < equation.operands.size(); ++i) {
    const std::vector<int64_t>& shape = context.input(i).shape();
    const std::vector<int64_t> own = row_major_strides(shape);
    std::vector<int64_t> strides(order.size(), 0);
    for (size_t a = 0; a < shape.size(); ++a) {
      const auto at = std::find(order.begin(), order.end(), equation.operands[i][a]);
      if (shape[a] != 1) strides[static_cast<size_t>(at - order.begin())] += own[a];
    }
    loops.strides.push_back(std::move(strides));
  }
  return loops;
}

// Advances the index of loops [first, last) by one, moving the offsets; false after the last one.
bool advance(const Loops& loops, size_t first, size_t last, std::vector<int64_t>& index,
             std::vector<int64_t>& offsets) {
  for (size_t loop = last; loop-- > first;) {
    for (size_t i = 0; i < offsets.size(); ++i) offsets[i] += loops.strides[i][loop];
    if (++index[loop] < loops.extents[loop]) return true;
    for (size_t i = 0; i < offsets.size(); ++i) {
      offsets[i] -= loops.strides[i][loop] * loops.extents[loop];
    }
    index[loop] = 0;
  }
  return false;
}

template <typename T>
Result<Tensors> einsum_of(const EvaluateContext& context, const Loops& loops) {
  using Acc = std::conditional_t<std::is_floating_point_v<T>, double, Wrapping<T>>;
  OCTET_ASSIGN(Tensor y, context.allocate(
                             context.input(0).dtype(),
                             {loops.extents.begin(),
                              loops.extents.begin() + static_cast<std::ptrdiff_t>(loops.outer)}));
  if (*checked_product(loops.extents) == 0) return one_tensor(std::move(y));
  const size_t operands = loops.strides.size();
  std::vector<const T*> data;
  for (size_t i = 0; i < operands; ++i) data.push_back(context.input(i).data<T>().data());
  std::vector<int64_t> index(loops.extents.size(), 0);
  std::vector<int64_t> offsets(operands, 0);
  // The last summed label runs in the innermost loop.
  const bool sums = loops.extents.size() > loops.outer;
  const size_t last = sums ? loops.extents.size() - 1 : loops.extents.size();
  const int64_t run = sums ? loops.extents.back() : 1;
  for (T& out : y.mutable_data<T>()) {
    Acc sum = Acc();
    do {
      for (int64_t r = 0; r < run; ++r) {
        Acc product = static_cast<Acc>(1);
        for (size_t i = 0; i < operands; ++i) {
          const int64_t step = sums ? loops.strides[i].back() : 0;
          product *= static_cast<Acc>(data[i][offsets[i] + r * step]);
        }
        sum += product;
      }
    } while (advance(loops, loops.outer, last, index, offsets));
    out = static_cast<T>(sum);
    advance(loops, 0, loops.outer, index, offsets);
  }
  return one_tensor(std::move(y));
}

Result<Tensors> evaluate_einsum(const EvaluateContext& context) {
  std::vector<size_t> ranks;
  for (size_t i = 0; i < context.inputs.size(); ++i) {
    if (!context.has_input(i)) return malformed("input ", i, " is missing");
    OCTET_TRY(require_dtype(context, i, context.input(0).dtype()));
    ranks.push_back(context.input(i).rank());
  }
  if (is_half(context.input(0).dtype())) return through_float32(context, evaluate_einsum);
  OCTET_ASSIGN(const Equation equation,
               parse_equation(ir::string_attribute(context.node, "equation", ""), ranks));
  OCTET_ASSIGN(const Loops loops, make_loops(context, equation));
  return visit_number(context, context.input(0).dtype(),
                      [&](auto zero) { return einsum_of<decltype(zero)>(context, loops); });
}

}  // namespace

OpSchema Einsum_schema() {
  return {.name = "Einsum",
          .since = 12,
          .max_inputs = SIZE_MAX,
          .infer = infer_einsum,
          .evaluate = evaluate_einsum};
}

}  // namespace octet::ops
