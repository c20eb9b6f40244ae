#include "tools/octet/calibrated_values.h"

#include "backends/backends.h"
#include "compiler/plan/quantizable_values.h"

namespace octet::tools {

Result<std::set<ir::ValueId>> calibrated_values(const ir::Graph& graph,
                                                const std::vector<std::string>& more) {
  std::vector<std::string> names = backends::builtin_backends();
  names.insert(names.end(), more.begin(), more.end());
  std::vector<plan::BackendSpec> specs;
  for (const std::string& name : names) {
    OCTET_ASSIGN(plan::BackendSpec spec, backends::load_backend(name));
    specs.push_back(std::move(spec));
  }
  return plan::quantizable_values(graph, specs);
}

}  // namespace octet::tools
