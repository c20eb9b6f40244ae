#include <map>

#include "backends/backends.h"
#include "compiler/base/names.h"
#include "compiler/ops/schema.h"
#include "compiler/plan/placement.h"
#include "tools/octet/body_products.h"
#include "tools/octet/model_input.h"

namespace octet::tools {
namespace {

std::string op_name(const ir::Node& node) {
  return node.domain.empty() ? node.op_type : node.domain + "::" + node.op_type;
}

// What each backend would take of the canonical graph.
struct Coverage {
  std::string backend;
  int64_t linear = 0;
  int64_t linear_integer = 0;
};

class Inspection {
 public:
  Status run(const std::string& path) {
    OCTET_ASSIGN(graph_, load_model(path));
    for (ir::NodeId id : graph_.order()) {
      ++ops_[op_name(graph_.node(id))];
      if (is_quantization(graph_.node(id))) ++quantized_;
    }
    find_unknown();
    find_shared_weights();
    CanonicalOptions options;
    options.weights = CanonicalOptions::NonFiniteWeights::kAllowed;
    OCTET_ASSIGN(const ir::Graph canonical, load_canonical(path, options));
    in_bodies_ = products_in_bodies(canonical);
    for (const std::string& name : backends::builtin_backends()) {
      OCTET_ASSIGN(const plan::BackendSpec spec, backends::load_backend(name));
      coverage_.push_back(cover(canonical, spec));
    }
    return {};
  }

  Json json() const {
    Json out = {{"opset", graph_.model.opset()},
                {"ir_version", graph_.model.ir_version},
                {"producer", graph_.model.producer_name},
                {"inputs", Json::array()},
                {"outputs", Json::array()},
                {"operators", ops_},
                {"quantized_nodes", quantized_},
                {"not_executable", unknown_},
                {"shared_weights", shared_},
                {"parameters", parameters()},
                {"products_in_bodies", in_bodies_},
                {"backends", Json::object()}};
    for (ir::ValueId id : graph_.required_inputs()) out["inputs"].push_back(value_json(id));
    for (ir::ValueId id : graph_.outputs()) out["outputs"].push_back(value_json(id));
    for (const Coverage& coverage : coverage_) {
      out["backends"][coverage.backend] = {{"products", coverage.linear},
                                           {"products_integer", coverage.linear_integer}};
    }
    return out;
  }

  std::string text() const {
    std::string out =
        cat("opset      ", graph_.model.opset(), ", IR version ", graph_.model.ir_version,
            ", from ", quote_name(graph_.model.producer_name), "\n");
    for (ir::ValueId id : graph_.required_inputs()) out += line("input      ", id);
    for (ir::ValueId id : graph_.outputs()) out += line("output     ", id);
    out += cat("parameters ", parameters(), "\n");
    if (const auto id = quantized_node(graph_)) {
      out += cat("quantized  already, by ", quantized_, " nodes, the first of them ",
                 ir::describe(graph_, *id), "\n");
    }
    std::string list;
    for (const auto& [name, count] : ops_) list += cat(list.empty() ? "" : ", ", name, " ", count);
    out += cat("operators  ", list, "\n");
    for (const auto& [name, reason] : unknown_) {
      out += cat("cannot run ", name, ": ", reason, "\n");
    }
    for (const auto& [name, uses] : shared_) {
      out += cat("shared     ", quote_name(name), " is the weight of ", uses, " nodes\n");
    }
    for (const auto& [where, count] : in_bodies_) {
      out += cat("stays float ", count, " x ", where, "\n");
    }
    for (const Coverage& coverage : coverage_) {
      out += cat("backend    ", coverage.backend, ": ", coverage.linear_integer, " of ",
                 coverage.linear, " products of weights in integers\n");
    }
    return out;
  }

 private:
  void find_unknown() {
    for (ir::NodeId id : graph_.order()) {
      const ir::Node& node = graph_.node(id);
      const ops::OpSchema* schema = ops::find_schema(node);
      if (schema == nullptr) {
        unknown_.emplace(op_name(node), cat("Octet does not know this operator; quantize and "
                                            "calibrate refuse the model at ",
                                            ir::describe(graph_, id)));
      }
    }
  }

  void find_shared_weights() {
    for (size_t i = 0; i < graph_.value_count(); ++i) {
      const ir::Value& value = graph_.value(ir::ValueId(i));
      if (!value.alive || !value.is_constant()) continue;
      int64_t uses = 0;
      for (const ir::Use& use : graph_.uses(ir::ValueId(i))) {
        const ops::OpSchema* schema = ops::find_schema(graph_.node(use.node));
        if (!use.implicit && schema != nullptr &&
            schema->role(static_cast<size_t>(use.index)) == ops::Role::kWeight) {
          ++uses;
        }
      }
      if (uses > 1) shared_[value.name] = uses;
    }
  }

  static Coverage cover(const ir::Graph& canonical, const plan::BackendSpec& spec) {
    const plan::Placement placement = plan::place(canonical, spec, {});
    Coverage out{spec.name};
    for (ir::NodeId id : canonical.order()) {
      const ops::OpSchema* schema = ops::find_schema(canonical.node(id));
      if (schema == nullptr || schema->weight_channel_axis == nullptr) continue;
      ++out.linear;
      const int32_t unit = placement.units.of_node[id.index()];
      if (unit >= 0 && placement.integer[static_cast<size_t>(unit)]) ++out.linear_integer;
    }
    for (const auto& [where, count] : products_in_bodies(canonical)) out.linear += count;
    return out;
  }

  // Whether a constant is what a quantized model has for a weight or bias.
  bool is_integer_weight(ir::ValueId id) const {
    for (const ir::Use& use : graph_.uses(id)) {
      const ir::Node& node = graph_.node(use.node);
      if (use.implicit) continue;
      if (node.is("DequantizeLinear") && use.index == 0) return true;
      const ops::OpSchema* schema = ops::find_schema(node);
      if (schema == nullptr) continue;
      const ops::Role role = schema->role(static_cast<size_t>(use.index));
      if (role == ops::Role::kWeight || role == ops::Role::kBias) return true;
    }
    return false;
  }

  int64_t parameters() const {
    int64_t count = 0;
    for (size_t i = 0; i < graph_.value_count(); ++i) {
      const ir::Value& value = graph_.value(ir::ValueId(i));
      if (value.alive && value.is_constant() &&
          (numerics::is_floating_point(value.constant->dtype()) ||
           is_integer_weight(ir::ValueId(i)))) {
        count += value.constant->element_count();
      }
    }
    return count;
  }

  Json value_json(ir::ValueId id) const {
    const ir::Value& value = graph_.value(id);
    return {{"name", value.name},
            {"dtype", std::string(numerics::dtype_name(value.type.storage))},
            {"shape", value.type.shape.to_string()}};
  }

  std::string line(std::string_view title, ir::ValueId id) const {
    const ir::Value& value = graph_.value(id);
    return cat(title, quote_name(value.name), " ", value.type.to_string(), "\n");
  }

  ir::Graph graph_;
  std::map<std::string, int64_t> ops_;
  int64_t quantized_ = 0;  // nodes that only a quantized model has
  std::map<std::string, std::string> unknown_;
  std::map<std::string, int64_t> shared_;
  std::map<std::string, int64_t> in_bodies_;
  std::vector<Coverage> coverage_;
};

}  // namespace

void add_inspect(CLI::App& app, Invocation& invocation) {
  auto model = std::make_shared<std::string>();
  CLI::App& verb = add_verb(app, invocation, "inspect",
                            "Shows what is in a model and what each backend would take of it",
                            "  octet inspect model.onnx");
  verb.add_option("MODEL", *model, "ONNX model")->required();
  verb.callback([model, &invocation] {
    invocation.action = [model, &invocation]() -> Status {
      Inspection inspection;
      OCTET_TRY(inspection.run(*model));
      if (invocation.json) {
        print_result(inspection.json());
      } else {
        print_result(inspection.text());
      }
      return {};
    };
  });
}

}  // namespace octet::tools
