// QuantPlan to and from its text form.
#include <algorithm>

#include "compiler/base/base64.h"
#include "compiler/base/names.h"
#include "compiler/plan/formats.h"
#include "compiler/plan/plan.pb.h"
#include "compiler/plan/quant_plan.h"
#include "compiler/plan/text_format.h"

namespace octet::plan {

using ir::QuantParams;

namespace {

void write_params(const QuantParams& params, file::Params& out) {
  out.set_dtype(std::string(numerics::dtype_name(params.storage())));
  if (!params.per_tensor()) out.set_axis(params.axis());
  for (float scale : params.scales()) out.add_scale(scale);
  if (!params.symmetric()) {
    for (int32_t zero_point : params.zero_points()) out.add_zero_point(zero_point);
  }
  if (params.granularity() == ir::Granularity::kBlocked) out.set_block(params.block_size());
  out.set_qmin(params.qmin());
  out.set_qmax(params.qmax());
}

Result<QuantParams> read_params(const file::Params& in) {
  QuantParams::Spec spec;
  const auto dtype = numerics::dtype_from_name(in.dtype());
  if (!dtype) return usage_error("unknown dtype ", quote_name(in.dtype()));
  spec.storage = *dtype;
  spec.granularity = in.has_axis() ? ir::Granularity::kPerAxis : ir::Granularity::kPerTensor;
  if (in.has_block()) spec.granularity = ir::Granularity::kBlocked;
  spec.block_size = in.block();
  spec.axis = in.axis();
  spec.scales.assign(in.scale().begin(), in.scale().end());
  spec.zero_points.assign(in.zero_point().begin(), in.zero_point().end());
  if (spec.zero_points.empty()) spec.zero_points.assign(spec.scales.size(), 0);
  spec.qmin = in.qmin();
  spec.qmax = in.qmax();
  auto made = QuantParams::make(std::move(spec));
  if (!made.ok()) return usage_error(made.error().message());
  return made;
}

void write_operand(const Operand& operand, file::Operand& out) {
  out.set_node(operand.node_output);
  out.set_input(operand.input);
}

Operand read_operand(const file::Operand& in) { return {in.node(), in.input()}; }

// The shape of a constant is the model's to say: text holds a flat list, and apply_plan gives it
// the shape of what it replaces.
Result<ir::Tensor> read_floats(const std::string& text) {
  OCTET_ASSIGN(std::vector<std::byte> bytes, from_base64(text));
  const auto count = static_cast<int64_t>(bytes.size() / sizeof(float));
  return ir::Tensor::from_bytes(ir::DType::kFloat32, {count}, std::move(bytes));
}

// As many bytes for each integer as its type takes, at least one.
std::string write_integers(const ir::Tensor& integers) {
  if (numerics::bit_width(integers.dtype()) >= 8) return to_base64(integers.bytes());
  std::vector<std::byte> bytes;
  for (int64_t i = 0; i < integers.element_count(); ++i) {
    bytes.push_back(static_cast<std::byte>(integers.at_as_int64(i)));
  }
  return to_base64(bytes);
}

Result<ir::Tensor> read_integers(ir::DType dtype, const std::string& text) {
  OCTET_ASSIGN(std::vector<std::byte> bytes, from_base64(text));
  const auto size = static_cast<int64_t>(bytes.size());
  const int width = numerics::bit_width(dtype);
  if (width >= 8) return ir::Tensor::from_bytes(dtype, {size * 8 / width}, std::move(bytes));
  OCTET_ASSIGN(ir::Tensor out, ir::Tensor::zeros(dtype, {size}));
  for (int64_t i = 0; i < size; ++i) {
    const auto byte = static_cast<uint8_t>(bytes[static_cast<size_t>(i)]);
    out.set_from_int64(
        i, numerics::is_signed_integer(dtype) ? static_cast<int8_t>(byte) : static_cast<int>(byte));
  }
  return out;
}

int64_t rewrites_of(const QuantPlan& plan) {
  const auto with_integers =
      std::count_if(plan.constants.begin(), plan.constants.end(),
                    [](const ConstantQuantizer& c) { return c.integers.has_value(); });
  return std::ssize(plan.replaced) + std::ssize(plan.scalings) + std::ssize(plan.bounds) +
         with_integers;
}

std::string_view decision_name(Decision decision) {
  return decision == Decision::kInteger ? "integer" : "float";
}

}  // namespace

std::string QuantPlan::to_text() const {
  file::Plan out;
  out.set_fingerprint(fingerprint);
  out.set_backend(backend);
  if (data_free) out.set_data_free(true);
  if (!formats.empty()) out.set_formats(formats);
  if (const int64_t rewrites = rewrites_of(*this); rewrites > 0) out.set_rewrites(rewrites);
  for (const ReplacedConstant& from : replaced) {
    file::Replaced& to = *out.add_replaced();
    to.set_value(from.value);
    to.set_float32(to_base64(from.tensor.bytes()));
  }
  for (const Scaling& from : scalings) {
    file::Scaling& to = *out.add_scaling();
    to.set_value(from.value);
    to.set_result(from.result);
    for (const Operand& operand : from.operands) write_operand(operand, *to.add_operand());
    for (float factor : from.factors.data<float>()) to.add_factor(factor);
  }
  for (const ChannelBound& from : bounds) {
    file::Bound& to = *out.add_bound();
    to.set_value(from.value);
    for (float bound : from.bounds.data<float>()) to.add_bound(bound);
  }
  for (const ActivationQuantizer& from : activations) {
    file::Activation& to = *out.add_activation();
    to.set_value(from.value);
    write_params(from.params, *to.mutable_params());
    if (from.readers == Readers::kListed) {
      for (const Operand& operand : from.operands) write_operand(operand, *to.add_operand());
    }
    if (!from.shares_with.empty()) to.set_shares_with(from.shares_with);
  }
  for (const ConstantQuantizer& from : constants) {
    file::Constant& to = *out.add_constant();
    to.set_value(from.value);
    write_params(from.params, *to.mutable_params());
    if (from.integers) to.set_integers(write_integers(*from.integers));
    for (const ConstantQuantizer::Use& use : from.uses) {
      file::Constant::Use& to_use = *to.add_use();
      write_operand(use.operand, *to_use.mutable_operand());
      if (!use.factor.empty()) to_use.set_factor(use.factor);
    }
  }
  for (const BiasQuantizer& from : biases) {
    file::Bias& to = *out.add_bias();
    write_operand(from.operand, *to.mutable_operand());
    to.set_linear(from.linear_output);
  }
  for (const Remark& from : remarks) {
    file::Remark& to = *out.add_remark();
    to.set_node(from.node);
    to.set_op(from.op_type);
    to.set_decision(std::string(decision_name(from.decision)));
    if (!from.reason.empty()) to.set_reason(from.reason);
  }
  google::protobuf::TextFormat::Printer printer;
  printer.SetUseShortRepeatedPrimitives(true);
  std::string text;
  printer.PrintToString(out, &text);
  return text;
}

Result<QuantPlan> QuantPlan::from_text(std::string_view text, std::string_view file_name) {
  file::Plan in;
  OCTET_TRY(parse_text_format(text, file_name, in));
  QuantPlan out;
  out.fingerprint = in.fingerprint();
  out.backend = in.backend();
  out.data_free = in.data_free();
  if (in.has_formats()) {
    const auto formats = parse_formats(in.formats());
    if (!formats.ok()) return usage_error(file_name, ": formats: ", formats.error().message());
    out.formats = in.formats();
  }
  for (const file::Replaced& from : in.replaced()) {
    auto tensor = read_floats(from.float32());
    if (!tensor.ok()) {
      return usage_error(file_name, ": replaced ", quote_name(from.value()), ": ",
                         tensor.error().message());
    }
    out.replaced.push_back({from.value(), *std::move(tensor)});
  }
  for (const file::Scaling& from : in.scaling()) {
    Scaling to{from.value(), from.result(), {}, {}};
    for (const file::Operand& operand : from.operand()) {
      to.operands.push_back(read_operand(operand));
    }
    const std::vector<float> factors(from.factor().begin(), from.factor().end());
    to.factors = ir::Tensor::of<float>({from.factor_size()}, factors);
    out.scalings.push_back(std::move(to));
  }
  for (const file::Bound& from : in.bound()) {
    const std::vector<float> bounds(from.bound().begin(), from.bound().end());
    out.bounds.push_back({from.value(), ir::Tensor::of<float>({from.bound_size()}, bounds)});
  }
  for (const file::Activation& from : in.activation()) {
    auto params = read_params(from.params());
    if (!params.ok()) {
      return params.error().in(cat(file_name, ": activation ", quote_name(from.value())));
    }
    ActivationQuantizer to{from.value(), *params, Readers::kAll, {}, from.shares_with()};
    if (from.operand_size() > 0) to.readers = Readers::kListed;
    for (const file::Operand& operand : from.operand()) {
      to.operands.push_back(read_operand(operand));
    }
    out.activations.push_back(std::move(to));
  }
  for (const file::Constant& from : in.constant()) {
    auto params = read_params(from.params());
    if (!params.ok()) {
      return params.error().in(cat(file_name, ": constant ", quote_name(from.value())));
    }
    ConstantQuantizer to{from.value(), *params, std::nullopt, {}};
    if (from.has_integers()) {
      auto integers = read_integers(params->storage(), from.integers());
      if (!integers.ok()) {
        return usage_error(file_name, ": constant ", quote_name(from.value()), ": ",
                           integers.error().message());
      }
      to.integers = *std::move(integers);
    }
    for (const file::Constant::Use& use : from.use()) {
      to.uses.push_back({read_operand(use.operand()), use.factor()});
    }
    out.constants.push_back(std::move(to));
  }
  for (const file::Bias& from : in.bias()) {
    out.biases.push_back({read_operand(from.operand()), from.linear()});
  }
  for (const file::Remark& from : in.remark()) {
    out.remarks.push_back({from.node(), from.op(),
                           from.decision() == decision_name(Decision::kInteger) ? Decision::kInteger
                                                                                : Decision::kFloat,
                           from.reason()});
  }
  if (const int64_t rewrites = rewrites_of(out); rewrites != in.rewrites()) {
    return usage_error(file_name, ": of ", in.rewrites(),
                       " replaced, scaling, bound and integers entries, which only work together, ",
                       rewrites,
                       " are there; for a plan of the model's own numbers, which can do "
                       "without, use octet plan --effort fast");
  }
  return out;
}

}  // namespace octet::plan
