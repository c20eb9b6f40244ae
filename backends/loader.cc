// Descriptions of targets from their text.
#include <algorithm>

#include "backends/backend.pb.h"
#include "backends/backends.h"
#include "compiler/base/embedded_file.h"
#include "compiler/base/files.h"
#include "compiler/base/name_hint.h"
#include "compiler/base/names.h"
#include "compiler/plan/text_format.h"

namespace octet::backends {

std::span<const EmbeddedFile> embedded_backend_files();

namespace {

using plan::BackendSpec;
using plan::OpRule;
using plan::Space;

std::vector<std::string> emitter_names() {
  return {
#define OCTET_EMITTER(name) #name,
#include "backends/backends.def"
#undef OCTET_EMITTER
  };
}

// QuantizeLinear-10, -13 and -19 know 8-bit integers only; ai.onnx 21 brought int16, uint16, int4
// and uint4.
constexpr int64_t kOpsetOfOtherWidths = 21;

Result<Space> read_space(const file::Space& in, int64_t opset) {
  if (in.name().empty()) return usage_error("a space without a name");
  const auto dtype = numerics::dtype_from_name(in.dtype());
  if (!dtype || !numerics::is_integer(*dtype) || numerics::bit_width(*dtype) > 16) {
    return usage_error("space ", quote_name(in.name()), ": dtype ", quote_name(in.dtype()),
                       " is not an integer type of at most 16 bits");
  }
  if (numerics::bit_width(*dtype) != 8 && opset < kOpsetOfOtherWidths) {
    return usage_error("space ", quote_name(in.name()), ": ", in.dtype(),
                       " needs opset: ", kOpsetOfOtherWidths,
                       ", the description has opset: ", opset);
  }
  const numerics::IntegerRange range = numerics::integer_range(*dtype);
  Space out;
  out.name = in.name();
  out.dtype = *dtype;
  out.symmetry = in.symmetric() ? numerics::Symmetry::kSymmetric : numerics::Symmetry::kAsymmetric;
  out.granularity = in.per_channel() ? ir::Granularity::kPerAxis : ir::Granularity::kPerTensor;
  out.qmin = in.has_qmin() ? in.qmin() : static_cast<int32_t>(range.min);
  out.qmax = in.has_qmax() ? in.qmax() : static_cast<int32_t>(range.max);
  if (out.qmin >= out.qmax || out.qmin < range.min || out.qmax > range.max) {
    return usage_error("space ", quote_name(in.name()), ": range ", out.qmin, " to ", out.qmax,
                       " does not fit ", in.dtype());
  }
  out.nearly_symmetric = in.nearly_symmetric();
  return out;
}

// A space that an operator names; only weights may be per channel.
Status check_space(const BackendSpec& spec, const std::string& name, std::string_view role) {
  if (name.empty()) return {};
  const Space* space = spec.find_space(name);
  if (space == nullptr) {
    std::vector<std::string> names;
    for (const auto& [known, unused] : spec.spaces) names.push_back(known);
    return usage_error(role, " names the space ", quote_name(name), ", which is none",
                       name_hint(name, names));
  }
  if (role != "weight" && space->granularity != ir::Granularity::kPerTensor) {
    return usage_error(role, " names the space ", quote_name(name),
                       ", which is per channel; only weights can be");
  }
  return {};
}

// The space that takes the place of `space` for nearly symmetric ranges.
Status check_nearly_symmetric(const BackendSpec& spec, const Space& space) {
  const auto refuse = [&](std::string_view why) {
    return usage_error("space ", quote_name(space.name), ": nearly_symmetric names ",
                       quote_name(space.nearly_symmetric), ", which is ", why);
  };
  if (space.nearly_symmetric.empty()) return {};
  OCTET_TRY(check_space(spec, space.nearly_symmetric, "nearly_symmetric"));
  const Space& other = *spec.find_space(space.nearly_symmetric);
  if (other.symmetry != numerics::Symmetry::kSymmetric) return refuse("not symmetric");
  if (numerics::bit_width(other.dtype) != numerics::bit_width(space.dtype)) {
    return refuse("of another width");
  }
  return {};
}

// The space of 16 bits that single layers may read.
Status check_wide_data(const BackendSpec& spec, const OpRule& rule, const std::string& type) {
  if (rule.wide_data_space.empty()) return {};
  OCTET_TRY(check_space(spec, rule.wide_data_space, "wide_data"));
  const auto width = [&](const std::string& name) {
    return numerics::bit_width(spec.find_space(name)->dtype);
  };
  const auto refuse = [&](std::string_view why) {
    return usage_error("operator ", type, ": wide_data names ", quote_name(rule.wide_data_space),
                       why);
  };
  if (width(rule.wide_data_space) != 16 || width(rule.data_space) != 8) {
    return refuse(", but takes a space of 16 bits beside data of 8");
  }
  if (rule.weight_space.empty() || rule.participation != plan::Participation::kAlways) {
    return refuse("; only operators with a weight that run ALWAYS have it");
  }
  return {};
}

bool moves(plan::Participation participation) {
  return participation == plan::Participation::kMoves ||
         participation == plan::Participation::kTransparent;
}

// Whether each element of the result is one of the data's: only then do they share a scale.
bool keeps_elements(ops::QuantBehaviour behaviour) {
  return behaviour == ops::QuantBehaviour::kPassesThrough ||
         behaviour == ops::QuantBehaviour::kSameScale;
}

Result<OpRule> read_op(const file::Op& in, const std::string& type, const BackendSpec& spec) {
  OpRule out;
  const size_t separator = type.find("::");
  if (separator != std::string::npos) out.domain = type.substr(0, separator);
  out.op_type = separator == std::string::npos ? type : type.substr(separator + 2);
  const ops::OpSchema* schema = ops::find_schema(out.domain, out.op_type);
  if (schema == nullptr) {
    std::vector<std::string> names;
    for (const ops::OpSchema& known : ops::all_schemas()) names.emplace_back(known.name);
    return usage_error("unknown operator ", quote_name(type), name_hint(out.op_type, names));
  }
  out.participation = static_cast<plan::Participation>(in.runs());
  out.output = in.output() == file::OUTPUT_REQUIRED ? plan::OutputQuantizer::kRequired
               : in.output() == file::OUTPUT_FLOAT  ? plan::OutputQuantizer::kFloat
                                                    : plan::OutputQuantizer::kOptional;
  out.data_space = in.data();
  out.weight_space = in.weight();
  out.dynamic_weight_space = in.dynamic_weight();
  out.wide_data_space = in.wide_data();
  out.output_space = in.result();
  out.min_rank = in.min_rank();
  out.max_rank = in.max_rank();
  out.min_channels = in.min_channels();
  for (const file::Condition& condition : in.where()) {
    out.conditions.push_back({condition.attribute(),
                              {condition.value().begin(), condition.value().end()},
                              condition.absent()});
  }
  if (out.data_space.empty()) return usage_error("operator ", type, " names no space for its data");
  OCTET_TRY(check_space(spec, out.data_space, "data"));
  OCTET_TRY(check_space(spec, out.weight_space, "weight"));
  OCTET_TRY(check_space(spec, out.dynamic_weight_space, "dynamic_weight"));
  OCTET_TRY(check_space(spec, out.output_space, "result"));
  OCTET_TRY(check_wide_data(spec, out, type));
  if (schema->weight_channel_axis != nullptr && out.weight_space.empty()) {
    return usage_error("operator ", type, " names no space for its weight");
  }
  if (schema->behaviour == ops::QuantBehaviour::kFloatOnly) {
    return usage_error("operator ", type, " has no integer form that Octet knows of");
  }
  if (moves(out.participation) && !keeps_elements(schema->behaviour)) {
    return usage_error("operator ", type, " makes new numbers, so it cannot be run as ",
                       file::Runs_Name(in.runs()),
                       ", which shares one scale between input and output; give runs: BETWEEN");
  }
  return out;
}

Status check_name(std::string_view what, const std::string& name,
                  const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), name) != known.end()) return {};
  return usage_error("unknown ", what, " ", quote_name(name), name_hint(name, known));
}

Result<BackendSpec> read_backend(const file::Backend& in) {
  BackendSpec out;
  if (in.name().empty()) return usage_error("a backend needs a name");
  out.name = in.name();
  out.doc = in.doc();
  out.opset = in.opset();
  if (out.opset < 13 || out.opset > 23) {
    return usage_error("opset ", out.opset, " is outside 13 to 23");
  }
  for (const file::Space& space : in.space()) {
    OCTET_ASSIGN(Space read, read_space(space, out.opset));
    const std::string name = read.name;
    if (!out.spaces.emplace(name, std::move(read)).second) {
      return usage_error("space ", quote_name(name), " stands twice");
    }
  }
  for (const auto& [name, space] : out.spaces) OCTET_TRY(check_nearly_symmetric(out, space));
  for (const file::Op& op : in.op()) {
    if (op.type().empty()) return usage_error("an op entry without a type");
    for (const std::string& type : op.type()) {
      OCTET_ASSIGN(OpRule rule, read_op(op, type, out));
      out.ops.push_back(std::move(rule));
    }
  }
  if (out.ops.empty()) return usage_error("no op entry: nothing would run in integers");
  for (const std::string& activation : in.fused_activation()) {
    if (ops::find_schema("", activation) == nullptr) {
      return usage_error("fused_activation: unknown operator ", quote_name(activation));
    }
    out.fused_activations.push_back(activation);
  }
  out.bias = in.bias() == file::BIAS_INT32 ? plan::BiasForm::kInt32 : plan::BiasForm::kFloat;
  out.matmul_bias = in.matmul_bias();
  out.residual_add = static_cast<plan::ResidualAdd>(in.residual_add());
  out.join_scales = static_cast<plan::JoinScales>(in.join_scales());
  out.move_placement = static_cast<plan::MovePlacement>(in.move_placement());
  out.unit_range_256 = in.unit_range_256();
  out.emitter = in.emitter();
  OCTET_TRY(check_name("emitter", out.emitter, emitter_names()));
  return out;
}

std::string folder_name(std::string_view path) {
  const size_t end = path.rfind('/');
  const size_t start = path.rfind('/', end - 1);
  return std::string(path.substr(start + 1, end - start - 1));
}

// A plan names its backend: a name must not stand for two descriptions.
Status check_own_name(const file::Backend& in, std::string_view file_name) {
  for (const EmbeddedFile& embedded : embedded_backend_files()) {
    if (folder_name(embedded.path) != in.name()) continue;
    file::Backend builtin;
    OCTET_TRY(plan::parse_text_format(embedded.text, embedded.path, builtin));
    if (builtin.SerializeAsString() == in.SerializeAsString()) return {};
    return usage_error(file_name, ": ", quote_name(in.name()),
                       " is the name of a built-in backend that this description differs from; "
                       "give it a name of its own (name: \"my_chip\")");
  }
  return {};
}

}  // namespace

std::vector<std::string> builtin_backends() {
  std::vector<std::string> out;
  for (const EmbeddedFile& embedded : embedded_backend_files()) {
    out.push_back(folder_name(embedded.path));
  }
  return out;
}

Result<BackendSpec> parse_backend(std::string_view text, std::string_view file_name) {
  file::Backend in;
  OCTET_TRY(plan::parse_text_format(text, file_name, in));
  OCTET_TRY(check_own_name(in, file_name));
  return read_backend(in).in(file_name);
}

Result<BackendSpec> load_backend(const std::string& name_or_path) {
  constexpr int64_t kLargest = int64_t{1} << 20;
  const std::string ending = ".textproto";
  const bool is_path =
      name_or_path.find('/') != std::string::npos ||
      (name_or_path.size() > ending.size() &&
       name_or_path.compare(name_or_path.size() - ending.size(), ending.size(), ending) == 0);
  if (is_path) {
    OCTET_ASSIGN(const std::string text, read_file(name_or_path, kLargest));
    return parse_backend(text, name_or_path);
  }
  for (const EmbeddedFile& embedded : embedded_backend_files()) {
    if (folder_name(embedded.path) == name_or_path) {
      return parse_backend(embedded.text, embedded.path);
    }
  }
  return usage_error("unknown backend ", quote_name(name_or_path),
                     name_hint(name_or_path, builtin_backends()),
                     " (octet backends lists all; a description of your own is a path to a "
                     ".textproto file)");
}

}  // namespace octet::backends
