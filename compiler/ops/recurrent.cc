// RNN, GRU and LSTM (ai.onnx 7, 14, 22): one layer, forward, reverse or both, in either layout.
// Sums in double. onnx/docs/Operators.md, by these names.
#include "compiler/ops/recurrent.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "compiler/ops/doubles.h"
#include "compiler/ops/infer_helpers.h"

namespace octet::ops {
namespace {

constexpr size_t kX = 0;
constexpr size_t kW = 1;
constexpr size_t kR = 2;
constexpr size_t kB = 3;
constexpr size_t kLengths = 4;
constexpr size_t kInitialH = 5;
constexpr size_t kInitialC = 6;
constexpr size_t kPeepholes = 7;

struct Sizes {
  int64_t steps = 0;
  int64_t batch = 0;
  int64_t input = 0;
  int64_t hidden = 0;
  int64_t directions = 1;
  int64_t gates = 1;
  RecurrentLayout layout = RecurrentLayout::kTimeFirst;

  int64_t x_row(int64_t t, int64_t b) const {
    return (layout == RecurrentLayout::kTimeFirst ? t * batch + b : b * steps + t) * input;
  }
  int64_t y_row(int64_t t, int64_t d, int64_t b) const {
    return (layout == RecurrentLayout::kTimeFirst ? (t * directions + d) * batch + b
                                                  : (b * steps + t) * directions + d) *
           hidden;
  }
  int64_t state_row(int64_t d, int64_t b) const {
    return (layout == RecurrentLayout::kTimeFirst ? d * batch + b : b * directions + d) * hidden;
  }
  std::vector<int64_t> y_shape() const {
    if (layout == RecurrentLayout::kTimeFirst) return {steps, directions, batch, hidden};
    return {batch, steps, directions, hidden};
  }
  std::vector<int64_t> state_shape() const {
    if (layout == RecurrentLayout::kTimeFirst) return {directions, batch, hidden};
    return {batch, directions, hidden};
  }
};

Result<Sizes> sizes_of(const EvaluateContext& context, const RecurrentAttributes& attributes) {
  for (size_t operand : {kX, kW, kR}) OCTET_TRY(require_rank(context, operand, 3));
  Sizes out;
  out.layout = attributes.layout;
  const auto& x = context.input(kX).shape();
  const bool time_first = out.layout == RecurrentLayout::kTimeFirst;
  out.steps = x[time_first ? 0 : 1];
  out.batch = x[time_first ? 1 : 0];
  out.input = x[2];
  out.hidden = context.input(kR).shape()[2];
  out.directions = attributes.directions;
  out.gates = attributes.gates;
  if (attributes.hidden > 0 && attributes.hidden != out.hidden) {
    return malformed("input 2: ", context.input(kR).type().to_string(), " for a hidden size of ",
                     attributes.hidden);
  }
  const auto rows = checked_mul(out.gates, out.hidden);
  const auto biases = rows ? checked_mul(*rows, 2) : std::nullopt;
  if (!biases) return resource_limit("a hidden size of ", out.hidden);
  OCTET_TRY(require_shape(context, kW, std::vector<int64_t>{out.directions, *rows, out.input}));
  OCTET_TRY(require_shape(context, kR, std::vector<int64_t>{out.directions, *rows, out.hidden}));
  if (context.has_input(kB)) {
    OCTET_TRY(require_shape(context, kB, std::vector<int64_t>{out.directions, *biases}));
  }
  for (size_t operand : {kInitialH, kInitialC}) {
    if (context.has_input(operand)) OCTET_TRY(require_shape(context, operand, out.state_shape()));
  }
  if (context.has_input(kPeepholes)) {
    OCTET_TRY(
        require_shape(context, kPeepholes, std::vector<int64_t>{out.directions, 3 * out.hidden}));
  }
  return out;
}

Result<std::vector<int64_t>> lengths_of(const EvaluateContext& context, const Sizes& sizes) {
  if (!context.has_input(kLengths)) {
    return std::vector<int64_t>(static_cast<size_t>(sizes.batch), sizes.steps);
  }
  OCTET_TRY(require_dtype(context, kLengths, DType::kInt32));
  OCTET_TRY(require_shape(context, kLengths, std::vector<int64_t>{sizes.batch}));
  std::vector<int64_t> lengths = context.input(kLengths).to_int64s();
  for (int64_t length : lengths) {
    if (length < 0 || length > sizes.steps) {
      return malformed("input 4: a length of ", length, " for ", sizes.steps, " steps");
    }
  }
  return lengths;
}

// The numbers of one direction.
struct Weights {
  const double* w = nullptr;          // [gates * hidden, input]
  const double* r = nullptr;          // [gates * hidden, hidden]
  const double* b = nullptr;          // [2 * gates * hidden]: of w, of r; or null
  const double* peepholes = nullptr;  // [3 * hidden]: i, o, f; or null
};

// The steps of one sequence in one direction.
class Cell {
 public:
  Cell(const Sizes& sizes, const RecurrentAttributes& attributes, const Weights& weights,
       std::span<const RecurrentActivation> activations, std::span<double> scratch)
      : sizes_(sizes),
        attributes_(attributes),
        weights_(weights),
        activations_(activations),
        from_x_(scratch.data()),
        from_h_(from_x_ + sizes.gates * sizes.hidden),
        reset_(from_h_ + sizes.gates * sizes.hidden) {}

  // Per unit: two sums per gate and one more.
  static int64_t scratch_per_unit(int64_t gates) { return 2 * gates + 1; }

  void step(const double* x, double* h, double* c) {
    linear(weights_.w, x, sizes_.input, from_x_);
    linear(weights_.r, h, sizes_.hidden, from_h_);
    const int64_t rows = sizes_.gates * sizes_.hidden;
    for (int64_t i = 0; weights_.b != nullptr && i < rows; ++i) {
      from_x_[i] += weights_.b[i];
      from_h_[i] += weights_.b[rows + i];
    }
    switch (sizes_.gates) {
      case 1:
        return rnn(h);
      case 3:
        return gru(h);
      default:
        return lstm(h, c);
    }
  }

 private:
  void linear(const double* matrix, const double* v, int64_t columns, double* out) const {
    for (int64_t i = 0; i < sizes_.gates * sizes_.hidden; ++i) {
      double sum = 0;
      for (int64_t j = 0; j < columns; ++j) sum += matrix[i * columns + j] * v[j];
      out[i] = sum;
    }
  }

  double activate(size_t function, double x) const {
    const double limit = attributes_.clip;
    if (limit > 0) x = std::clamp(x, -limit, limit);
    return activations_[function].apply(x);
  }
  double sum(int64_t gate, int64_t unit) const {
    return from_x_[gate * sizes_.hidden + unit] + from_h_[gate * sizes_.hidden + unit];
  }
  double peephole(int64_t gate, int64_t unit, double cell) const {
    if (weights_.peepholes == nullptr) return 0;
    return weights_.peepholes[gate * sizes_.hidden + unit] * cell;
  }

  void rnn(double* h) const {
    for (int64_t u = 0; u < sizes_.hidden; ++u) h[u] = activate(0, sum(0, u));
  }

  // Gates in the order z, r, h.
  void gru(double* h) {
    const int64_t hidden = sizes_.hidden;
    if (!attributes_.linear_before_reset) {
      for (int64_t u = 0; u < hidden; ++u) reset_[u] = activate(0, sum(1, u)) * h[u];
      const double* r = weights_.r + 2 * hidden * hidden;
      for (int64_t u = 0; u < hidden; ++u) {
        double total = weights_.b != nullptr ? weights_.b[5 * hidden + u] : 0;
        for (int64_t j = 0; j < hidden; ++j) total += r[u * hidden + j] * reset_[j];
        from_h_[2 * hidden + u] = total;
      }
    } else {
      for (int64_t u = 0; u < hidden; ++u) from_h_[2 * hidden + u] *= activate(0, sum(1, u));
    }
    for (int64_t u = 0; u < hidden; ++u) {
      const double z = activate(0, sum(0, u));
      h[u] = (1 - z) * activate(1, sum(2, u)) + z * h[u];
    }
  }

  // Gates in the order i, o, f, c; peepholes in the order i, o, f.
  void lstm(double* h, double* c) const {
    for (int64_t u = 0; u < sizes_.hidden; ++u) {
      const double input = activate(0, sum(0, u) + peephole(0, u, c[u]));
      const double forget =
          attributes_.input_forget ? 1 - input : activate(0, sum(2, u) + peephole(2, u, c[u]));
      c[u] = forget * c[u] + input * activate(1, sum(3, u));
      const double output = activate(0, sum(1, u) + peephole(1, u, c[u]));
      // The cell itself is not clipped on its way to h; ONNX Runtime has it so too.
      h[u] = output * activations_[2].apply(c[u]);
    }
  }

  const Sizes& sizes_;
  const RecurrentAttributes& attributes_;
  Weights weights_;
  std::span<const RecurrentActivation> activations_;
  double* from_x_;
  double* from_h_;
  double* reset_;
};

// All operands as numbers, and all results.
struct Numbers {
  Scratch<double> x, w, r, b, peepholes, y, h, c, scratch;

  static Result<Numbers> make(const EvaluateContext& context, const Sizes& sizes) {
    OCTET_ASSIGN(const int64_t y_count, element_product(sizes.y_shape()));
    OCTET_ASSIGN(const int64_t state_count, element_product(sizes.state_shape()));
    OCTET_ASSIGN(
        const int64_t scratch_count,
        element_product(std::vector<int64_t>{Cell::scratch_per_unit(sizes.gates), sizes.hidden}));
    OCTET_ASSIGN(auto x, doubles_of(context, kX));
    OCTET_ASSIGN(auto w, doubles_of(context, kW));
    OCTET_ASSIGN(auto r, doubles_of(context, kR));
    OCTET_ASSIGN(auto b, optional_doubles_of(context, kB));
    OCTET_ASSIGN(auto peepholes, optional_doubles_of(context, kPeepholes));
    OCTET_ASSIGN(auto y, Scratch<double>::make(context, y_count));
    OCTET_ASSIGN(auto scratch, Scratch<double>::make(context, scratch_count));
    OCTET_ASSIGN(auto h, state(context, kInitialH, state_count));
    OCTET_ASSIGN(auto c, state(context, kInitialC, sizes.gates == 4 ? state_count : 0));
    return Numbers{std::move(x), std::move(w),         std::move(r),
                   std::move(b), std::move(peepholes), std::move(y),
                   std::move(h), std::move(c),         std::move(scratch)};
  }

  // Zeros unless the operand is there.
  static Result<Scratch<double>> state(const EvaluateContext& context, size_t operand,
                                       int64_t count) {
    if (context.has_input(operand)) return doubles_of(context, operand);
    return Scratch<double>::make(context, count);
  }

  Weights of(const Sizes& sizes, int64_t direction) {
    const int64_t rows = direction * sizes.gates * sizes.hidden;
    Weights out;
    out.w = w.span().data() + rows * sizes.input;
    out.r = r.span().data() + rows * sizes.hidden;
    if (!b.span().empty()) out.b = b.span().data() + rows * 2;
    if (!peepholes.span().empty()) {
      out.peepholes = peepholes.span().data() + direction * 3 * sizes.hidden;
    }
    return out;
  }
};

void run_direction(const Sizes& sizes, const RecurrentAttributes& attributes,
                   const std::vector<int64_t>& lengths, int64_t d, Numbers& numbers) {
  const size_t functions = attributes.activations.size() / static_cast<size_t>(sizes.directions);
  Cell cell(
      sizes, attributes, numbers.of(sizes, d),
      std::span(attributes.activations).subspan(static_cast<size_t>(d) * functions, functions),
      numbers.scratch.span());
  const bool reverse = attributes.first_reverse || d == 1;
  for (int64_t b = 0; b < sizes.batch; ++b) {
    const int64_t length = lengths[static_cast<size_t>(b)];
    double* h = numbers.h.span().data() + sizes.state_row(d, b);
    double* c =
        numbers.c.span().empty() ? nullptr : numbers.c.span().data() + sizes.state_row(d, b);
    for (int64_t i = 0; i < length; ++i) {
      const int64_t t = reverse ? length - 1 - i : i;
      cell.step(numbers.x.span().data() + sizes.x_row(t, b), h, c);
      std::copy_n(h, sizes.hidden, numbers.y.span().data() + sizes.y_row(t, d, b));
    }
  }
}

Result<Tensors> evaluate_recurrent(const EvaluateContext& context) {
  const DType dtype = context.input(kX).dtype();
  for (size_t operand : {kW, kR, kB, kInitialH, kInitialC, kPeepholes}) {
    if (context.has_input(operand)) OCTET_TRY(require_dtype(context, operand, dtype));
  }
  OCTET_ASSIGN(const auto attributes, RecurrentAttributes::from(context.node));
  OCTET_ASSIGN(const Sizes sizes, sizes_of(context, attributes));
  OCTET_ASSIGN(const auto lengths, lengths_of(context, sizes));
  OCTET_ASSIGN(Numbers numbers, Numbers::make(context, sizes));
  for (int64_t d = 0; d < sizes.directions; ++d) {
    run_direction(sizes, attributes, lengths, d, numbers);
  }
  Tensors outputs(2);
  OCTET_ASSIGN(outputs[0], tensor_of_doubles(context, dtype, sizes.y_shape(), numbers.y.span()));
  OCTET_ASSIGN(outputs[1],
               tensor_of_doubles(context, dtype, sizes.state_shape(), numbers.h.span()));
  if (sizes.gates == 4) {
    outputs.emplace_back();
    OCTET_ASSIGN(outputs[2],
                 tensor_of_doubles(context, dtype, sizes.state_shape(), numbers.c.span()));
  }
  return outputs;
}

Result<Facts> infer_recurrent(const InferContext& context) {
  OCTET_ASSIGN(const auto attributes, RecurrentAttributes::from(context.node));
  OCTET_ASSIGN(const DType dtype, common_dtype(context, {kX, kW, kR, kB, kInitialH, kInitialC}));
  for (size_t operand : {kX, kW, kR, kInitialH, kInitialC}) {
    OCTET_TRY(require_rank(context, operand, 3));
  }
  const ir::Shape& x = context.shape(kX);
  const ir::Shape& r = context.shape(kR);
  const bool time_first = attributes.layout == RecurrentLayout::kTimeFirst;
  const ir::Dim steps = x.has_rank() ? x[time_first ? 0 : 1] : ir::Dim();
  const ir::Dim batch = x.has_rank() ? x[time_first ? 1 : 0] : ir::Dim();
  const ir::Dim hidden = r.has_rank() ? r[2] : ir::Dim();
  const ir::Dim directions = attributes.directions;
  Facts out;
  if (time_first) {
    out = {fact(dtype, ir::Shape({steps, directions, batch, hidden})),
           fact(dtype, ir::Shape({directions, batch, hidden}))};
  } else {
    out = {fact(dtype, ir::Shape({batch, steps, directions, hidden})),
           fact(dtype, ir::Shape({batch, directions, hidden}))};
  }
  if (attributes.gates == 4) out.push_back(out[1]);
  return out;
}

OpSchema recurrent(std::string_view name, size_t max_inputs) {
  return {.name = name,
          .roles = {Role::kData, Role::kParameter, Role::kParameter, Role::kParameter, Role::kShape,
                    Role::kData},
          .required = 3,
          .max_inputs = max_inputs,
          .infer = infer_recurrent,
          .evaluate = evaluate_recurrent};
}

}  // namespace

OpSchema GRU_schema() { return recurrent("GRU", 6); }
OpSchema LSTM_schema() { return recurrent("LSTM", 8); }
OpSchema RNN_schema() { return recurrent("RNN", 6); }

}  // namespace octet::ops
