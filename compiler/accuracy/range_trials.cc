#include "compiler/accuracy/range_trials.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "compiler/accuracy/candidate_ranges.h"

namespace octet::accuracy {

using calibration::Range;
using plan::QuantPlan;

namespace {

// Values that share their scale, and what may be done about their range.
struct Group {
  std::vector<std::string> values;
  Range current;
  std::vector<CandidateRange> candidates;
  double promise = 0.0;  // fall of local relative error
};

Range range_of(const ir::QuantParams& params) {
  const auto scale = params.scales().front();
  const int32_t zero = params.zero_points().front();
  return {scale * static_cast<float>(params.qmin() - zero),
          scale * static_cast<float>(params.qmax() - zero)};
}

double expected_power(const calibration::TensorStatistics& statistics) {
  // Everything beyond an empty range is its own error.
  return expected_error(statistics, {0.0F, 0.0F}, 2, 2.0);
}

// What no statistics were asked for has its range from its operator.
bool has_fixed_range(const Draft& draft, const Group& group) {
  return std::any_of(group.values.begin(), group.values.end(), [&](const std::string& value) {
    return !draft.statistics.tensors.contains(value);
  });
}

// A group of one value: proposals from its histogram; of several: each proposal has to cover the
// proposals of all.
void find_candidates(const Draft& draft, Group& group, const ir::QuantParams& params) {
  const int64_t levels = int64_t{params.qmax()} - params.qmin() + 1;
  const auto shape =
      params.symmetric() ? calibration::RangeShape::kSymmetric : calibration::RangeShape::kAnywhere;
  std::map<std::string, Range> joined;
  std::vector<std::string> order;
  bool first = true;
  for (const std::string& value : group.values) {
    const auto it = draft.proposals.tensors.find(value);
    if (it == draft.proposals.tensors.end() || it->second.elements == 0) {
      group.candidates.clear();
      return;
    }
    for (const CandidateRange& each : candidate_ranges(it->second, group.current, levels, shape)) {
      const auto known = joined.find(each.method);
      if (known != joined.end()) {
        known->second = calibration::unite(known->second, each.range);
      } else if (first) {
        joined.emplace(each.method, each.range);
        order.push_back(each.method);
      }
    }
    first = false;
  }
  const auto& statistics = draft.proposals.tensors.at(group.values.front());
  const double power = expected_power(statistics);
  const double now = expected_error(statistics, group.current, levels, 2.0);
  double least = now;
  for (const std::string& method : order) {
    const Range& range = joined.at(method);
    const double error = expected_error(statistics, range, levels, 2.0);
    least = std::min(least, error);
    group.candidates.push_back({method, range});
  }
  group.promise = power > 0.0 ? (now - least) / power : 0.0;
}

enum class Ranges { kClipping, kResized };

// kClipping: what promises most first. kResized: in the order of the graph, since what is read
// first is felt by all behind it.
std::vector<Group> groups(const Draft& draft, Ranges which) {
  std::map<std::string, Group> by_first;
  for (const plan::ActivationQuantizer& quantizer : draft.plan.activations) {
    const std::string& first =
        quantizer.shares_with.empty() ? quantizer.value : quantizer.shares_with;
    Group& group = by_first[first];
    group.values.push_back(quantizer.value);
    group.current = range_of(quantizer.params);
  }
  std::vector<Group> out;
  for (const plan::ActivationQuantizer& quantizer : draft.plan.activations) {
    const auto it =
        by_first.find(quantizer.shares_with.empty() ? quantizer.value : quantizer.shares_with);
    if (it == by_first.end()) continue;
    Group group = std::move(it->second);
    by_first.erase(it);
    if (which == Ranges::kClipping) {
      find_candidates(draft, group, quantizer.params);
    } else if (!has_fixed_range(draft, group)) {
      group.candidates = resized_ranges(group.current);
    }
    if (!group.candidates.empty()) out.push_back(std::move(group));
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const Group& a, const Group& b) { return a.promise > b.promise; });
  return out;
}

struct Changed {
  plan::Recipe recipe;
  QuantPlan plan;
  Trials::Better better;
};

Result<std::optional<Changed>> changed(Trials& trials, const Group& group,
                                       const CandidateRange& candidate) {
  Changed out;
  out.recipe = trials.draft().recipe;
  for (const std::string& value : group.values) out.recipe.ranges[value] = candidate.range;
  OCTET_ASSIGN(out.plan, replan(trials.draft(), trials.spec(), out.recipe));
  OCTET_ASSIGN(std::optional<Trials::Better> found, trials.better(out.plan));
  if (!found) return std::optional<Changed>();
  out.better = std::move(*found);
  return std::optional<Changed>(std::move(out));
}

Status try_group(Trials& trials, const Group& group) {
  std::optional<Changed> best;
  std::string method;
  for (const CandidateRange& candidate : group.candidates) {
    if (!trials.may(trials.trial_cost())) break;
    OCTET_ASSIGN(std::optional<Changed> found, changed(trials, group, candidate));
    if (!found || (best && found->better.gain <= best->better.gain)) continue;
    best = std::move(found);
    method = candidate.method;
  }
  if (!best) return {};
  trials.draft().recipe = std::move(best->recipe);
  trials.keep(std::move(best->plan), std::move(best->better), cat("range by ", method),
              group.values.front());
  return {};
}

}  // namespace

Status try_ranges(Trials& trials) {
  constexpr size_t kSweeps = 2;
  for (size_t sweep = 0; sweep < kSweeps; ++sweep) {
    const size_t before = trials.kept();
    for (const Ranges which : {Ranges::kClipping, Ranges::kResized}) {
      for (const Group& group : groups(trials.draft(), which)) {
        OCTET_TRY(try_group(trials, group));
      }
    }
    if (trials.kept() == before) break;
  }
  return {};
}

}  // namespace octet::accuracy
