#include "compiler/plan/recipe.h"

#include <algorithm>
#include <set>

#include "compiler/base/files.h"
#include "compiler/base/name_hint.h"
#include "compiler/base/names.h"
#include "compiler/plan/recipe.pb.h"
#include "compiler/plan/text_format.h"

namespace octet::plan {

using ir::Graph;
using ir::Node;

namespace {

bool matches(const Selector& selector, const Graph& graph, const Node& node) {
  if (!selector.op_type.empty() && selector.op_type != node.op_type) return false;
  if (selector.node.empty()) return true;
  if (glob_match(selector.node, ir::display_name(graph, node))) return true;
  return std::any_of(node.origins.begin(), node.origins.end(),
                     [&](const std::string& origin) { return glob_match(selector.node, origin); });
}

Result<Override> read_override(const file::OverrideEntry& in) {
  Override out;
  out.select = {in.select().node(), in.select().op_type()};
  if (out.select.node.empty() && out.select.op_type.empty()) {
    return usage_error("an override selects nothing; give node or op_type");
  }
  if (in.has_precision()) {
    out.precision = in.precision() == file::FLOAT ? Precision::kFloat : Precision::kInteger;
  }
  if (in.has_range()) {
    OCTET_ASSIGN(out.range, calibration::parse_range_method(in.range()));
  }
  if (in.has_weights()) {
    OCTET_ASSIGN(out.weights, parse_weight_width(in.weights()));
  }
  if (in.has_activations()) {
    OCTET_ASSIGN(out.activations, parse_activation_width(in.activations()));
  }
  if (!out.precision && !out.range && !out.weights && !out.activations) {
    const bool node = !out.select.node.empty();
    return usage_error("the override of ", node ? "node " : "op_type ",
                       quote_name(node ? out.select.node : out.select.op_type),
                       " sets nothing; give precision, range, weights or activations");
  }
  return out;
}

Result<Formats> read_formats(const file::RecipeFile& in) {
  Formats out;
  if (in.has_weights()) OCTET_TRY(set_format(out, "weights", in.weights()));
  if (in.has_weight_granularity()) {
    OCTET_TRY(set_format(out, "weight_granularity", in.weight_granularity()));
  }
  if (in.has_scales()) OCTET_TRY(set_format(out, "scales", in.scales()));
  if (in.has_activations()) OCTET_TRY(set_format(out, "activations", in.activations()));
  if (in.has_narrow_layers()) OCTET_TRY(set_format(out, "narrow_layers", in.narrow_layers()));
  return out;
}

}  // namespace

Result<Recipe> parse_recipe(std::string_view text, std::string_view file_name) {
  file::RecipeFile in;
  OCTET_TRY(parse_text_format(text, file_name, in));
  Recipe out;
  if (in.has_range()) {
    auto method = calibration::parse_range_method(in.range());
    if (!method.ok()) return method.error().in(file_name);
    out.range = *method;
  }
  auto formats = read_formats(in);
  if (!formats.ok()) return formats.error().in(file_name);
  out.formats = *formats;
  for (const file::OverrideEntry& entry : in.override()) {
    auto read = read_override(entry);
    if (!read.ok()) return read.error().in(file_name);
    out.overrides.push_back(std::move(read).value());
  }
  return out;
}

Result<Recipe> load_recipe(const std::string& path) {
  constexpr int64_t kLargest = int64_t{16} << 20;
  OCTET_ASSIGN(const std::string text, read_file(path, kLargest));
  return parse_recipe(text, path);
}

std::string override_text(const std::string& node, std::string_view setting) {
  std::string name;
  for (const char c : node) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      name += '\\';
      name += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      for (const int shift : {6, 3, 0}) {
        name += shift == 6 ? "\\" : "";
        name += static_cast<char>('0' + ((byte >> shift) & 7));
      }
    } else {
      name += c;
    }
  }
  return cat("override { select { node: \"", name, "\" } ", setting, " }");
}

Status settle_formats(Recipe& recipe) {
  Formats& formats = recipe.formats;
  const bool named =
      std::any_of(recipe.overrides.begin(), recipe.overrides.end(),
                  [](const Override& entry) { return entry.weights == WeightWidth::kInt4; });
  if (named && formats.weights != WeightWidth::kInt4) {
    if (formats.narrow_layers == NarrowLayers::kAll) {
      return usage_error("narrow_layers \"all\" needs weights: \"int4\" for all layers");
    }
    formats.weights = WeightWidth::kInt4;
    formats.narrow_layers = NarrowLayers::kNamed;
  }
  if (formats.narrow_layers == NarrowLayers::kInner) return {};
  if (formats.weights != WeightWidth::kInt4) {
    return usage_error(
        "narrow_layers says which layers have 4-bit weights; give weights: \"int4\" or --weights "
        "int4");
  }
  if (formats.narrow_layers == NarrowLayers::kNamed && !named) {
    return usage_error(
        "narrow_layers \"named\", but no override has weights: \"int4\"; name a layer so, or leave "
        "narrow_layers out");
  }
  return {};
}

Status check_selectors(const Recipe& recipe, const Graph& graph) {
  for (const Override& entry : recipe.overrides) {
    const auto& order = graph.order();
    if (std::any_of(order.begin(), order.end(),
                    [&](ir::NodeId id) { return matches(entry.select, graph, graph.node(id)); })) {
      continue;
    }
    std::set<std::string> names;
    std::set<std::string> types;
    for (ir::NodeId id : order) {
      names.insert(ir::display_name(graph, graph.node(id)));
      names.insert(graph.node(id).origins.begin(), graph.node(id).origins.end());
      types.insert(graph.node(id).op_type);
    }
    const bool by_name = !entry.select.node.empty();
    const std::set<std::string>& known = by_name ? names : types;
    const std::string& wanted = by_name ? entry.select.node : entry.select.op_type;
    return usage_error("nothing matches the selector's ", by_name ? "node " : "op_type ",
                       quote_name(wanted), name_hint(wanted, {known.begin(), known.end()}));
  }
  return {};
}

std::optional<Precision> precision_for(const Recipe& recipe, const Graph& graph, const Node& node) {
  std::optional<Precision> out;
  for (const Override& entry : recipe.overrides) {
    if (entry.precision && matches(entry.select, graph, node)) out = entry.precision;
  }
  return out;
}

std::optional<WeightWidth> weights_for(const Recipe& recipe, const Graph& graph, const Node& node) {
  std::optional<WeightWidth> out;
  for (const Override& entry : recipe.overrides) {
    if (entry.weights && matches(entry.select, graph, node)) out = entry.weights;
  }
  return out;
}

std::optional<ActivationWidth> activations_for(const Recipe& recipe, const Graph& graph,
                                               const Node& node) {
  std::optional<ActivationWidth> out;
  for (const Override& entry : recipe.overrides) {
    if (entry.activations && matches(entry.select, graph, node)) out = entry.activations;
  }
  return out;
}

calibration::RangeMethod range_for(const Recipe& recipe, const Graph& graph, const Node& node) {
  calibration::RangeMethod out = recipe.range;
  for (const Override& entry : recipe.overrides) {
    if (entry.range && matches(entry.select, graph, node)) out = *entry.range;
  }
  return out;
}

}  // namespace octet::plan
