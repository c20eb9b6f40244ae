#include <algorithm>

#include "compiler/base/files.h"
#include "compiler/base/log.h"
#include "compiler/base/names.h"
#include "tools/octet/model_input.h"
#include "tools/octet/stages.h"

namespace octet::tools {
namespace {

struct MergeOptions {
  std::vector<std::string> inputs;
  std::string output;
};

// A file that is given twice, or beside a merged one that holds it, would count twice. Single
// samples may well stand in two files: data has the same picture twice.
Status check_apart(const std::string& first, const calibration::Statistics& earlier,
                   const std::string& second, const calibration::Statistics& part) {
  const int64_t common = earlier.common_samples(part);
  if (common == 0) return {};
  const auto all = std::min(earlier.digests.size(), part.digests.size());
  if (common == static_cast<int64_t>(all)) {
    return usage_error(quote_name(first), " and ", quote_name(second), " hold the same ", common,
                       common == 1 ? " sample" : " samples", ", which would count twice; give ",
                       earlier.digests.size() == part.digests.size()
                           ? "each shard once"
                           : "the shards, or the whole that holds them, not both");
  }
  log_warning(cat(quote_name(first), " and ", quote_name(second), " have ", common,
                  common == 1 ? " sample" : " samples", " in common, which count twice"));
  return {};
}

Status merge(const MergeOptions& options, const Invocation& invocation) {
  OCTET_TRY(check_output_path(options.output, options.inputs));
  std::optional<calibration::Statistics> merged;
  std::vector<calibration::Statistics> earlier;  // digests only
  for (const std::string& path : options.inputs) {
    OCTET_ASSIGN(calibration::Statistics part, read_statistics(path));
    for (size_t i = 0; i < earlier.size(); ++i) {
      OCTET_TRY(check_apart(options.inputs[i], earlier[i], path, part));
    }
    earlier.emplace_back().digests = part.digests;
    if (merged) {
      OCTET_TRY(merged->merge(part).in(path));
    } else {
      merged = std::move(part);
    }
  }
  OCTET_TRY(write_file_atomic(options.output, merged->to_text()));
  if (invocation.json) {
    print_result(Json{{"output", options.output},
                      {"samples", merged->samples},
                      {"tensors", merged->tensors.size()},
                      {"second_order_layers", merged->layers.size()}});
  } else {
    print_result(cat("wrote      ", options.output, ": ", merged->samples, " samples from ",
                     options.inputs.size(), " files\n"));
  }
  return {};
}

}  // namespace

void add_merge(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<MergeOptions>();
  CLI::App& verb = add_verb(
      app, invocation, "merge",
      "Joins statistics of shards into one file; the same bytes as one run over all samples",
      "  octet merge part1.stats part2.stats part3.stats -o model.stats");
  verb.add_option("STATS", options->inputs, "Statistics files of one model")->required();
  verb.add_option("-o,--output", options->output, "Statistics file to write")->required();
  verb.callback([options, &invocation] {
    invocation.action = [options, &invocation] { return merge(*options, invocation); };
  });
}

}  // namespace octet::tools
