#include "compiler/plan/formats.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "compiler/base/name_hint.h"
#include "compiler/base/names.h"

namespace octet::plan {

using ir::Granularity;
using numerics::DType;

namespace {

constexpr int64_t kOpset = 21;  // of 4-bit and 16-bit integers and of blocks
constexpr int64_t kLargestBlock = 1 << 16;

Status unknown(std::string_view field, std::string_view word,
               const std::vector<std::string>& known) {
  std::string list;
  for (const std::string& one : known) list += (list.empty() ? "" : ", ") + one;
  return usage_error(field, " ", quote_name(std::string(word)), ": give one of ", list);
}

Status set_granularity(Formats& formats, std::string_view word) {
  constexpr std::string_view kBlock = "block:";
  formats.block_size = 0;
  if (word == "per-channel") {
    formats.granularity = WeightGranularity::kPerChannel;
  } else if (word == "per-tensor") {
    formats.granularity = WeightGranularity::kPerTensor;
  } else if (word.substr(0, kBlock.size()) == kBlock) {
    const std::string_view digits = word.substr(kBlock.size());
    int64_t size = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), size);
    if (parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size() || size < 2 ||
        size > kLargestBlock) {
      return usage_error("weight_granularity ", quote_name(std::string(word)),
                         ": a block is 2 to 65536 input channels, as in block:32");
    }
    formats.granularity = WeightGranularity::kBlocked;
    formats.block_size = size;
  } else {
    return unknown("weight_granularity", word, {"per-channel", "per-tensor", "block:SIZE"});
  }
  return {};
}

std::string granularity_word(const Formats& formats) {
  switch (formats.granularity) {
    case WeightGranularity::kAsBackend:
      return "";
    case WeightGranularity::kPerChannel:
      return "per-channel";
    case WeightGranularity::kPerTensor:
      return "per-tensor";
    case WeightGranularity::kBlocked:
      return cat("block:", formats.block_size);
  }
  return "";
}

// The type of `bits` bits that is signed where `like` is.
DType of_width(DType like, int bits) {
  const bool is_signed = numerics::is_signed_integer(like);
  if (bits == 4) return is_signed ? DType::kInt4 : DType::kUint4;
  if (bits == 16) return is_signed ? DType::kInt16 : DType::kUint16;
  return is_signed ? DType::kInt8 : DType::kUint8;
}

// Narrow types leave no integer unused; those of 8 bits and more keep to the description's habit of
// leaving out the least one.
void set_width(Space& space, int bits) {
  if (numerics::bit_width(space.dtype) == bits) return;
  const bool narrow = space.qmin > static_cast<int32_t>(numerics::integer_range(space.dtype).min);
  space.dtype = of_width(space.dtype, bits);
  const numerics::IntegerRange range = numerics::integer_range(space.dtype);
  space.qmin = static_cast<int32_t>(range.min) + (narrow && bits > 4 ? 1 : 0);
  space.qmax = static_cast<int32_t>(range.max);
}

class Formatter {
 public:
  Formatter(BackendSpec spec, const Formats& formats) : spec_(std::move(spec)), formats_(formats) {}

  BackendSpec run() {
    // Weight spaces get names of their own: an activation may use the same one.
    for (OpRule& rule : spec_.ops) {
      if (rule.weight_space.empty()) continue;
      const std::string name = rule.weight_space;
      const bool narrow = formats_.weights == WeightWidth::kInt4;
      rule.weight_space = weight_space(name, narrow ? 4 : 8);
      if (narrow) rule.wide_weight_space = weight_space(name, 8);
    }
    const std::set<std::string> activations = activation_spaces();
    for (auto& [name, space] : spec_.spaces) {
      if (activations.contains(name)) format_activation(space);
    }
    format_wide_data();
    raise_opset();
    if (formats_.granularity == WeightGranularity::kBlocked || sixteen()) {
      spec_.bias = BiasForm::kFloat;
    }
    if (formats_.granularity == WeightGranularity::kPerTensor) fuse_min();
    return std::move(spec_);
  }

 private:
  bool sixteen() const { return formats_.activations == ActivationWidth::kInt16; }

  std::string weight_space(const std::string& from, int bits) {
    const bool as_is = formats_.weights == WeightWidth::kAsBackend;
    const std::string name = cat(from, "/weight", as_is ? "" : cat(bits));
    if (spec_.spaces.contains(name)) return name;
    Space space = spec_.spaces.at(from);
    space.name = name;
    space.scales = formats_.scales;
    if (!as_is) set_width(space, bits);
    switch (formats_.granularity) {
      case WeightGranularity::kAsBackend:
        break;
      case WeightGranularity::kPerChannel:
        space.granularity = Granularity::kPerAxis;
        break;
      case WeightGranularity::kPerTensor:
        space.granularity = Granularity::kPerTensor;
        break;
      case WeightGranularity::kBlocked:
        space.granularity = Granularity::kBlocked;
        space.block_size = formats_.block_size;
        break;
    }
    spec_.spaces.emplace(name, std::move(space));
    return name;
  }

  std::set<std::string> activation_spaces() const {
    std::set<std::string> out;
    for (const OpRule& rule : spec_.ops) {
      out.insert({rule.data_space, rule.dynamic_weight_space, rule.output_space});
    }
    for (const std::string& name : std::set<std::string>(out)) {
      const Space* space = spec_.find_space(name);
      if (space != nullptr) out.insert(space->nearly_symmetric);
    }
    out.erase("");
    return out;
  }

  void format_activation(Space& space) const {
    space.scales = formats_.scales;
    if (sixteen()) set_width(space, 16);
    if (formats_.activations == ActivationWidth::kInt8) set_width(space, 8);
  }

  void format_wide_data() {
    for (OpRule& rule : spec_.ops) {
      if (formats_.activations != ActivationWidth::kAsBackend) rule.wide_data_space.clear();
      const auto wide = spec_.spaces.find(rule.wide_data_space);
      if (wide != spec_.spaces.end()) wide->second.scales = formats_.scales;
    }
  }

  void raise_opset() {
    spec_.own_opset = spec_.opset;
    for (const auto& [name, space] : spec_.spaces) {
      if (numerics::bit_width(space.dtype) != 8 || space.granularity == Granularity::kBlocked) {
        spec_.opset = std::max(spec_.opset, kOpset);
      }
    }
  }

  // A Min by a constant per channel is what a Clip becomes when its channels get factors of their
  // own.
  void fuse_min() {
    auto& list = spec_.fused_activations;
    const auto has = [&](std::string_view name) {
      return std::find(list.begin(), list.end(), name) != list.end();
    };
    if (has("Clip") && has("Relu") && !has("Min")) list.push_back("Min");
  }

  BackendSpec spec_;
  const Formats& formats_;
};

}  // namespace

Result<WeightWidth> parse_weight_width(std::string_view word) {
  if (word == "int8") return WeightWidth::kInt8;
  if (word == "int4") return WeightWidth::kInt4;
  return unknown("weights", word, {"int8", "int4"}).error();
}

Result<ActivationWidth> parse_activation_width(std::string_view word) {
  if (word == "int8") return ActivationWidth::kInt8;
  if (word == "int16") return ActivationWidth::kInt16;
  return unknown("activations", word, {"int8", "int16"}).error();
}

Status set_format(Formats& formats, std::string_view field, std::string_view word) {
  if (field == "weights") {
    OCTET_ASSIGN(formats.weights, parse_weight_width(word));
  } else if (field == "weight_granularity") {
    return set_granularity(formats, word);
  } else if (field == "scales") {
    if (word != "any" && word != "power-of-two")
      return unknown(field, word, {"any", "power-of-two"});
    formats.scales = word == "any" ? ScaleForm::kAny : ScaleForm::kPowerOfTwo;
  } else if (field == "activations") {
    OCTET_ASSIGN(formats.activations, parse_activation_width(word));
  } else if (field == "narrow_layers") {
    if (word != "inner" && word != "all" && word != "named") {
      return unknown(field, word, {"inner", "all", "named"});
    }
    formats.narrow_layers = word == "inner" ? NarrowLayers::kInner
                            : word == "all" ? NarrowLayers::kAll
                                            : NarrowLayers::kNamed;
  } else {
    return usage_error("unknown format ", quote_name(std::string(field)),
                       name_hint(std::string(field), {"weights", "weight_granularity", "scales",
                                                      "activations", "narrow_layers"}));
  }
  return {};
}

std::string to_string(const Formats& formats) {
  std::string out;
  const auto put = [&](std::string_view field, std::string_view word) {
    if (!word.empty()) out += cat(out.empty() ? "" : " ", field, "=", word);
  };
  put("weights", formats.weights == WeightWidth::kInt4   ? "int4"
                 : formats.weights == WeightWidth::kInt8 ? "int8"
                                                         : "");
  put("weight_granularity", granularity_word(formats));
  put("scales", formats.scales == ScaleForm::kPowerOfTwo ? "power-of-two" : "");
  put("activations", formats.activations == ActivationWidth::kInt16  ? "int16"
                     : formats.activations == ActivationWidth::kInt8 ? "int8"
                                                                     : "");
  put("narrow_layers", formats.narrow_layers == NarrowLayers::kAll     ? "all"
                       : formats.narrow_layers == NarrowLayers::kNamed ? "named"
                                                                       : "");
  return out;
}

Result<Formats> parse_formats(std::string_view text) {
  Formats out;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    const std::string_view entry = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (entry.empty()) continue;
    const size_t equals = std::min(entry.find('='), entry.size());
    const std::string_view word =
        equals < entry.size() ? entry.substr(equals + 1) : std::string_view();
    OCTET_TRY(set_format(out, entry.substr(0, equals), word));
  }
  return out;
}

std::string describe(const Formats& formats) {
  std::string out;
  const auto put = [&](std::string_view what) { out += cat(out.empty() ? "" : ", ", what); };
  std::string weights;
  if (formats.weights == WeightWidth::kInt4) weights = "int4 weights";
  if (formats.weights == WeightWidth::kInt8) weights = "int8 weights";
  if (formats.granularity != WeightGranularity::kAsBackend) {
    if (weights.empty()) weights = "weights";
    weights += formats.granularity == WeightGranularity::kPerTensor ? " per tensor"
               : formats.granularity == WeightGranularity::kPerChannel
                   ? " per channel"
                   : cat(" in blocks of ", formats.block_size);
  }
  if (formats.weights == WeightWidth::kInt4) {
    weights += formats.narrow_layers == NarrowLayers::kAll     ? " in every layer"
               : formats.narrow_layers == NarrowLayers::kNamed ? " in the layers the recipe names"
                                                               : " (first and last layers int8)";
  }
  if (!weights.empty()) put(weights);
  if (formats.activations == ActivationWidth::kInt16) put("int16 activations");
  if (formats.activations == ActivationWidth::kInt8) put("int8 activations");
  if (formats.scales == ScaleForm::kPowerOfTwo) put("power-of-two scales");
  return out;
}

BackendSpec with_formats(BackendSpec spec, const Formats& formats) {
  if (formats == Formats()) return spec;
  return Formatter(std::move(spec), formats).run();
}

}  // namespace octet::plan
