// DFT (ai.onnx 17, 20) and STFT (17): discrete Fourier transforms of real or complex signals whose
// last axis holds real and imaginary part. onnx/docs/Operators.md, by these names.
#include <algorithm>

#include "compiler/ops/doubles.h"
#include "compiler/ops/fft.h"
#include "compiler/ops/shape_operands.h"

namespace octet::ops {
namespace {

// What kind of transform a DFT node is.
struct DftAttributes {
  bool inverse = false;
  bool onesided = false;

  static DftAttributes from(const ir::Node& node) {
    return {ir::int_attribute(node, "inverse", 0) != 0,
            ir::int_attribute(node, "onesided", 0) != 0};
  }
  // Real output: the inverse of half a spectrum.
  bool to_real() const { return inverse && onesided; }
  // Output extent along the axis.
  int64_t bins(int64_t length) const { return onesided && !inverse ? length / 2 + 1 : length; }
};

Result<int64_t> dft_axis(const ir::Node& node, int64_t opset, std::optional<int64_t> operand,
                         size_t rank) {
  if (rank < 2) return malformed("input 0: rank ", rank, "; at least 2 is needed");
  int64_t axis = opset < 20 ? ir::int_attribute(node, "axis", 1) : operand.value_or(-2);
  OCTET_ASSIGN(axis, normalize_axis(axis, rank));
  if (axis == static_cast<int64_t>(rank) - 1) {
    return malformed("axis ", axis, " is that of the complex numbers");
  }
  return axis;
}

// Reads one signal: `count` elements of 1 or 2 parts, the rest is zero.
void gather_signal(const double* from, int64_t step, int64_t count, int64_t parts,
                   std::span<Complex> to) {
  std::fill(to.begin(), to.end(), Complex());
  const int64_t n = std::min<int64_t>(count, static_cast<int64_t>(to.size()));
  for (int64_t i = 0; i < n; ++i) {
    const double* p = from + i * step;
    to[static_cast<size_t>(i)] = Complex(p[0], parts == 2 ? p[1] : 0);
  }
}

// The other half of the spectrum of a real signal.
void complete_spectrum(std::span<Complex> x) {
  for (size_t k = x.size() / 2 + 1; k < x.size(); ++k) x[k] = std::conj(x[x.size() - k]);
}

struct DftSizes {
  int64_t axis = 0;
  int64_t length = 0;  // of the transform
  int64_t parts = 1;   // of the input
  int64_t outer = 1;
  int64_t extent = 0;  // of the input along the axis
  int64_t inner = 1;   // between the axis and the parts
};

Result<DftSizes> dft_sizes(const EvaluateContext& context, const DftAttributes& attributes) {
  const Tensor& x = context.input(0);
  DftSizes out;
  std::optional<int64_t> axis;
  if (context.has_input(2)) {
    OCTET_ASSIGN(axis, number_of(context, 2));
  }
  OCTET_ASSIGN(out.axis, dft_axis(context.node, context.opset, axis, x.rank()));
  const auto& shape = x.shape();
  out.parts = shape.back();
  if (out.parts != 1 && out.parts != 2) {
    return malformed("input 0: a last extent of ", out.parts, ", must be 1 or 2");
  }
  const auto at = static_cast<size_t>(out.axis);
  out.extent = shape[at];
  out.length = attributes.to_real() ? 2 * (out.extent - 1) : out.extent;
  if (context.has_input(1)) {
    OCTET_ASSIGN(out.length, number_of(context, 1));
  }
  if (out.length < 1) return malformed("a transform of length ", out.length);
  OCTET_ASSIGN(out.outer, element_product(std::span(shape).first(at)));
  OCTET_ASSIGN(out.inner, element_product(std::span(shape).subspan(at + 1, x.rank() - at - 2)));
  return out;
}

Result<Tensors> evaluate_dft(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  const auto attributes = DftAttributes::from(context.node);
  OCTET_ASSIGN(const DftSizes sizes, dft_sizes(context, attributes));
  const int64_t bins = attributes.bins(sizes.length);
  const int64_t parts = attributes.to_real() ? 1 : 2;
  std::vector<int64_t> shape = x.shape();
  shape[static_cast<size_t>(sizes.axis)] = bins;
  shape.back() = parts;
  OCTET_ASSIGN(const int64_t count, element_product(shape));
  OCTET_ASSIGN(auto from, doubles_of(context, 0));
  OCTET_ASSIGN(auto y, Scratch<double>::make(context, count));
  OCTET_ASSIGN(auto line, Scratch<Complex>::make(context, sizes.length));
  OCTET_ASSIGN(auto fourier,
               Fourier::make(context, sizes.length,
                             attributes.inverse ? FourierSign::kInverse : FourierSign::kForward));
  const double scale = attributes.inverse ? 1.0 / static_cast<double>(sizes.length) : 1.0;
  for (int64_t row = 0; row < sizes.outer * sizes.inner && count > 0; ++row) {
    const int64_t o = row / sizes.inner;
    const int64_t i = row % sizes.inner;
    const int64_t at = (o * sizes.extent * sizes.inner + i) * sizes.parts;
    gather_signal(from.span().data() + at, sizes.inner * sizes.parts, sizes.extent, sizes.parts,
                  line.span());
    if (attributes.to_real()) complete_spectrum(line.span());
    fourier.transform(line.span());
    for (int64_t k = 0; k < bins; ++k) {
      double* to = y.span().data() + ((o * bins + k) * sizes.inner + i) * parts;
      const Complex value = line[static_cast<size_t>(k)] * scale;
      to[0] = value.real();
      if (parts == 2) to[1] = value.imag();
    }
  }
  OCTET_ASSIGN(Tensor out, tensor_of_doubles(context, x.dtype(), shape, y.span()));
  return one_tensor(std::move(out));
}

Result<Facts> infer_dft(const InferContext& context) {
  const ir::Shape& x = context.shape(0);
  const DType dtype = context.type(0).storage;
  if (!x.has_rank()) return one_fact(dtype, ir::Shape());
  const auto attributes = DftAttributes::from(context.node);
  const auto axis_operand = known_numbers(context, 2);
  const bool axis_known = context.opset() < 20 || !context.has_input(2) || axis_operand;
  if (!axis_known) return one_fact(dtype, unknown_shape(x.rank()));
  std::optional<int64_t> given;
  if (axis_operand && axis_operand->size() == 1) given = (*axis_operand)[0];
  OCTET_ASSIGN(const int64_t axis, dft_axis(context.node, context.opset(), given, x.rank()));
  std::vector<ir::Dim> dims = x.dims();
  ir::Dim& extent = dims[static_cast<size_t>(axis)];
  dims.back() = attributes.to_real() ? 1 : 2;
  std::optional<int64_t> length;
  if (context.has_input(1)) {
    const auto numbers = known_numbers(context, 1);
    if (numbers && numbers->size() == 1) length = (*numbers)[0];
  } else if (extent.is_static()) {
    length = attributes.to_real() ? 2 * (extent.extent() - 1) : extent.extent();
  }
  extent = length && *length >= 1 ? ir::Dim(attributes.bins(*length)) : ir::Dim();
  return one_fact(dtype, ir::Shape(std::move(dims)));
}

// STFT.

struct StftSizes {
  int64_t batch = 0;
  int64_t signal = 0;
  int64_t parts = 1;
  int64_t step = 1;
  int64_t length = 0;  // of a frame
  int64_t frames = 0;
  int64_t bins = 0;
};

Result<StftSizes> stft_sizes(const EvaluateContext& context) {
  OCTET_TRY(require_rank(context, 0, 3));
  OCTET_TRY(require_rank(context, 2, 1));
  const auto& x = context.input(0).shape();
  StftSizes out;
  out.batch = x[0];
  out.signal = x[1];
  out.parts = x[2];
  if (out.parts != 1 && out.parts != 2) {
    return malformed("input 0: a last extent of ", out.parts, ", must be 1 or 2");
  }
  OCTET_ASSIGN(out.step, number_of(context, 1));
  out.length = context.has_input(2) ? context.input(2).shape()[0] : out.signal;
  if (context.has_input(3)) {
    OCTET_ASSIGN(out.length, number_of(context, 3));
  }
  if (context.has_input(2) && context.input(2).shape()[0] != out.length) {
    return malformed("input 2: ", context.input(2).shape()[0], " weights for frames of ",
                     out.length);
  }
  if (out.step < 1 || out.length < 1 || out.length > out.signal) {
    return malformed("frames of ", out.length, " every ", out.step, " in a signal of ", out.signal);
  }
  out.frames = (out.signal - out.length) / out.step + 1;
  const bool onesided = ir::int_attribute(context.node, "onesided", 1) != 0;
  if (onesided && out.parts == 2) {
    return malformed("one side of the spectrum of a complex signal");
  }
  out.bins = onesided ? out.length / 2 + 1 : out.length;
  return out;
}

Result<Tensors> evaluate_stft(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  if (context.has_input(2)) OCTET_TRY(require_dtype(context, 2, x.dtype()));
  OCTET_ASSIGN(const StftSizes sizes, stft_sizes(context));
  const std::vector<int64_t> shape = {sizes.batch, sizes.frames, sizes.bins, 2};
  OCTET_ASSIGN(const int64_t count, element_product(shape));
  OCTET_ASSIGN(auto from, doubles_of(context, 0));
  OCTET_ASSIGN(auto window, optional_doubles_of(context, 2));
  OCTET_ASSIGN(auto y, Scratch<double>::make(context, count));
  OCTET_ASSIGN(auto line, Scratch<Complex>::make(context, sizes.length));
  OCTET_ASSIGN(auto fourier, Fourier::make(context, sizes.length, FourierSign::kForward));
  double* to = y.span().data();
  for (int64_t row = 0; row < sizes.batch * sizes.frames; ++row) {
    const int64_t start = row / sizes.frames * sizes.signal + row % sizes.frames * sizes.step;
    gather_signal(from.span().data() + start * sizes.parts, sizes.parts, sizes.length, sizes.parts,
                  line.span());
    for (size_t i = 0; i < window.span().size(); ++i) line[i] *= window[i];
    fourier.transform(line.span());
    for (int64_t k = 0; k < sizes.bins; ++k) {
      *to++ = line[static_cast<size_t>(k)].real();
      *to++ = line[static_cast<size_t>(k)].imag();
    }
  }
  OCTET_ASSIGN(Tensor out, tensor_of_doubles(context, x.dtype(), shape, y.span()));
  return one_tensor(std::move(out));
}

Result<Facts> infer_stft(const InferContext& context) {
  OCTET_TRY(require_rank(context, 0, 3));
  OCTET_TRY(require_rank(context, 2, 1));
  const ir::Shape& x = context.shape(0);
  std::vector<ir::Dim> dims(4);
  dims[3] = 2;
  if (x.has_rank()) dims[0] = x[0];
  std::optional<int64_t> length;
  if (context.has_input(3)) {
    const auto numbers = known_numbers(context, 3);
    if (numbers && numbers->size() == 1) length = (*numbers)[0];
  } else if (context.has_input(2)) {
    const ir::Shape& window = context.shape(2);
    if (window.has_rank() && window[0].is_static()) length = window[0].extent();
  } else if (x.has_rank() && x[1].is_static()) {
    length = x[1].extent();
  }
  if (length && *length >= 1) {
    const bool onesided = ir::int_attribute(context.node, "onesided", 1) != 0;
    dims[2] = onesided ? *length / 2 + 1 : *length;
    const auto step = known_numbers(context, 1);
    if (x.has_rank() && x[1].is_static() && step && step->size() == 1 && (*step)[0] >= 1 &&
        *length <= x[1].extent()) {
      dims[1] = (x[1].extent() - *length) / (*step)[0] + 1;
    }
  }
  return one_fact(context.type(0).storage, ir::Shape(std::move(dims)));
}

}  // namespace

OpSchema DFT_schema() {
  return {.name = "DFT",
          .since = 17,
          .roles = {Role::kData, Role::kShape, Role::kShape},
          .max_inputs = 3,
          .infer = infer_dft,
          .evaluate = evaluate_dft};
}

OpSchema STFT_schema() {
  return {.name = "STFT",
          .since = 17,
          .roles = {Role::kData, Role::kShape, Role::kParameter, Role::kShape},
          .required = 2,
          .max_inputs = 4,
          .infer = infer_stft,
          .evaluate = evaluate_stft};
}

}  // namespace octet::ops
