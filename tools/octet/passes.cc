#include "passes/passes.h"

#include "tools/octet/lists.h"

namespace octet::tools {

void add_passes(CLI::App& app, Invocation& invocation) {
  add_list(
      app, invocation, "passes", "Lists the graph passes and how exact each is",
      []() -> Result<std::vector<ListEntry>> {
        std::vector<ListEntry> out;
        for (const octet::passes::PassInfo& pass : octet::passes::all_passes()) {
          out.push_back({std::string(pass.name),
                         {{"numerics", std::string(octet::passes::numerics_name(pass.numerics))},
                          {"summary", std::string(pass.summary)}}});
        }
        return out;
      });
}

}  // namespace octet::tools
