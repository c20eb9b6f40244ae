// What a person asks for beyond the defaults; see recipe.proto for the file.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/base/result.h"
#include "compiler/calibration/range.h"
#include "compiler/ir/graph.h"
#include "compiler/plan/formats.h"

namespace octet::plan {

// Which nodes an override speaks of: all that are given must hold.
struct Selector {
  std::string node;     // name or glob; matches any of the node's original names
  std::string op_type;  // exact
};

enum class Precision { kInteger, kFloat };

struct Override {
  Selector select;
  std::optional<Precision> precision = std::nullopt;
  std::optional<calibration::RangeMethod> range = std::nullopt;  // of the tensors the node reads
  std::optional<WeightWidth> weights = std::nullopt;             // where formats have 4-bit weights
  std::optional<ActivationWidth> activations = std::nullopt;     // that the node reads
};

struct Recipe {
  calibration::RangeMethod range = {};  // of every activation
  std::vector<Override> overrides;      // later ones win
  Formats formats = {};
  // What was found out rather than asked for. No file holds these.
  std::map<std::string, std::string> raised = {};         // kept float, by first output: why
  std::map<std::string, std::string> widened = {};        // of 16-bit data, by first output: why
  std::map<std::string, calibration::Range> ranges = {};  // by value, in place of `range`
};

// kUsage with file:line:column for text that is not a recipe.
Result<Recipe> parse_recipe(std::string_view text, std::string_view file_name);
Result<Recipe> load_recipe(const std::string& path);

// "override { select { node: "NAME" } SETTING }", the name whole and escaped: for cures to print.
std::string override_text(const std::string& node, std::string_view setting);

// Once all formats are known: 4-bit weights of single layers get the formats they need (int4 with
// narrow_layers named). kUsage for narrow_layers without 4-bit weights.
Status settle_formats(Recipe& recipe);

// kUsage when a selector matches no node of the graph, naming the nearest name or op type.
Status check_selectors(const Recipe& recipe, const ir::Graph& graph);

// The last override that matches the node and sets the field.
std::optional<Precision> precision_for(const Recipe& recipe, const ir::Graph& graph,
                                       const ir::Node& node);
std::optional<WeightWidth> weights_for(const Recipe& recipe, const ir::Graph& graph,
                                       const ir::Node& node);
// kInt16 asks for OpRule::wide_data_space; make_plan refuses it where the backend has none.
std::optional<ActivationWidth> activations_for(const Recipe& recipe, const ir::Graph& graph,
                                               const ir::Node& node);
calibration::RangeMethod range_for(const Recipe& recipe, const ir::Graph& graph,
                                   const ir::Node& node);

}  // namespace octet::plan
