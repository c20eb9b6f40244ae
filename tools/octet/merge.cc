#include "compiler/base/files.h"
#include "tools/octet/model_input.h"
#include "tools/octet/stages.h"

namespace octet::tools {
namespace {

struct MergeOptions {
  std::vector<std::string> inputs;
  std::string output;
};

Status merge(const MergeOptions& options, const Invocation& invocation) {
  OCTET_TRY(check_output_path(options.output, options.inputs));
  std::optional<calibration::Statistics> merged;
  for (const std::string& path : options.inputs) {
    OCTET_ASSIGN(calibration::Statistics part, read_statistics(path));
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
                      {"tensors", merged->tensors.size()}});
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
