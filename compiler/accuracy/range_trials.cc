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

// One of its candidates for a group.
struct Choice {
  const Group* group = nullptr;
  const CandidateRange* candidate = nullptr;
};

struct Changed {
  plan::Recipe recipe;
  QuantPlan plan;
  Trials::Better better;
};

Result<std::optional<Changed>> changed(Trials& trials, const std::vector<Choice>& choices) {
  Changed out;
  out.recipe = trials.draft().recipe;
  for (const Choice& choice : choices) {
    for (const std::string& value : choice.group->values) {
      out.recipe.ranges[value] = choice.candidate->range;
    }
  }
  OCTET_ASSIGN(out.plan, replan(trials.draft(), trials.spec(), out.recipe));
  OCTET_ASSIGN(std::optional<Trials::Better> found, trials.better(out.plan));
  if (!found) return std::optional<Changed>();
  out.better = std::move(*found);
  return std::optional<Changed>(std::move(out));
}

void keep(Trials& trials, Changed change, std::string what, std::string where) {
  trials.draft().recipe = std::move(change.recipe);
  trials.keep(std::move(change.plan), std::move(change.better), std::move(what), std::move(where));
}

Status try_together(Trials& trials) {
  const std::vector<Group> all = groups(trials.draft(), Ranges::kClipping);
  // The mildest of the candidates, which are in order.
  std::vector<Choice> mildest;
  for (const Group& group : all) {
    if (group.promise > 0.0) mildest.push_back({&group, &group.candidates.front()});
  }
  constexpr size_t kFewest = 3;  // fewer are tried one by one anyway
  std::vector<std::vector<Choice>> left;
  left.push_back(std::move(mildest));
  while (!left.empty()) {
    const std::vector<Choice> choices = std::move(left.back());
    left.pop_back();
    if (choices.size() < kFewest || !trials.may(trials.trial_cost())) continue;
    OCTET_ASSIGN(std::optional<Changed> found, changed(trials, choices));
    if (found) {
      keep(trials, std::move(*found), cat("ranges of ", choices.size(), " tensors by least error"),
           cat(choices.front().group->values.front(), ", ..."));
      continue;
    }
    const auto middle = choices.begin() + static_cast<ptrdiff_t>(choices.size() / 2);
    left.emplace_back(middle, choices.end());
    left.emplace_back(choices.begin(), middle);
  }
  return {};
}

Status try_group(Trials& trials, const Group& group) {
  std::optional<Changed> best;
  std::string method;
  for (const CandidateRange& candidate : group.candidates) {
    if (!trials.may(trials.trial_cost())) break;
    OCTET_ASSIGN(std::optional<Changed> found, changed(trials, {{&group, &candidate}}));
    if (!found || (best && found->better.gain <= best->better.gain)) continue;
    best = std::move(found);
    method = candidate.method;
  }
  if (best) keep(trials, std::move(*best), cat("range by ", method), group.values.front());
  return {};
}

}  // namespace

Status try_ranges(Trials& trials) {
  OCTET_TRY(try_together(trials));
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
