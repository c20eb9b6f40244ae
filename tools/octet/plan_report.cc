#include "tools/octet/plan_report.h"

#include <algorithm>
#include <iomanip>
#include <sstream>
#include <utility>
#include <vector>

#include "compiler/ops/schema.h"
#include "compiler/plan/effective_formats.h"
#include "compiler/plan/formats.h"
#include "compiler/plan/unit.h"
#include "tools/octet/body_products.h"

namespace octet::tools {
namespace {

Json search_json(const accuracy::SearchReport& report) {
  Json kept = Json::array();
  for (const accuracy::KeptChange& change : report.kept) {
    kept.push_back({{"change", change.what}, {"at", change.where}, {"gain_db", change.gain}});
  }
  return {{"judged_samples", report.judged},   {"effective_samples", report.speaking},
          {"few_speak", report.few_speak},     {"trials", report.trials},
          {"interrupted", report.interrupted}, {"before_db", report.before},
          {"after_db", report.after},          {"kept", kept}};
}

std::string search_text(const accuracy::SearchReport& report) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  if (report.few_speak) {
    out << std::fixed << std::setprecision(1) << "search     nothing tried: " << report.speaking
        << " effective samples of " << report.judged
        << " speak for some output; give more that have something to say\n";
    return std::move(out).str();
  }
  out << std::fixed << std::setprecision(2) << "search     " << report.trials << " trials, "
      << report.kept.size() << " kept" << (report.interrupted ? ", interrupted" : "") << "; "
      << report.before << " -> " << report.after << " dB joint over the outputs, on "
      << report.judged << " samples kept apart\n";
  for (const accuracy::KeptChange& change : report.kept) {
    out << "           " << std::showpos << std::setw(6) << change.gain << std::noshowpos << " dB  "
        << change.what << (change.where.empty() ? "" : cat(": ", change.where)) << '\n';
  }
  return std::move(out).str();
}

}  // namespace

std::string samples_text(const MadePlan& made) {
  if (made.plan.data_free && made.report) {
    return "data-free  ranges and means from batch norms, no samples\n";
  }
  return cat("calibrated on ", made.samples, made.samples == 1 ? " sample" : " samples",
             made.plan.data_free ? " (data-free)" : "", "\n");
}

namespace {

bool asks_for_int4(const plan::QuantPlan& plan) {
  const auto formats = plan::parse_formats(plan.formats);
  return formats.ok() && formats->weights == plan::WeightWidth::kInt4;
}

// The number formats of a plan in words; empty where they are the backend's own.
std::string formats_of(const plan::QuantPlan& plan) {
  const auto formats = plan::parse_formats(plan.formats);
  if (!formats.ok()) return {};
  std::string out = plan::describe(*formats);
  if (!asks_for_int4(plan)) return out;
  const int64_t narrow = plan::narrow_layer_count(plan);
  out += cat("; ", narrow, narrow == 1 ? " layer has" : " layers have", " int4 weights");
  if (narrow == 0 && formats->narrow_layers == plan::NarrowLayers::kInner) {
    out += " (--narrow-layers all takes first and last ones, too)";
  }
  return out;
}

Json recipe_json(const MadePlan& made) {
  if (!made.report) return {{"effort", "fast"}, {"why", made.why_fast}};
  Json out = {{"effort", made.plan.data_free ? "data-free"
                         : made.search       ? "best"
                                             : "default"},
              {"equalized_tensors", made.report->equalized_tensors},
              {"equalized_channels", made.report->equalized_channels},
              {"layers", made.report->layers},
              {"rounded_by_second_order", made.report->rounded},
              {"biases_corrected", made.report->corrected}};
  Json worst = Json::array();
  for (const auto& layer : made.report->worst) {
    worst.push_back({{"layer", layer.node}, {"sqnr_db", layer.sqnr}});
  }
  out["worst_layers"] = worst;
  out["from_statistics"] = made.from_statistics;
  if (made.search) out["search"] = search_json(*made.search);
  return out;
}

std::string recipe_text(const MadePlan& made) {
  if (!made.report) return cat("accuracy   ranges only: ", made.why_fast, "\n");
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out << "accuracy   " << made.report->rounded << " of " << made.report->layers
      << " layers rounded by second order, " << made.report->corrected << " biases corrected, "
      << made.report->equalized_tensors << " tensors equalized"
      << (made.from_statistics ? ", from statistics alone\n" : "\n");
  if (made.search) out << search_text(*made.search);
  const auto& worst = made.report->worst;
  for (size_t i = 0; i < worst.size(); ++i) {
    out << (i == 0 ? "worst      " : ", ") << worst[i].node << ' ' << std::fixed
        << std::setprecision(1) << worst[i].sqnr << " dB";
  }
  if (!worst.empty()) out << " at the layer itself; octet analyze tells more\n";
  return std::move(out).str();
}

}  // namespace

Json accuracy_json(const MadePlan& made) {
  Json out = recipe_json(made);
  if (!made.plan.formats.empty()) out["formats"] = made.plan.formats;
  if (asks_for_int4(made.plan)) out["int4_layers"] = plan::narrow_layer_count(made.plan);
  if (made.report && made.report->targeted > 0) {
    out["rounded_towards_float"] = made.report->targeted;
  }
  if (made.report && made.report->dead_channels + made.report->high_biases > 0) {
    out["dead_channels_absorbed"] = made.report->dead_channels;
    out["high_biases_absorbed"] = made.report->high_biases;
  }
  return out;
}

std::string accuracy_text(const MadePlan& made) {
  const std::string formats = formats_of(made.plan);
  std::string out = formats.empty() ? "" : cat("formats    ", formats, "\n");
  out += recipe_text(made);
  if (made.report && made.report->dead_channels + made.report->high_biases > 0) {
    out += cat("           ", made.report->dead_channels, " dead channels and ",
               made.report->high_biases, " high biases absorbed\n");
  }
  return out;
}

namespace {

// What was raised for a target says its effect behind a colon: one kind all the same.
std::string short_reason(const std::string& reason) {
  return reason.rfind("raised to float", 0) == 0 ? reason.substr(0, reason.find(':')) : reason;
}

}  // namespace

PlanSummary summarize(const ir::Graph& canonical, const plan::QuantPlan& plan) {
  PlanSummary out;
  const auto& order = canonical.order();
  for (size_t i = 0; i < order.size() && i < plan.remarks.size(); ++i) {
    const plan::Remark& remark = plan.remarks[i];
    const ir::Node& node = canonical.node(order[i]);
    const ops::OpSchema* schema = ops::find_schema(node);
    // Shape arithmetic and factors of weights are no candidates for integers.
    const bool computes_float =
        node.output().valid() &&
        numerics::is_floating_point(canonical.value(node.output()).type.storage) &&
        !plan::is_constant_like(canonical, node.output());
    if (schema != nullptr && !computes_float) continue;
    const bool linear = schema != nullptr && schema->weight_channel_axis != nullptr;
    const bool integer = remark.decision == plan::Decision::kInteger;
    ++out.nodes;
    out.linear += linear ? 1 : 0;
    out.nodes_integer += integer ? 1 : 0;
    out.linear_integer += linear && integer ? 1 : 0;
    if (!integer) ++out.float_reasons[cat(remark.op_type, ": ", short_reason(remark.reason))];
  }
  for (const auto& [reason, count] : products_in_bodies(canonical)) {
    out.linear += count;
    out.nodes += count;
    out.float_reasons[reason] += count;
  }
  return out;
}

Json to_json(const PlanSummary& summary) {
  Json reasons = Json::object();
  for (const auto& [reason, count] : summary.float_reasons) reasons[reason] = count;
  return {{"products", summary.linear},
          {"products_integer", summary.linear_integer},
          {"operators", summary.nodes},
          {"operators_integer", summary.nodes_integer},
          {"float", reasons}};
}

std::string to_text(const PlanSummary& summary) {
  std::ostringstream out;
  out << "integers   " << summary.linear_integer << " of " << summary.linear
      << " products of weights, " << summary.nodes_integer << " of " << summary.nodes
      << " operators\n";
  if (summary.nodes_integer == 0) {
    out << "           nothing was quantized: the model computes in float as before\n";
  }
  std::vector<std::pair<std::string, int64_t>> reasons(summary.float_reasons.begin(),
                                                       summary.float_reasons.end());
  std::stable_sort(reasons.begin(), reasons.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  constexpr size_t kShown = 6;
  for (size_t i = 0; i < std::min(reasons.size(), kShown); ++i) {
    out << (i == 0 ? "float      " : "           ") << reasons[i].second << " x "
        << reasons[i].first << '\n';
  }
  if (reasons.size() > kShown) {
    out << "           and " << reasons.size() - kShown
        << " more kinds; octet plan lists every node\n";
  }
  return out.str();
}

}  // namespace octet::tools
