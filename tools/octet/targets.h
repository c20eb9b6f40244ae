// Accuracy targets of `octet quantize` and `octet plan`: the options, and what raises precision
// until they hold (compiler/accuracy/targets.h).
#pragma once

#include <optional>
#include <string>

#include "compiler/accuracy/targets.h"
#include "compiler/data/dataset.h"
#include "tools/octet/model_input.h"
#include "tools/octet/stages.h"

namespace octet::tools {

struct AccuracyTargets {
  std::optional<double> min_sqnr;
  std::optional<double> max_drop;
  std::string labels;
  std::string metric_command;
  std::optional<double> metric_timeout;  // seconds
  std::optional<double> max_float_macs;

  bool any() const { return min_sqnr || max_drop; }
};
void add_target_options(CLI::App& verb, AccuracyTargets& targets);

// kUsage where options contradict each other or need one that is not given. `samples`: whether
// there are any to judge on.
Status check_targets(const AccuracyTargets& targets, Samples samples);

struct TargetReport {
  accuracy::TargetResult result;
  std::string judged_on;
  std::string asked;  // "--min-sqnr 30"
};
Json to_json(const TargetReport& report);
std::string to_text(const TargetReport& report);

// Raises layers of `made` until the targets hold, and puts the plan into `made`. Missing them is
// kAccuracyGate; the table has been printed then.
Result<TargetReport> meet_targets(const AccuracyTargets& targets, const std::string& model,
                                  const std::shared_ptr<const ir::Graph>& graph,
                                  const DataOptions& data, const plan::BackendSpec& spec,
                                  MadePlan& made, const Invocation& invocation);

}  // namespace octet::tools
