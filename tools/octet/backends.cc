#include "backends/backends.h"

#include "tools/octet/lists.h"

namespace octet::tools {

void add_backends(CLI::App& app, Invocation& invocation) {
  add_list(app, invocation, "backends", "Lists the built-in targets",
           []() -> Result<std::vector<ListEntry>> {
             std::vector<ListEntry> out;
             for (const std::string& name : octet::backends::builtin_backends()) {
               OCTET_ASSIGN(const plan::BackendSpec spec, octet::backends::load_backend(name));
               out.push_back({name, {{"doc", spec.doc}}});
             }
             return out;
           });
}

}  // namespace octet::tools
