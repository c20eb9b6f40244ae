// HannWindow, HammingWindow, BlackmanWindow and MelWeightMatrix (ai.onnx 17): tables for spectra.
// onnx/docs/Operators.md, by these names.
#include <array>
#include <cmath>
#include <numbers>

#include "compiler/ops/doubles.h"
#include "compiler/ops/shape_operands.h"

namespace octet::ops {
namespace {

Result<DType> output_type(const ir::Node& node) {
  const int64_t type = ir::int_attribute(node, "output_datatype", 1);
  if (type < 0 || type > INT32_MAX || !numerics::is_known_dtype(static_cast<int32_t>(type))) {
    return malformed("attribute output_datatype is ", type);
  }
  const auto dtype = static_cast<DType>(type);
  const bool wide = numerics::bit_width(dtype) >= 8;
  if (wide && (numerics::is_integer(dtype) || numerics::is_floating_point(dtype))) return dtype;
  return malformed("attribute output_datatype: ", numerics::dtype_name(dtype));
}

// Integer types take the numbers as Cast would give them.
Result<Tensor> typed(const EvaluateContext& context, std::vector<int64_t> shape,
                     std::span<const double> elements) {
  OCTET_ASSIGN(const DType dtype, output_type(context.node));
  if (!numerics::is_integer(dtype)) {
    return tensor_of_doubles(context, dtype, std::move(shape), elements);
  }
  OCTET_ASSIGN(Tensor out, context.allocate(dtype, std::move(shape)));
  for (size_t i = 0; i < elements.size(); ++i) {
    out.set_from_double(static_cast<int64_t>(i), std::trunc(elements[i]));
  }
  return out;
}

// a0 - a1 cos(2 pi n / N) + a2 cos(4 pi n / N)
using Cosines = std::array<double, 3>;
constexpr Cosines kHann = {0.5, 0.5, 0.0};
constexpr Cosines kHamming = {25.0 / 46.0, 21.0 / 46.0, 0.0};
constexpr Cosines kBlackman = {0.42, 0.5, 0.08};

template <const Cosines& kTerms>
Result<Tensors> evaluate_window(const EvaluateContext& context) {
  OCTET_ASSIGN(const int64_t size, number_of(context, 0));
  if (size < 0) return malformed("input 0: a window of ", size);
  const bool periodic = ir::int_attribute(context.node, "periodic", 1) != 0;
  OCTET_ASSIGN(auto y, Scratch<double>::make(context, size));
  const auto period = static_cast<double>(periodic ? size : size - 1);
  for (int64_t n = 0; n < size; ++n) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(n) / period;
    const double value = kTerms[0] - kTerms[1] * std::cos(angle) + kTerms[2] * std::cos(2 * angle);
    // The symmetric window of one element is 1.
    y[static_cast<size_t>(n)] = period > 0 ? value : 1;
  }
  OCTET_ASSIGN(Tensor out, typed(context, {size}, y.span()));
  return one_tensor(std::move(out));
}

Result<Facts> infer_window(const InferContext& context) {
  OCTET_ASSIGN(const DType dtype, output_type(context.node));
  const auto size = known_numbers(context, 0);
  const bool known = size && size->size() == 1 && (*size)[0] >= 0;
  return one_fact(dtype, ir::Shape({known ? ir::Dim((*size)[0]) : ir::Dim()}));
}

// The mel filter bank.

struct MelSizes {
  int64_t bands = 0;
  int64_t dft_length = 0;
  int64_t sample_rate = 0;
  double lower = 0;
  double upper = 0;

  int64_t bins() const { return dft_length / 2 + 1; }

  static Result<MelSizes> from(const EvaluateContext& context) {
    MelSizes out;
    OCTET_ASSIGN(out.bands, number_of(context, 0));
    OCTET_ASSIGN(out.dft_length, number_of(context, 1));
    OCTET_ASSIGN(out.sample_rate, number_of(context, 2));
    for (size_t i = 3; i < 5; ++i) {
      OCTET_ASSIGN(auto edge, doubles_of(context, i));
      if (edge.span().size() != 1) return malformed("input ", i, ": must be one number");
      (i == 3 ? out.lower : out.upper) = edge[0];
    }
    constexpr int64_t kMax = int64_t{1} << 40;
    if (out.bands < 1 || out.bands > kMax || out.dft_length < 1 || out.dft_length > kMax ||
        out.sample_rate < 1 || !(out.lower >= 0) || !(out.upper > out.lower) ||
        !std::isfinite(out.upper)) {
      return malformed(out.bands, " bands from ", out.lower, " to ", out.upper,
                       " Hz of a spectrum of ", out.dft_length, " at ", out.sample_rate, " Hz");
    }
    return out;
  }

  // The bin of the edge `i` of bands + 2 ones, evenly spaced in mel.
  Result<int64_t> edge_bin(int64_t i) const {
    const auto mel = [](double f) { return 2595 * std::log10(1 + f / 700); };
    const double step = (mel(upper) - mel(lower)) / static_cast<double>(bands + 2);
    const double at = static_cast<double>(i) * step + mel(lower);
    const double hertz = 700 * (std::pow(10, at / 2595) - 1);
    const double bin =
        std::floor(static_cast<double>(dft_length + 1) * hertz / static_cast<double>(sample_rate));
    if (!(bin >= 0 && bin < static_cast<double>(bins()))) {
      return malformed("a band ends at ", hertz, " Hz, beyond the spectrum");
    }
    return static_cast<int64_t>(bin);
  }
};

// Triangles with their peak, 1, at the centre of each band.
Result<Tensors> evaluate_mel(const EvaluateContext& context) {
  OCTET_ASSIGN(const MelSizes sizes, MelSizes::from(context));
  const std::vector<int64_t> shape = {sizes.bins(), sizes.bands};
  OCTET_ASSIGN(const int64_t count, element_product(shape));
  OCTET_ASSIGN(auto y, Scratch<double>::make(context, count));
  const auto at = [&](int64_t bin, int64_t band) -> double& {
    return y[static_cast<size_t>(bin * sizes.bands + band)];
  };
  for (int64_t band = 0; band < sizes.bands; ++band) {
    OCTET_ASSIGN(const int64_t left, sizes.edge_bin(band));
    OCTET_ASSIGN(const int64_t centre, sizes.edge_bin(band + 1));
    OCTET_ASSIGN(const int64_t right, sizes.edge_bin(band + 2));
    if (centre == left) at(centre, band) = 1;
    for (int64_t bin = left; centre > left && bin <= centre; ++bin) {
      at(bin, band) = static_cast<double>(bin - left) / static_cast<double>(centre - left);
    }
    for (int64_t bin = centre; bin < right; ++bin) {
      at(bin, band) = static_cast<double>(right - bin) / static_cast<double>(right - centre);
    }
  }
  OCTET_ASSIGN(Tensor out, typed(context, shape, y.span()));
  return one_tensor(std::move(out));
}

Result<Facts> infer_mel(const InferContext& context) {
  OCTET_ASSIGN(const DType dtype, output_type(context.node));
  std::vector<ir::Dim> dims(2);
  const auto bands = known_numbers(context, 0);
  if (bands && bands->size() == 1 && (*bands)[0] >= 0) dims[1] = (*bands)[0];
  const auto length = known_numbers(context, 1);
  if (length && length->size() == 1 && (*length)[0] >= 0) dims[0] = (*length)[0] / 2 + 1;
  return one_fact(dtype, ir::Shape(std::move(dims)));
}

OpSchema window(std::string_view name, EvaluateFunction evaluate) {
  return {.name = name,
          .since = 17,
          .roles = {Role::kShape},
          .infer = infer_window,
          .evaluate = evaluate};
}

}  // namespace

OpSchema BlackmanWindow_schema() { return window("BlackmanWindow", evaluate_window<kBlackman>); }
OpSchema HammingWindow_schema() { return window("HammingWindow", evaluate_window<kHamming>); }
OpSchema HannWindow_schema() { return window("HannWindow", evaluate_window<kHann>); }
OpSchema MelWeightMatrix_schema() {
  return {.name = "MelWeightMatrix",
          .since = 17,
          .roles = {Role::kShape},
          .required = 5,
          .max_inputs = 5,
          .infer = infer_mel,
          .evaluate = evaluate_mel};
}

}  // namespace octet::ops
