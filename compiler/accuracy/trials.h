// What the parts of the search (search.h) share: the best plan so far, the judges, and the
// multiply-adds that may still be spent.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "compiler/accuracy/draft.h"
#include "compiler/accuracy/judge.h"
#include "compiler/accuracy/search.h"

namespace octet::accuracy {

// What a change has to bring on a typical judged sample: dB, and so many times its standard error
// (the best of many trials on few samples is lucky otherwise).
struct Bar {
  double gain = 0.02;
  double significance = 2.5;
};

class Trials {
 public:
  struct Setting {
    const plan::BackendSpec& spec;
    const RecipeOptions& options;
    const SearchOptions& search;
    const Judge& judge;    // of samples kept apart
    const Judge& confirm;  // of samples that proposals come from
    double sample_cost;    // multiply-adds of one sample, about
  };
  Trials(const Setting& setting, std::unique_ptr<Draft> draft)
      : setting_(setting), draft_(std::move(draft)) {}

  // Judges the plan to begin with.
  Status begin();
  // Shares of the work that may be spent from now on.
  void limit(double share) { limit_ = share * setting_.search.work; }

  double trial_cost() const {
    return static_cast<double>(setting_.judge.size()) * setting_.sample_cost;
  }
  double sample_cost() const { return setting_.sample_cost; }
  // Whether there is work left for a trial of that cost (and for `later` after it), and nobody
  // wants it to end.
  bool may(double cost, double later = 0.0);

  // What a plan that is better than the one there is makes of the outputs.
  struct Better {
    OutputErrors errors;
    OutputErrors confirmed;
    double gain = 0.0;
  };
  // Whether the plan of the current draft brings the outputs nearer.
  Result<std::optional<Better>> better(const plan::QuantPlan& plan, Bar bar = {});
  void keep(plan::QuantPlan plan, Better better, std::string what, std::string where);

  Result<OutputErrors> judged(const Draft& draft) const {
    return errors_of(setting_.judge, draft, draft.plan, SIZE_MAX);
  }
  // In the place of the current draft, unless its outputs are further from float on the judged
  // samples or on all together.
  Status adopt(std::unique_ptr<Draft> draft, std::vector<KeptChange> changes);
  // Whether the noise summed over samples falls, and not at the cost of the worst output: a typical
  // sample says nothing of those that matter most, as pictures with something to detect.
  static bool rises(const OutputErrors& from, const OutputErrors& to);
  // Whether the noise summed over samples rises by more than a little; it hangs on few of them.
  static bool falls(const OutputErrors& from, const OutputErrors& to);

  bool few_speak() const { return report_.few_speak; }
  Draft& draft() { return *draft_; }
  const Draft& draft() const { return *draft_; }
  // The best so far, of the draft's graph.
  const plan::QuantPlan& plan() const { return draft_->plan; }
  const plan::BackendSpec& spec() const { return setting_.spec; }
  size_t kept() const { return report_.kept.size(); }

  std::unique_ptr<Draft> take_draft() { return std::move(draft_); }
  SearchReport take_report();

 private:
  Result<OutputErrors> errors_of(const Judge& judge, const Draft& draft,
                                 const plan::QuantPlan& plan, size_t samples) const;

  const Setting setting_;
  std::unique_ptr<Draft> draft_;
  double spent_ = 0.0;
  double limit_ = 0.0;
  OutputErrors errors_;     // of the plan
  OutputErrors confirmed_;  // of the plan, there
  SearchReport report_;
};

}  // namespace octet::accuracy
