#include "compiler/ops/schema.h"
#include "tools/octet/lists.h"

namespace octet::tools {

void add_ops(CLI::App& app, Invocation& invocation) {
  add_list(app, invocation, "ops", "Lists the operators Octet understands and can run",
           []() -> Result<std::vector<ListEntry>> {
             std::vector<ListEntry> out;
             for (const octet::ops::OpSchema& schema : octet::ops::all_schemas()) {
               std::string name(schema.name);
               if (!schema.domain.empty()) name = cat(schema.domain, "::", name);
               out.push_back(
                   {name,
                    {{"opset", cat("opset ", schema.since, " to ", schema.until)},
                     {"quantization", std::string(octet::ops::behaviour_name(schema.behaviour))}}});
             }
             return out;
           });
}

}  // namespace octet::tools
