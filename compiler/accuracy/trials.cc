#include "compiler/accuracy/trials.h"

#include <algorithm>
#include <utility>

#include "compiler/accuracy/effective_samples.h"

namespace octet::accuracy {
namespace {

// Samples that a plan has to stand first.
constexpr size_t kScreened = 8;
constexpr double kScreenSlack = 0.1;
constexpr double kSlack = 0.1;

}  // namespace

Status Trials::begin() {
  OCTET_ASSIGN(errors_, judged(*draft_));
  OCTET_ASSIGN(confirmed_, errors_of(setting_.confirm, *draft_, draft_->plan, SIZE_MAX));
  report_.judged = setting_.judge.size();
  report_.speaking = errors_.effective_samples();
  report_.few_speak =
      report_.speaking < kLeastShareOfSamples * static_cast<double>(errors_.samples());
  report_.before = errors_.joint_sqnr();
  report_.planned = std::max<size_t>(1, static_cast<size_t>(setting_.search.work / trial_cost()));
  limit(1.0);
  if (setting_.search.begin != nullptr) setting_.search.begin();
  return {};
}

bool Trials::may(double cost, double later) {
  if (!report_.interrupted && setting_.search.stop != nullptr && setting_.search.stop()) {
    report_.interrupted = true;
  }
  if (report_.interrupted || spent_ + cost + later > limit_) return false;
  spent_ += cost;
  ++report_.trials;
  if (setting_.options.progress != nullptr) {
    const auto done = static_cast<size_t>(spent_ / trial_cost());
    setting_.options.progress("searching", std::min(done, report_.planned), report_.planned);
  }
  return true;
}

Result<OutputErrors> Trials::errors_of(const Judge& judge, const Draft& draft,
                                       const plan::QuantPlan& plan, size_t samples) const {
  OCTET_ASSIGN(const plan::QuantPlan whole, finished(draft, plan));
  OCTET_ASSIGN(Judge::Verdict verdict, judge.run(whole, samples));
  return std::move(verdict.errors);
}

bool Trials::falls(const OutputErrors& from, const OutputErrors& to) {
  return to.joint_sqnr() < from.joint_sqnr() - kSlack ||
         to.worst_sqnr().value_or(0.0) < from.worst_sqnr().value_or(0.0) - kSlack;
}

bool Trials::rises(const OutputErrors& from, const OutputErrors& to) {
  return to.joint_sqnr() > from.joint_sqnr() &&
         to.worst_sqnr().value_or(0.0) >= from.worst_sqnr().value_or(0.0);
}

Result<std::optional<Trials::Better>> Trials::better(const plan::QuantPlan& plan, Bar bar) {
  const std::optional<Better> no;
  const Judge& judge = setting_.judge;
  if (judge.size() > 2 * kScreened) {
    OCTET_ASSIGN(const OutputErrors few, errors_of(judge, *draft_, plan, kScreened));
    if (few.gain_over(errors_.first(kScreened)).db < -kScreenSlack) {
      spent_ -= trial_cost() *
                (1.0 - 1.5 * static_cast<double>(kScreened) / static_cast<double>(judge.size()));
      return no;
    }
  }
  OCTET_ASSIGN(OutputErrors all, errors_of(judge, *draft_, plan, SIZE_MAX));
  const OutputErrors::Gain gain = all.gain_over(errors_);
  if (gain.db < bar.gain || gain.significance < bar.significance || !rises(errors_, all) ||
      all.joint_sqnr() < report_.before - kSlack) {
    return no;
  }
  // More samples see more of the tails that clipping cuts.
  spent_ += trial_cost();
  OCTET_ASSIGN(OutputErrors seen, errors_of(setting_.confirm, *draft_, plan, SIZE_MAX));
  if (seen.gain_over(confirmed_).db < 0.0 || !rises(confirmed_, seen)) return no;
  return std::optional<Better>({std::move(all), std::move(seen), gain.db});
}

void Trials::keep(plan::QuantPlan plan, Better better, std::string what, std::string where) {
  report_.kept.push_back({std::move(what), std::move(where), better.gain});
  draft_->plan = std::move(plan);
  errors_ = std::move(better.errors);
  confirmed_ = std::move(better.confirmed);
}

Status Trials::adopt(std::unique_ptr<Draft> draft, std::vector<KeptChange> changes) {
  OCTET_ASSIGN(OutputErrors all, judged(*draft));
  OCTET_ASSIGN(OutputErrors seen, errors_of(setting_.confirm, *draft, draft->plan, SIZE_MAX));
  const double gain = all.gain_over(errors_).db;
  if (gain < 0.0 || gain + seen.gain_over(confirmed_).db < 0.0 || falls(errors_, all)) {
    return {};
  }
  draft_ = std::move(draft);
  errors_ = std::move(all);
  confirmed_ = std::move(seen);
  std::move(changes.begin(), changes.end(), std::back_inserter(report_.kept));
  return {};
}

SearchReport Trials::take_report() {
  report_.after = errors_.joint_sqnr();
  report_.planned = report_.interrupted ? report_.planned : report_.trials;
  return std::move(report_);
}

}  // namespace octet::accuracy
